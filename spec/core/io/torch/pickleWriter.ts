/** What the writer can write: plain values, and the few kinds of objects that checkpoints hold. A `Map` is a dict. */
export type Node =
  | null
  | boolean
  | number
  | string
  | Node[]
  | Map<string | number, Node>
  | { readonly tuple: readonly Node[] }
  /** Module and name. */
  | { readonly global: readonly [string, string] }
  | { readonly call: Node; readonly args: readonly Node[] }
  | { readonly make: Node; readonly state: Node }
  | { readonly persistent: Node }

const MARK = [0x28]

const littleEndian = (value: number, size: number): number[] => Array.from({ length: size }, (_, i) => Math.floor(value / 256 ** i) & 255)

const numberBytes = (value: number): number[] => {
  if (Object.is(value | 0, value)) return [0x4a, ...littleEndian(value >>> 0, 4)]
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setFloat64(0, value)
  return [0x47, ...bytes]
}

const body = (node: Node): number[] => {
  if (node === null) return [0x4e]
  if (typeof node === 'boolean') return [node ? 0x88 : 0x89]
  if (typeof node === 'number') return numberBytes(node)
  if (typeof node === 'string') {
    const text = new TextEncoder().encode(node)
    return [0x58, ...littleEndian(text.length, 4), ...text]
  }
  if (Array.isArray(node)) return [0x5d, ...MARK, ...node.flatMap(body), 0x65]
  if (node instanceof Map) return [0x7d, ...MARK, ...[...node].flatMap(([key, value]) => [...body(key), ...body(value)]), 0x75]
  if ('tuple' in node) return [...MARK, ...node.tuple.flatMap(body), 0x74]
  if ('global' in node) return [0x63, ...new TextEncoder().encode(`${node.global.join('\n')}\n`)]
  if ('call' in node) return [...body(node.call), ...body({ tuple: node.args }), 0x52]
  if ('make' in node) return [...body(node.make), 0x29, 0x81, ...body(node.state), 0x62]
  return [...body(node.persistent), 0x51]
}

/** A pickle of protocol 2 without memo, made from the description of the opcodes and independent of the reader. */
export const pickle = (node: Node): Uint8Array => Uint8Array.from([0x80, 2, ...body(node), 0x2e])
