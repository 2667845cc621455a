import { describe, expect, it } from 'vitest'
import { onnxModel } from '../../../experiments/bench/drivers/onnxModel.ts'

type Field = number | Uint8Array

/** The fields of a protocol-buffer message, by number, in order. */
const fieldsOf = (bytes: Uint8Array): Map<number, Field[]> => {
  const fields = new Map<number, Field[]>()
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++]!
      value += (byte & 127) * factor
      if (byte < 128) return value
    }
  }
  while (at < bytes.length) {
    const tag = varint()
    const number = Math.floor(tag / 8)
    let value: Field = varint()
    if (tag % 8 === 2) {
      at += value
      value = bytes.subarray(at - value, at)
    }
    fields.set(number, [...(fields.get(number) ?? []), value])
  }
  return fields
}
const inner = (fields: Map<number, Field[]>, ...path: number[]): Map<number, Field[]> =>
  path.reduce((message, number) => fieldsOf(message.get(number)![0] as Uint8Array), fields)
const text = (field: Field): string => new TextDecoder().decode(field as Uint8Array)
const shapeOf = (info: Field): Field[] =>
  inner(fieldsOf(info as Uint8Array), 2, 1, 2)
    .get(1)!
    .map(each => fieldsOf(each as Uint8Array).get(1)![0]!)

describe('onnxModel', () => {
  const model = fieldsOf(
    onnxModel({
      op: 'Conv',
      inputs: { x: [16, 300, 32, 1], w: [20000, 300, 3, 3] },
      output: [16, 20000, 16, 1],
      attributes: { pads: [1, 1, 1, 1], strides: [2, 2] },
    }),
  )

  it('should name the IR version and the operator set', () => {
    expect(model.get(1)).toEqual([8])
    expect(inner(model, 8).get(2)).toEqual([17])
  })

  it('should hold one node with its inputs, output and attributes', () => {
    const node = inner(model, 7, 1)
    expect([node.get(1)!.map(text), node.get(2)!.map(text), node.get(4)!.map(text)]).toEqual([['x', 'w'], ['output'], ['Conv']])
    const attributes = node.get(5)!.map(each => fieldsOf(each as Uint8Array))
    expect(attributes.map(each => [text(each.get(1)![0]!), each.get(8), each.get(20)])).toEqual([
      ['pads', [1, 1, 1, 1], [7]],
      ['strides', [2, 2], [7]],
    ])
  })

  it('should give shapes of any length as float32', () => {
    const graph = inner(model, 7)
    expect(graph.get(11)!.map(shapeOf)).toEqual([
      [16, 300, 32, 1],
      [20000, 300, 3, 3],
    ])
    expect(graph.get(12)!.map(shapeOf)).toEqual([[16, 20000, 16, 1]])
    expect(inner(graph, 11, 2, 1).get(1)).toEqual([1])
  })
})
