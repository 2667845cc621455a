import { CODECS, type HostDtype, type HostTensor } from '../../../../core/io/hostTensor.ts'
import { zip } from '../zipWriter.ts'
import { type Node, pickle } from './pickleWriter.ts'

const STORAGE_CLASSES: Partial<Record<HostDtype, string>> = {
  F64: 'DoubleStorage',
  F32: 'FloatStorage',
  F16: 'HalfStorage',
  BF16: 'BFloat16Storage',
  I64: 'LongStorage',
  I32: 'IntStorage',
  I16: 'ShortStorage',
  I8: 'CharStorage',
  U8: 'ByteStorage',
  BOOL: 'BoolStorage',
}

/** The dtypes that PyTorch has a storage class for. */
export const TORCH_DTYPES = Object.keys(STORAGE_CLASSES) as HostDtype[]

export interface Storage {
  readonly key: string
  readonly dtype: HostDtype
  readonly bytes: Uint8Array
}

export interface Layout {
  readonly offset?: number
  readonly shape: readonly number[]
  readonly strides?: readonly number[]
}

export const storageOf = (key: string, { dtype, values }: HostTensor): Storage => ({
  key,
  dtype,
  bytes: CODECS[dtype].encode(values).slice(),
})

export const elementsOf = ({ dtype, bytes }: Storage): number => bytes.length / CODECS[dtype].bytesPerElement

/** The reference to a storage; `view` as in the legacy format, where it may be None. */
export const storageNode = (storage: Storage, view?: Node): Node => ({
  persistent: {
    tuple: [
      'storage',
      { global: ['torch', STORAGE_CLASSES[storage.dtype]!] },
      storage.key,
      'cpu',
      elementsOf(storage),
      ...(view === undefined ? [] : [view]),
    ],
  },
})

/** Strides of a tensor whose last axis moves fastest. */
export const rowMajorStrides = (shape: readonly number[]): number[] =>
  shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1))

/** A call of `_rebuild_tensor_v2`, or of another function with the same first arguments. */
export const tensorNode = (
  storage: Node,
  { offset = 0, shape, strides = rowMajorStrides(shape) }: Layout,
  { name = '_rebuild_tensor_v2', more = [false, null] as readonly Node[] } = {},
): Node => ({
  call: { global: ['torch._utils', name] },
  args: [storage, offset, { tuple: [...shape] }, { tuple: [...strides] }, ...more],
})

export const orderedDict = (entries: Readonly<Record<string, Node>>): Node => ({
  call: { global: ['collections', 'OrderedDict'] },
  args: [Object.entries(entries)],
})

export const dict = (entries: Readonly<Record<string, Node>>): Map<string | number, Node> => new Map(Object.entries(entries))

export interface ZipCheckpointOptions {
  readonly byteorder?: string
  readonly folder?: string
  readonly zip64?: boolean
  readonly deflate?: boolean
}

/** A file as `torch.save` writes it. */
export const zipCheckpoint = (
  root: Uint8Array | Node,
  storages: readonly Storage[],
  { byteorder, folder = 'archive/', zip64 = true, deflate = false }: ZipCheckpointOptions = {},
): Uint8Array => {
  const text = (content: string) => new TextEncoder().encode(content)
  return zip(
    [
      { name: `${folder}data.pkl`, content: root instanceof Uint8Array ? root : pickle(root), deflate },
      ...(byteorder === undefined ? [] : [{ name: `${folder}byteorder`, content: text(byteorder) }]),
      ...storages.map(({ key, bytes }) => ({ name: `${folder}data/${key}`, content: bytes, deflate })),
      { name: `${folder}version`, content: text('3\n') },
    ],
    { zip64 },
  )
}

/** The number that begins every legacy file, pickled. */
const MAGIC = Uint8Array.of(0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e)

export interface LegacyOptions {
  readonly protocol?: Node
  readonly machine?: Node
  readonly keys?: Node
}

/** A file as `torch.save` wrote it before 1.6. */
export const legacyCheckpoint = (
  root: Uint8Array | Node,
  storages: readonly Storage[],
  { protocol = 1001, machine = dict({ little_endian: true }), keys = storages.map(({ key }) => key) }: LegacyOptions = {},
): Uint8Array => {
  const raw = storages.flatMap(storage => {
    const count = new Uint8Array(8)
    new DataView(count.buffer).setBigInt64(0, BigInt(elementsOf(storage)), true)
    return [count, storage.bytes]
  })
  return Uint8Array.from(
    Buffer.concat([MAGIC, pickle(protocol), pickle(machine), root instanceof Uint8Array ? root : pickle(root), pickle(keys), ...raw]),
  )
}
