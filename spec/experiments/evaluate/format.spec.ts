import { describe, expect, it } from 'vitest'
import { formatAccuracy } from '../../../experiments/evaluate/format.ts'

describe('formatAccuracy', () => {
  it('should write what the published ResNet-20 has on the shared images', () => {
    const accuracy = { estimate: 827 / 1024, low: 0.7823, high: 0.8306 }
    const where = { arch: 'resnet20', data: ['a.bin', 'b.bin'], dataset: 'cifar10' }
    expect(formatAccuracy({ images: 1024, correct: 827, accuracy }, { ...where, purifier: null })).toBe(
      'resnet20 on a.bin, b.bin\naccuracy 80.76 % (827 of 1,024), 95 % interval 78.23 to 83.06 %\n',
    )
    const purifier = { purify: 'ddim', purifier: 'folder', tStar: 0.1, steps: 5, variance: 'fixedLarge' } as const
    expect(formatAccuracy({ images: 1024, correct: 827, accuracy }, { ...where, purifier })).toMatch(
      /^resnet20 behind ddim \(t\* 0\.1, 5 steps, folder\) on a\.bin/,
    )
  })
})
