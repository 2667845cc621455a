import { beforeAll, describe, expect, it } from 'vitest'
import { grad, ops, type Shape, type Tensor, tensor, useBackend, zeros } from '../../core/index.ts'
import { backendsUnderTest } from '../support/backends.ts'

/** An op on a [2, 4, 3] array. */
const calls: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  attention: x => ops.attention(x, x, x),
  batchNorm: x => ops.batchNorm(x, zeros([4]).add(1), zeros([4])),
  broadcastTo: x => x.broadcastTo([2, 2, 4, 3]),
  concat: x => ops.concat([x, x], 1),
  conv2d: x => ops.conv2d(x.reshape([2, 4, 3, 1]), x.reshape([6, 4, 1, 1])),
  max: x => x.max([1]),
  matmul: x => x.matmul(x.reshape([2, 3, 4])),
  mul: x => x.mul(x),
  pad: x => ops.pad(x, { before: [0, 1, 0], after: [1, 0, 0] }),
  permute: x => x.permute([2, 0, 1]),
  slice: x => x.slice([0, 1, 0], [2, 2, 3]),
  softmax: x => ops.softmax(x),
  sum: x => x.sum([2]),
}

describe.each(backendsUnderTest)('on %s', name => {
  beforeAll(() => useBackend(name))

  it.each(Object.keys(calls))('should read integers as the numbers they are: %s', async op => {
    const values = Array.from({ length: 24 }, (_, i) => ((7 * i) % 11) - 5)
    const [ofIntegers, ofFloats] = (['int32', 'float'] as const).map(dtype => calls[op]!(tensor(values, [2, 4, 3], { dtype })))
    const expected = [...(await ofFloats!.data())]
    for (const [i, value] of [...(await ofIntegers!.data())].entries()) expect(value).toBeCloseTo(expected[i]!, 5)
  })

  it('should give zeros for sums of no products, whatever the rank', async () => {
    const product = (a: Shape, b: Shape) => zeros(a).matmul(zeros(b))
    expect([...(await product([2, 3, 0], [0, 1]).data())]).toEqual([0, 0, 0, 0, 0, 0])
    expect(product([3, 0, 4], [4, 2]).shape).toEqual([3, 0, 2])
  })

  it('should differentiate an empty batch twice', () => {
    const layers: Readonly<Record<string, (x: Tensor) => Tensor>> = {
      attention: x => ops.attention(x, x, x, { heads: 2 }),
      groupNorm: x => ops.groupNorm(x, zeros([4]), zeros([4]), { groups: 2 }),
    }
    for (const layer of Object.values(layers)) {
      const first = (x: Tensor) => grad((y: Tensor) => layer(y).square().sum())(x)
      expect(grad((x: Tensor) => first(x).square().sum())(zeros([0, 4, 3])).shape).toEqual([0, 4, 3])
    }
  })
})
