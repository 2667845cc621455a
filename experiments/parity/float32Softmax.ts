import { type Backend, getBackend, setBackend } from '../../core/index.ts'
import { exp32, fusedMultiplyAdd } from '../../core/nn/float32Math.ts'
import type { AnyOp, HostArray } from '../../core/op.ts'
import type { Comparison } from './comparison.ts'

const f32 = Math.fround
const LANES = 8

/** The sum of eight partial sums, halves upon halves as vector registers are folded. */
const fold = (lanes: readonly number[]): number => {
  const halves = [0, 1, 2, 3].map(i => f32(lanes[i]! + lanes[i + 4]!))
  return f32(f32(halves[0]! + halves[2]!) + f32(halves[1]! + halves[3]!))
}

/** Calls `of` with each row along the last dimension and where it begins. */
const eachRow = ({ values, shape }: HostArray, of: (row: number[], begin: number) => void): void => {
  const n = shape.at(-1)!
  for (let begin = 0; begin < values.length; begin += n) of(Array.from(values.subarray(begin, begin + n), f32), begin)
}

const softmax: AnyOp['define'] = ([x], output) =>
  eachRow(x!, (row, begin) => {
    const top = row.reduce((a, b) => Math.max(a, b))
    const powers = row.map(value => exp32(f32(value - top)))
    const lanes = new Array<number>(LANES).fill(0)
    powers.forEach((power, i) => {
      lanes[i % LANES] = f32(lanes[i % LANES]! + power)
    })
    const share = f32(1 / fold(lanes))
    powers.forEach((power, i) => {
      output.values[begin + i] = f32(power * share)
    })
  })

const softmaxInputGrad: AnyOp['define'] = ([y, outputGradient], output) =>
  eachRow(y!, (row, begin) => {
    const gradient = row.map((_, i) => f32(outputGradient!.values[begin + i]!))
    const lanes = new Array<number>(LANES).fill(0)
    row.forEach((value, i) => {
      lanes[i % LANES] = fusedMultiplyAdd(value, gradient[i]!, lanes[i % LANES]!)
    })
    const dot = fold(lanes)
    row.forEach((value, i) => {
      output.values[begin + i] = f32(value * f32(gradient[i]! - dot))
    })
  })

const definitions: Readonly<Partial<Record<string, AnyOp['define']>>> = { softmax, softmaxInputGrad }

/**
 * The reference backend, with softmax and its gradient in float32 in PyTorch's order of operations.
 *
 * diffusers' attention blocks ask for `upcast_softmax`, a cast to float32: meant for half precision, it makes the softmax
 * float32 in a float64 network too. So its float64 numbers differ from ours by about 2e-8, and by rounding alone (3e-15)
 * once this softmax does the same; only then do they tell anything about the rest of the network to 1e-9.
 */
export const withFloat32Softmax = (reference: Backend): Backend => ({
  ...reference,
  name: `${reference.name} with float32 softmax`,
  run: (op, inputs, attributes, shape, dtype) => {
    const define = definitions[op.name]
    return reference.run(define ? { ...op, define } : op, inputs, attributes, shape, dtype)
  },
})

/** Runs `body` with the origin's softmax where the backend is float64; elsewhere softmax is float32 anyway. */
export const asOrigin = async <T>(body: () => Promise<T>): Promise<T> => {
  const backend = getBackend()
  if (backend.floatType !== 'float64') return body()
  setBackend(withFloat32Softmax(backend))
  return body().finally(() => setBackend(backend))
}

const isFloat64 = ({ expected }: Comparison): boolean => expected.dtype === 'F64'

/**
 * Runs comparisons with a network of diffusers: with our softmax and, on a float64 backend with float64 references, once
 * more with the origin's. Those references are then taken from the second run, all others from the first.
 */
export const compareAsOrigin = async (compare: () => Promise<Comparison[]>): Promise<Comparison[]> => {
  const plain = await compare()
  if (getBackend().floatType !== 'float64' || !plain.some(isFloat64)) return plain
  const origin = await asOrigin(compare)
  return plain.map((comparison, i) => (isFloat64(comparison) ? origin[i]! : comparison))
}
