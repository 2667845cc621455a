import { ops, type Tensor } from '../../../core/index.ts'
import type { NcsnppConfig } from './config.ts'

/** a + b, divided by sqrt 2 under `skip_rescale` so that the sum of two independent branches keeps their variance. */
export const sumOfBranches = (a: Tensor, b: Tensor, { skip_rescale }: NcsnppConfig): Tensor =>
  skip_rescale ? ops.addScaled(a, Math.SQRT1_2, b, Math.SQRT1_2) : a.add(b)
