import { describe, expect, it } from 'vitest'
import { linearSchedule } from '../../../algorithms/diffusion/schedule.ts'
import type { EpsilonModel } from '../../../algorithms/models/types.ts'
import { purify } from '../../../algorithms/purification/purify.ts'
import { paperTimesteps } from '../../../algorithms/purification/timesteps.ts'
import { createDraws } from '../../../algorithms/randomness/draws.ts'
import { createCpu } from '../../../core/backends/cpu/cpu.ts'
import { dispose, grad, ops, type Tensor, tensor, withBackend } from '../../../core/index.ts'

const values = (shape: readonly number[], seed: number): Tensor =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => 0.3 * Math.sin(seed + i)),
    shape,
  )

/** Bytes of an image, and of one of the 16 activations that a step has. */
const shape = [1, 3, 8, 8]
const imageBytes = 4 * 3 * 8 * 8
const activationBytes = 4 * 16 * 8 * 8

/** High-water mark of the memory over the exact gradient through a purifier. */
const peakOfGradient = (steps: number, checkpointing: boolean): number => {
  const backend = createCpu({ maximumPages: 256 })
  withBackend(backend, () => {
    const [first, middle, last] = [values([16, 3, 3, 3], 1), values([16, 16, 3, 3], 2), values([3, 16, 3, 3], 3)]
    const epsilonTheta: EpsilonModel = x => {
      let h = ops.conv2d(x, first!, { padding: 1 })
      for (let layer = 0; layer < 8; layer++) h = ops.conv2d(ops.silu(h), middle!, { padding: 1 })
      return ops.conv2d(h, last!, { padding: 1 })
    }
    const purifier = {
      epsilonTheta,
      schedule: linearSchedule(),
      intervals: paperTimesteps({ tStar: 0.1, steps }),
      reverse: { kind: 'ddpm', variance: 'fixedLarge' } as const,
      checkpointing,
    }
    const draws = createDraws({ seed: 0, images: [0] })
    const x = values(shape, 0)
    dispose([grad((t: Tensor) => purify(purifier, t, draws).square().sum())(x), x, first, middle, last])
  })
  expect(backend.memory().bytesLive).toBe(0)
  return backend.memory().bytesPeak
}

describe('memory of the exact gradient through a purifier', () => {
  it('should grow by one image per step when each step is computed again, and by all its activations when not', () => {
    const [four, eight, twenty] = [4, 8, 20].map(steps => peakOfGradient(steps, true))
    expect(eight! - four!).toBe(4 * imageBytes)
    expect(twenty! - eight!).toBe(12 * imageBytes)
    expect(peakOfGradient(8, false) - peakOfGradient(4, false)).toBeGreaterThan(4 * 16 * activationBytes)
  })
})
