import { beforeAll, describe, expect, it } from 'vitest'
import { type Tensor, tensor, useBackend, valueAndGrad } from '../../../core/index.ts'
import { batchNorm, scope } from '../../../core/nn/index.ts'
import { expectAllNear } from '../../support/numbers.ts'

beforeAll(() => useBackend('reference'))

const parameters = () => ({
  'n.weight': tensor([2, 3]),
  'n.bias': tensor([1, -1]),
  'n.running_mean': tensor([0.5, 1]),
  'n.running_var': tensor([4, 0.25]),
  'n.num_batches_tracked': tensor([7], []),
})
// Two images, two channels, two positions: channel 0 holds 1, 2, 3, 6; channel 1 holds -1, 0, 0, 5.
const images = () => tensor([1, 2, -1, 0, 3, 6, 0, 5], [2, 2, 2])

describe('batchNorm', () => {
  it('should scale and shift by the running statistics outside training, and change none', () => {
    const { output, runningStatistics } = batchNorm(images(), scope(parameters()).at('n'), { epsilon: 0 })
    const first = (x: number): number => (2 * (x - 0.5)) / 2 + 1
    const second = (x: number): number => (3 * (x - 1)) / 0.5 - 1
    const expected = [first(1), first(2), second(-1), second(0), first(3), first(6), second(0), second(5)]
    expectAllNear(output.dataSync(), expected, 1e-12)
    expect(runningStatistics).toEqual({})
  })

  it('should normalise by the biased batch variance in training and keep the unbiased one', () => {
    const momentum = 0.3
    const { output, runningStatistics } = batchNorm(images(), scope(parameters()).at('n'), { train: true, momentum, epsilon: 0 })
    // Means 3 and 1; sums of squared deviations 4+1+0+9 = 14 and 4+1+1+16 = 22.
    const first = (x: number): number => (2 * (x - 3)) / Math.sqrt(14 / 4) + 1
    const second = (x: number): number => (3 * (x - 1)) / Math.sqrt(22 / 4) - 1
    const expected = [first(1), first(2), second(-1), second(0), first(3), first(6), second(0), second(5)]
    expectAllNear(output.dataSync(), expected, 1e-12)
    const moved = (name: string): number[] => Array.from(runningStatistics[`n.${name}`]!.dataSync())
    expect(moved('running_mean')[0]).toBeCloseTo(0.7 * 0.5 + 0.3 * 3, 12)
    expect(moved('running_mean')[1]).toBeCloseTo(0.7 * 1 + 0.3 * 1, 12)
    expect(moved('running_var')[0]).toBeCloseTo(0.7 * 4 + (0.3 * 14) / 3, 12)
    expect(moved('running_var')[1]).toBeCloseTo(0.7 * 0.25 + (0.3 * 22) / 3, 12)
    expect(moved('num_batches_tracked')).toEqual([8])
    expect(runningStatistics['n.running_var']!.shape).toEqual([2])
  })

  it('should clip below zero when relu follows', () => {
    for (const train of [false, true]) {
      const plain = batchNorm(images(), scope(parameters()).at('n'), { train }).output.dataSync()
      const clipped = batchNorm(images(), scope(parameters()).at('n'), { train, relu: true }).output.dataSync()
      expect(Array.from(clipped)).toEqual(Array.from(plain, x => Math.max(x, 0)))
    }
  })

  it('should hand the moved statistics out of a gradient without a history', () => {
    const { aux, gradient } = valueAndGrad((params: Record<string, Tensor>) => {
      const { output, runningStatistics } = batchNorm(images(), scope(params).at('n'), { train: true })
      return [output.square().sum(), runningStatistics] as const
    })(parameters())
    expect(Array.from(aux['n.num_batches_tracked']!.dataSync())).toEqual([8])
    expect(Array.from(gradient['n.running_mean']!.dataSync())).toEqual([0, 0])
    // The output's sum per channel is 4 bias, so the derivative of the sum of squares by the bias is 8 bias.
    expect(gradient['n.bias']!.dataSync()[0]).toBeCloseTo(8, 9)
    expect(gradient['n.bias']!.dataSync()[1]).toBeCloseTo(-8, 9)
  })

  it('should refuse to train on one value per channel', () => {
    expect(() => batchNorm(tensor([1, 2], [1, 2]), scope(parameters()).at('n'), { train: true })).toThrow(
      'batchNorm: n in training needs two',
    )
  })
})
