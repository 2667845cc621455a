import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { grad, liveTensors, ops, scalar, stopGradient, type Tensor, tensor, tidy, useBackend, valueAndGrad, vjp } from '../../core/index.ts'
import { expectAllNear, expectNear } from '../support/numbers.ts'
import { runs } from '../support/replay.ts'

beforeAll(() => useBackend('reference'))

const numbers = (x: Tensor): number[] => Array.from(x.dataSync())
const coordinates = fc.array(
  fc.integer({ min: -200, max: 200 }).map(k => k / 100),
  { minLength: 1, maxLength: 5 },
)

describe('grad', () => {
  it('should differentiate x^3 to 3x^2 and 6x', () => {
    const cube = (x: Tensor) => x.mul(x).mul(x).sum()
    const x = tensor([-2, 0, 0.5, 3])
    expect(numbers(grad(cube)(x))).toEqual([12, 0, 0.75, 27])
    expect(numbers(grad((x: Tensor) => grad(cube)(x).sum())(x))).toEqual([-12, 0, 3, 18])
  })

  it('should treat tensors a function closes over as constants, and add up every use of its argument', () => {
    const weight = tensor([2, 3])
    const x = tensor([5, 7])
    expect(numbers(grad((x: Tensor) => x.mul(weight).add(x).sum())(x))).toEqual([3, 4])
    expect(weight.node).toBeUndefined()
    expect(x.node).toBeUndefined()
  })

  it('should give a gradient of the structure of the argument, zero for what is not used', () => {
    const params = { layer: [tensor([1, 2]), tensor([3])], unused: tensor([4, 5]) }
    const gradient = grad(({ layer: [w, b] }: { layer: Tensor[]; unused: Tensor }) => w!.mul(w!).mul(b!).sum())(params)
    expect(Object.keys(gradient)).toEqual(['layer', 'unused'])
    expect(gradient.layer.map(numbers)).toEqual([[6, 12], [5]])
    expect(numbers(gradient.unused)).toEqual([0, 0])
  })

  it('should hand the value and any auxiliary structure through', () => {
    const { value, gradient, aux } = valueAndGrad((x: Tensor): [Tensor, { twice: Tensor; label: string }] => {
      const twice = x.mul(2)
      return [twice.sum(), { twice, label: 'kept' }]
    })(tensor([1, 2]))
    expect([numbers(value), numbers(gradient), numbers(aux.twice), aux.label]).toEqual([[6], [2, 2], [2, 4], 'kept'])
    expect(value.node).toBeUndefined()
    expect(aux.twice.node).toBeUndefined()
  })

  it('should let nothing through stopGradient', () => {
    const x = tensor([3])
    expect(numbers(grad((x: Tensor) => x.mul(stopGradient(x)).sum())(x))).toEqual([3])
    expect(numbers(grad((x: Tensor) => stopGradient(x.mul(x)).sum())(x))).toEqual([0])
  })

  it('should pull a cotangent back by J^T', () => {
    const { value, pullback } = vjp(([a, b]: readonly Tensor[]) => a!.matmul(b!), [tensor([1, 2], [1, 2]), tensor([3, 4], [2, 1])])
    const [da, db] = pullback(scalar(10).reshape([1, 1]))
    expect([numbers(value), numbers(da!), numbers(db!)]).toEqual([[11], [30, 40], [10, 20]])
  })

  it('should give the Hessian-vector product H v = Q v of a quadratic form, and the Hessian of log-sum-exp', () => {
    fc.assert(
      fc.property(coordinates, fc.nat(50), (coordinates, shift) =>
        tidy(() => {
          const n = coordinates.length
          const x = tensor(coordinates)
          const v = tensor(coordinates.map((_, i) => ((i + 1) * 7 + shift) / 13))
          const hvp = (f: (x: Tensor) => Tensor) => numbers(grad((x: Tensor) => grad(f)(x).mul(v).sum())(x))
          const Q = Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => 1 / (1 + i + j)))
          const quadratic = (x: Tensor) => {
            const column = x.reshape([n, 1])
            return column
              .mul(tensor(Q.flat(), [n, n]).matmul(column))
              .sum()
              .mul(0.5)
          }
          const [vs, p] = [numbers(v), numbers(ops.softmax(x))]
          expectAllNear(
            hvp(quadratic),
            Q.map(row => row.reduce((total, q, j) => total + q * vs[j]!, 0)),
            1e-12,
          )
          // The Hessian of log sum exp is diag(p) - p p^T with p = softmax.
          const mean = p.reduce((total, pi, i) => total + pi * vs[i]!, 0)
          expectAllNear(
            hvp(x => x.exp().sum().log()),
            p.map((pi, i) => pi * (vs[i]! - mean)),
            1e-12,
          )
        }),
      ),
      { numRuns: runs(30) },
    )
  })

  it('should nest: the derivative of an inner derivative sees both variables', () => {
    // f(x) = x d/dy (y^2 x) at y = 3x gives 6x^3, so f' = 18 x^2.
    const f = (x: Tensor) => x.mul(grad((y: Tensor) => y.mul(y).mul(x).sum())(x.mul(3))).sum()
    fc.assert(
      fc.property(fc.integer({ min: -30, max: 30 }), k =>
        tidy(() => expectNear(numbers(grad(f)(scalar(k / 10)))[0]!, 18 * (k / 10) ** 2, 1e-11)),
      ),
      { numRuns: runs(30) },
    )
  })

  it('should differentiate through the value beside an inner pullback, as beside an inner gradient', () => {
    const square = (y: Tensor) => y.mul(y)
    const x = tensor([1, 2])
    expect(numbers(grad((x: Tensor) => vjp(square, x).value.sum())(x))).toEqual([2, 4])
    expect(numbers(grad((x: Tensor) => valueAndGrad((y: Tensor) => square(y).sum())(x).value)(x))).toEqual([2, 4])
  })

  it('should go through a deep chain without recursion', () => {
    const deep = (x: Tensor) => {
      let y = x
      for (let i = 0; i < 5000; i++) y = y.mul(1.0001)
      return y.sum()
    }
    expectNear(numbers(tidy(() => grad(deep)(scalar(1))))[0]!, 1.0001 ** 5000, 1e-9)
  })

  it('should free what it made when the function throws, and not record afterwards', () => {
    const x = tensor([1, 2])
    const before = liveTensors()
    const failing = (x: Tensor): Tensor => x.mul(2).exp().matmul(x)
    expect(() => grad(failing)(x)).toThrow('matmul')
    expect(liveTensors()).toBe(before)
    const y = x.mul(2)
    expect(y.node).toBeUndefined()
  })
})
