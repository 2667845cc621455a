import { describe, expect, it } from 'vitest'
import { constantSchedule, cosineSchedule, multiStepSchedule, oneCycleSchedule } from '../../../core/optim/index.ts'
import { expectAllNear } from '../../support/numbers.ts'

const near = (actual: readonly number[], expected: readonly number[]): void => expectAllNear(actual, expected, 1e-14)
const values = (schedule: (step: number) => number, steps: readonly number[]): number[] => steps.map(schedule)

describe('learning-rate schedules', () => {
  it('should rise linearly from 0 and stay', () => {
    near(values(constantSchedule({ base: 2, warmUpSteps: 4 }), [0, 1, 3, 4, 100]), [0, 0.5, 1.5, 2, 2])
    expect(constantSchedule({ base: 2 })(0)).toBe(2)
  })

  it('should fall along half a cosine to 0 after the warm-up', () => {
    const schedule = cosineSchedule({ base: 4, warmUpSteps: 2, totalSteps: 10 })
    near(values(schedule, [0, 1, 2, 6, 10, 11]), [0, 2, 4, 2, 0, 0])
    near(values(schedule, [4]), [2 * (1 + Math.cos(Math.PI / 4))])
  })

  it('should go from max / 25 up to max at 30 % of the steps and down to a ten-thousandth of the start', () => {
    const schedule = oneCycleSchedule({ max: 1, totalSteps: 101, rising: 31 / 101 })
    near(values(schedule, [0, 15, 30, 65, 100]), [0.04, (1 + 0.04) / 2, 1, (1 + 4e-6) / 2, 4e-6])
  })

  it('should end at the top when every step of the cycle rises', () => {
    near(values(oneCycleSchedule({ max: 1, totalSteps: 11, rising: 1 }), [0, 5, 10, 11]), [0.04, (1 + 0.04) / 2, 1, 4e-6])
  })

  it('should multiply by the factor at every milestone', () => {
    near(values(multiStepSchedule({ base: 1, milestones: [3, 5] }), [0, 2, 3, 4, 5, 9]), [1, 1, 0.1, 0.1, 0.01, 0.01])
  })
})
