import { faithfulTimesteps, paperTimesteps, type ReverseInterval } from '../../algorithms/purification/timesteps.ts'
import type { Reading } from './readings.ts'

/** The timesteps of a reading. The scripts take a spacing of the whole schedule, from which t* cuts about `steps` and one more. */
export const readTimesteps = (
  { timesteps }: Pick<Reading, 'timesteps'>,
  { tStar, steps }: { readonly tStar: number; readonly steps: number },
): ReverseInterval[] =>
  timesteps === 'paper' ? paperTimesteps({ tStar, steps }) : faithfulTimesteps({ tStar, inferenceSteps: Math.round(steps / tStar) })
