import { beforeAll, describe, expect, it } from 'vitest'
import { dispose, liveTensors, type Tensor, tensor, useBackend } from '../../../core/index.ts'
import { adamw, clipGradNorm, ema, emaDecay, sgd } from '../../../core/optim/index.ts'
import type { Optimizer, OptimizerState } from '../../../core/optim/optimizer.ts'
import { expectAllNear } from '../../support/numbers.ts'

beforeAll(() => useBackend('reference'))

const START = [1, -2, 0.5]
/** A fixed gradient sequence that depends on the parameters too. */
const gradientAt = (step: number, p: readonly number[]): number[] => p.map((x, i) => 0.3 * x + Math.sin(step + i))

const run = <S extends OptimizerState>(optimizer: Optimizer<S>, steps: number): number[] => {
  let params: Record<string, Tensor> = { p: tensor(START) }
  let state = optimizer.init(params)
  for (let step = 0; step < steps; step++) {
    const gradients = { p: tensor(gradientAt(step, Array.from(params.p!.dataSync()))) }
    ;({ params, state } = optimizer.update(params, gradients, state))
  }
  expect(state.step).toBe(steps)
  return Array.from(params.p!.dataSync())
}

describe('sgd', () => {
  const recurrence = (
    steps: number,
    { rate, momentum, decay, nesterov }: { rate: number; momentum: number; decay: number; nesterov: boolean },
  ) => {
    const p = [...START]
    const v = [0, 0, 0]
    for (let step = 0; step < steps; step++) {
      const g = gradientAt(step, p).map((x, i) => x + decay * p[i]!)
      for (let i = 0; i < 3; i++) {
        v[i] = step === 0 ? g[i]! : momentum * v[i]! + g[i]!
        p[i]! -= rate * (nesterov ? g[i]! + momentum * v[i]! : v[i]!)
      }
    }
    return p
  }

  it.each([
    { momentum: 0, decay: 0, nesterov: false },
    { momentum: 0.9, decay: 5e-2, nesterov: false },
    { momentum: 0.9, decay: 5e-2, nesterov: true },
  ])('should follow its recurrence with $momentum, $decay, $nesterov', ({ momentum, decay, nesterov }) => {
    const actual = run(sgd({ learningRate: 0.1, momentum, weightDecay: decay, nesterov }), 5)
    expectAllNear(actual, recurrence(5, { rate: 0.1, momentum, decay, nesterov }), 1e-12)
  })
})

describe('adamw', () => {
  it('should follow its recurrence under a schedule', () => {
    const rate = (step: number): number => 0.05 / (1 + step)
    const [beta1, beta2, epsilon, decay] = [0.8, 0.95, 1e-3, 0.1]
    const p = [...START]
    const m = [0, 0, 0]
    const v = [0, 0, 0]
    for (let step = 0; step < 6; step++) {
      const g = gradientAt(step, p)
      for (let i = 0; i < 3; i++) {
        p[i]! *= 1 - rate(step) * decay
        m[i] = beta1 * m[i]! + (1 - beta1) * g[i]!
        v[i] = beta2 * v[i]! + (1 - beta2) * g[i]! ** 2
        const mHat = m[i]! / (1 - beta1 ** (step + 1))
        const vHat = v[i]! / (1 - beta2 ** (step + 1))
        p[i]! -= (rate(step) * mHat) / (Math.sqrt(vHat) + epsilon)
      }
    }
    expectAllNear(run(adamw({ learningRate: rate, betas: [beta1, beta2], epsilon, weightDecay: decay }), 6), p, 1e-12)
  })

  it('should move by the learning rate against the sign of the first gradient', () => {
    const optimizer = adamw({ learningRate: 0.01, weightDecay: 0 })
    const params = { p: tensor([1, 1]) }
    const { params: next } = optimizer.update(params, { p: tensor([1e-3, -50]) }, optimizer.init(params))
    expect(next.p!.dataSync()[0]).toBeCloseTo(0.99, 6)
    expect(next.p!.dataSync()[1]).toBeCloseTo(1.01, 6)
  })

  it('should own nothing: after the caller disposes old and new, no tensor is left', () => {
    const before = liveTensors()
    const optimizer = adamw({ learningRate: 0.1 })
    const params = { p: tensor([1]), q: tensor([2, 3]) }
    const state = optimizer.init(params)
    const gradients = { p: tensor([1]), q: tensor([1, 1]) }
    const updated = optimizer.update(params, gradients, state)
    expect(params.p.disposed).toBe(false)
    dispose([params, state, gradients, updated])
    expect(liveTensors()).toBe(before)
  })

  it('should refuse a parameter without a gradient or with one of another shape', () => {
    const optimizer = adamw({ learningRate: 0.1 })
    const params = { p: tensor([1, 2]) }
    expect(() => optimizer.update(params, {}, optimizer.init(params))).toThrow('adamw: parameter "p" has no gradient')
    expect(() => optimizer.update(params, { p: tensor([1]) }, optimizer.init(params))).toThrow('"p" is [2] but its gradient [1]')
  })
})

describe('ema', () => {
  it('should warm its decay up as 1 - (1 + n)^(-3/4), from a copy at the first update to the maximum', () => {
    expect([1, 2, 3].map(step => emaDecay(step))).toEqual([0, 1 - 2 ** -0.75, 1 - 3 ** -0.75])
    expect([1, 2].map(step => emaDecay(step, { minDecay: 0.5 }))).toEqual([0, 0.5])
    expect(emaDecay(1e9)).toBe(0.9999)
    expect(emaDecay(11, { invGamma: 5, power: 1 })).toBeCloseTo(1 - 1 / 3, 15)
  })

  it('should average the parameters by that decay', () => {
    const average = ema()
    let state = average.init({ p: tensor([5]) })
    state = average.update({ p: tensor([1]) }, state)
    expect(Array.from(state.average.p!.dataSync())).toEqual([1])
    state = average.update({ p: tensor([3]) }, state)
    const decay = 1 - 2 ** -0.75
    expect(state.average.p!.dataSync()[0]).toBeCloseTo(decay * 1 + (1 - decay) * 3, 12)
  })
})

describe('clipGradNorm', () => {
  const gradients = () => ({ a: tensor([3, 0]), b: tensor([4]) })

  it('should scale all gradients to the joint norm and report the norm before', () => {
    const { gradients: clipped, norm } = clipGradNorm(gradients(), 1)
    expect(norm.dataSync()[0]).toBe(5)
    expect(clipped.a!.dataSync()[0]).toBeCloseTo(3 / 5, 6)
    expect(clipped.b!.dataSync()[0]).toBeCloseTo(4 / 5, 6)
  })

  it('should leave gradients within the norm exactly as they are', () => {
    expect(Array.from(clipGradNorm(gradients(), 10).gradients.a!.dataSync())).toEqual([3, 0])
  })

  it('should refuse a maximum that is not positive', () => {
    expect(() => clipGradNorm(gradients(), 0)).toThrow('maxNorm must be positive')
  })
})
