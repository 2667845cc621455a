import type { MissingMode } from '../modes.ts'
import type { OpenWebgpu } from './open.ts'

/** Why an adapter cannot keep operands in half precision, and what to do; undefined when it can. */
export const missingHalf = ({ adapter, features }: Pick<OpenWebgpu, 'adapter' | 'features'>): MissingMode | undefined =>
  features.includes('shader-f16')
    ? undefined
    : {
        what: `backend gpu:webgpu:half: the adapter ${adapter} has no feature shader-f16`,
        remedy: 'use gpu:webgpu, which multiplies in float32',
      }
