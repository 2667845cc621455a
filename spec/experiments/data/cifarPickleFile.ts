/** Writes CIFAR batches as Python 2 pickled them: protocol 2, texts and array data as byte strings. */

const ascii = (text: string): number[] => [...text].map(char => char.charCodeAt(0))
const uint32 = (value: number): number[] => [...new Uint8Array(new Uint32Array([value]).buffer)]

const string = (bytes: readonly number[]): number[] =>
  bytes.length < 256 ? [0x55, bytes.length, ...bytes] : [0x54, ...uint32(bytes.length), ...bytes]
const text = (value: string): number[] => string(ascii(value))
const integer = (value: number): number[] => [0x4a, ...uint32(value)]
const global = (module: string, name: string): number[] => ascii(`c${module}\n${name}\n`)
const tuple = (...items: number[][]): number[] => [0x28, ...items.flat(), 0x74]
const NONE = 0x4e
const REDUCE = 0x52
const BUILD = 0x62

export interface PickledArray {
  readonly shape: readonly number[]
  readonly data: readonly number[]
  readonly dtype?: string
  readonly fortran?: boolean
  /** The function that rebuilds the array. */
  readonly rebuild?: readonly [module: string, name: string]
}

const array = ({
  shape,
  data,
  dtype = 'u1',
  fortran = false,
  rebuild = ['numpy.core.multiarray', '_reconstruct'],
}: PickledArray): number[] => {
  const type = [
    ...global('numpy', 'dtype'),
    ...tuple(text(dtype), integer(0), integer(1)),
    REDUCE,
    ...tuple(integer(3), text('|'), [NONE], [NONE], [NONE], integer(-1), integer(-1), integer(0)),
    BUILD,
  ]
  return [
    ...global(...rebuild),
    ...tuple(global('numpy', 'ndarray'), tuple(integer(0)), text('b')),
    REDUCE,
    ...tuple(integer(1), tuple(...shape.map(integer)), type, [fortran ? 0x88 : 0x89], string(data)),
    BUILD,
  ]
}

/** A dict with a label list and the array `data`. */
export const cifarPickle = (labelsName: string, labels: readonly number[], data: PickledArray): Uint8Array =>
  Uint8Array.from([
    0x80,
    2,
    0x7d,
    0x28,
    ...text('batch_label'),
    ...text('testing batch 1 of 1'),
    ...text(labelsName),
    ...[0x5d, 0x28, ...labels.flatMap(integer), 0x65],
    ...text('data'),
    ...array(data),
    0x75,
    0x2e,
  ])
