/**
 * A writer of ONNX files with one node, as protocol-buffer messages (onnx.proto3, IR version 8, operator set 17): a field is its
 * number and wire type in a varint, then a varint, or a length and so many bytes.
 */
type Message = readonly number[]

const varint = (value: number): number[] => (value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))])
const integer = (field: number, value: number): number[] => [...varint(8 * field), ...varint(value)]
const message = (field: number, body: Message): number[] => [...varint(8 * field + 2), ...varint(body.length), ...body]
const text = (field: number, value: string): number[] => message(field, [...new TextEncoder().encode(value)])

const FLOAT = 1
const INTS = 7
/** Without it `ints` of an attribute would be read as of no type. */
const attribute = (name: string, values: readonly number[]): Message => [
  ...text(1, name),
  ...values.flatMap(value => integer(8, value)),
  ...integer(20, INTS),
]

/** ValueInfoProto: a name and the type float32 [shape]. */
const valueInfo = (name: string, shape: readonly number[]): Message => {
  const dimensions = shape.flatMap(length => message(1, integer(1, length)))
  return [...text(1, name), ...message(2, message(1, [...integer(1, FLOAT), ...message(2, dimensions)]))]
}

export interface OnnxNode {
  readonly op: string
  readonly inputs: Readonly<Record<string, readonly number[]>>
  readonly output: readonly number[]
  readonly attributes?: Readonly<Record<string, readonly number[]>>
}

/** The bytes of a model whose graph is one node, from its named inputs to `output`. */
export const onnxModel = ({ op, inputs, output, attributes = {} }: OnnxNode): Uint8Array => {
  const node = [
    ...Object.keys(inputs).flatMap(name => text(1, name)),
    ...text(2, 'output'),
    ...text(4, op),
    ...Object.entries(attributes).flatMap(([name, values]) => message(5, attribute(name, values))),
  ]
  const graph = [
    ...message(1, node),
    ...text(2, op),
    ...Object.entries(inputs).flatMap(([name, shape]) => message(11, valueInfo(name, shape))),
    ...message(12, valueInfo('output', output)),
  ]
  return Uint8Array.from([...integer(1, 8), ...message(7, graph), ...message(8, integer(2, 17))])
}
