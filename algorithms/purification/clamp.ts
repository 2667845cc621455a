import { ops, stopGradient, type Tensor } from '../../core/index.ts'

/** x limited to [low, high]. */
export type Clamp = (x: Tensor, low: number, high: number) => Tensor

/** How a clamp is differentiated: by its derivative (0 where it saturates), or straight through (1 everywhere). */
export type ClampGradient = 'exact' | 'straightThrough'

/**
 * A clamp with the gradient of the identity: the same values (only -0 becomes 0), but no pixel is hidden from the attacker because
 * it saturates (audit finding M2). x must be finite.
 */
export const clampStraightThrough: Clamp = (x, low, high) => stopGradient(x.clamp(low, high)).add(x.sub(stopGradient(x)))

export const clampOf = (gradient: ClampGradient): Clamp => (gradient === 'exact' ? ops.clamp : clampStraightThrough)
