import { beforeAll, describe, expect, it } from 'vitest'
import { grad, ops, type Tensor, tensor, useBackend } from '../../core/index.ts'
import { backendsUnderTest } from '../support/backends.ts'

const { NaN: nan, POSITIVE_INFINITY: infinity } = Number

describe.each(backendsUnderTest)('numbers at the edge on %s', name => {
  beforeAll(() => useBackend(name))

  const near = async (x: Tensor, expected: readonly number[]): Promise<void> => {
    for (const [i, value] of [...(await x.data())].entries()) expect(value).toBeCloseTo(expected[i]!, 5)
  }

  it('should not let softmax and its logarithm overflow or lose all weights', async () => {
    for (const shift of [0, 1e4, -1e4]) {
      const x = tensor([shift, shift - 1])
      await near(ops.softmax(x), [1 / (1 + Math.exp(-1)), 1 / (1 + Math.E)])
      await near(ops.logSoftmax(x), [-Math.log1p(Math.exp(-1)), -Math.log1p(Math.E)])
    }
    await near(ops.softmax(tensor([-infinity, 0])), [0, 1])
  })

  it('should keep what is no number visible', async () => {
    const x = tensor([1, nan, 3])
    for (const y of [
      x.max(),
      x.sum(),
      ops.softmax(x),
      x.clamp(0, 2).slice([1], [1]),
      x.maximum(2).slice([1], [1]),
      ops.relu(x).slice([1], [1]),
    ])
      expect([...(await y.data())].every(Number.isNaN)).toBe(true)
    expect(await x.slice([0], [1]).max().item()).toBe(1)
  })

  it('should share the gradient of a maximum between ties', async () => {
    expect([...(await grad((x: Tensor) => x.max())(tensor([2, 5, 5])).data())]).toEqual([0, 0.5, 0.5])
  })

  it('should let the gradient of clamp through at its bounds', async () => {
    expect([...(await grad((x: Tensor) => x.clamp(0, 1).sum())(tensor([-1, 0, 0.5, 1, 2])).data())]).toEqual([0, 1, 1, 1, 0])
  })
})
