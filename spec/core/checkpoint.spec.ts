import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { createReference } from '../../core/backends/reference/reference.ts'
import { checkpoint, grad, type Tensor, tensor, tidy, useBackend, valueAndGrad, vjp, withBackend } from '../../core/index.ts'
import { expectAllNear } from '../support/numbers.ts'
import { runs } from '../support/replay.ts'

beforeEach(() => useBackend('reference'))

/** One step of a small denoising loop: x and the parameter both need gradients. */
const step = (x: Tensor, w: Tensor): Tensor => {
  const hidden = x.matmul(w).mul(0.7)
  return x.mul(0.9).sub(hidden.exp().div(hidden.exp().add(1)).mul(0.2))
}

const loop =
  (steps: number, body: (x: Tensor, w: Tensor) => Tensor) =>
  ([x0, w]: readonly Tensor[]): Tensor => {
    let x = x0!
    for (let i = 0; i < steps; i++) x = body(x, w!)
    return x.mul(x).sum()
  }

const inputs = (rows: number, columns: number, seed: number) => {
  const value = (i: number) => Math.sin(1 + seed + 1.7 * i)
  const matrix = (m: number, n: number) =>
    tensor(
      Float64Array.from({ length: m * n }, (_, i) => value(i)),
      [m, n],
    )
  return [matrix(rows, columns), matrix(columns, columns)] as const
}

const bits = (x: Tensor) => Array.from(new BigUint64Array(Float64Array.from(x.dataSync()).buffer))

describe('checkpoint', () => {
  it('should give bitwise the value and gradients of the plain loop', () => {
    const small = fc.integer({ min: 1, max: 4 })
    fc.assert(
      fc.property(small, small, fc.nat(6), fc.nat(1000), (rows, columns, steps, seed) =>
        tidy(() => {
          const plain = valueAndGrad(loop(steps, step))(inputs(rows, columns, seed))
          const saved = valueAndGrad(loop(steps, checkpoint(step)))(inputs(rows, columns, seed))
          expect(bits(saved.value)).toEqual(bits(plain.value))
          expect(saved.gradient.map(bits)).toEqual(plain.gradient.map(bits))
        }),
      ),
      { numRuns: runs(40) },
    )
  })

  it('should give the second derivative of the plain loop', () => {
    const second = (body: typeof step) => (xs: readonly Tensor[]) => {
      const first = (x: readonly Tensor[]) => valueAndGrad(loop(2, body))(x).gradient[0]!
      return first(xs).mul(first(xs)).sum()
    }
    const plain = valueAndGrad(second(step))(inputs(2, 3, 5))
    const saved = valueAndGrad(second(checkpoint(step)))(inputs(2, 3, 5))
    // Contributions to one tensor are added in another order.
    for (const [i, gradient] of plain.gradient.entries()) expectAllNear(saved.gradient[i]!.dataSync(), gradient.dataSync(), 1e-13)
  })

  it('should nest', () => {
    const two = checkpoint((x: Tensor, w: Tensor) => checkpoint(step)(checkpoint(step)(x, w), w))
    const plain = valueAndGrad(loop(4, step))(inputs(2, 2, 1))
    const nested = valueAndGrad(loop(2, two))(inputs(2, 2, 1))
    expect(nested.gradient.map(bits)).toEqual(plain.gradient.map(bits))
  })

  it('should refuse a function that closes over a traced tensor, whose gradient it would lose', () => {
    const f = ([x, w]: readonly Tensor[]) => checkpoint((x: Tensor) => step(x, w!))(x!).sum()
    expect(() => valueAndGrad(f)(inputs(2, 2, 1))).toThrow(
      'matmul: a checkpointed function closes over a traced tensor, whose gradient would be lost; pass it as an argument',
    )
    const reshaped = ([x, w]: readonly Tensor[]) => checkpoint((x: Tensor) => x.add(w!.reshape([2, 2])))(x!).sum()
    expect(() => valueAndGrad(reshaped)(inputs(2, 2, 1))).toThrow('reshape: a checkpointed function closes over a traced tensor')
  })

  it('should refuse one whose own gradient, or the value beside it, depends on such a tensor', () => {
    const refused = (inner: (x: Tensor, y: Tensor) => Tensor) => () =>
      grad((y: Tensor) => checkpoint((x: Tensor) => inner(x, y))(y.mul(2)).sum())(tensor([1, 2]))
    const lost = 'a checkpointed function closes over a traced tensor, whose gradient would be lost'
    expect(refused((x, y) => valueAndGrad((z: Tensor) => z.add(y).sum())(x).value)).toThrow(`add: ${lost}`)
    expect(refused((_, y) => grad((z: Tensor) => z.mul(3).sum())(y))).toThrow(`grad: ${lost}`)
  })

  it('should differentiate a function that takes gradients of its own', () => {
    const cubed = (x: Tensor) => grad((z: Tensor) => z.square().mul(z).sum())(x)
    const pulled = (x: Tensor) => vjp((z: Tensor) => z.square().mul(z), x).pullback(tensor([1, 1]))
    for (const inner of [cubed, pulled])
      expect([...grad((x: Tensor) => checkpoint(inner)(x).sum())(tensor([1, 2])).dataSync()]).toEqual([6, 12])
  })

  it('should allow it to close over constants', () => {
    const [x, w] = inputs(2, 2, 1)
    const plain = valueAndGrad((x: Tensor) => step(x, w).sum())(x)
    const saved = valueAndGrad((x: Tensor) => checkpoint((x: Tensor) => step(x, w))(x).sum())(x)
    expect(bits(saved.gradient)).toEqual(bits(plain.gradient))
  })

  it('should keep the peak of a loop at the peak of one step and the stored x of every step', () => {
    const peakOf = (steps: number, body: typeof step): number => {
      const backend = createReference()
      return withBackend(backend, () => {
        tidy(() => void valueAndGrad(loop(steps, body))(inputs(8, 8, 0)))
        expect(backend.memory().bytesLive).toBe(0)
        return backend.memory().bytesPeak
      })
    }
    const storedX = 8 * 8 * 8
    expect(peakOf(40, checkpoint(step)) - peakOf(10, checkpoint(step))).toBeLessThanOrEqual(30 * storedX)
    expect(peakOf(40, step) - peakOf(10, step)).toBeGreaterThan(5 * 30 * storedX)
  })
})
