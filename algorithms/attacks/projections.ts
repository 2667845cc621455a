import type { Tensor } from '../../core/index.ts'

export type Norm = 'linf' | 'l2'

/** Per-image axes of [batch, channels, height, width]. */
const imageAxes = [1, 2, 3]

/** l_2 norm per image, [batch, 1, 1, 1]. */
export const l2Norm = (x: Tensor): Tensor => x.square().sum(imageAxes, { keepDims: true }).sqrt()

/**
 * The perturbation nearest to delta (in l_2) with norm at most epsilon: clipped for l_inf, scaled for l_2.
 * delta: [batch, channels, height, width], pixel units. Throws RangeError when epsilon is negative.
 */
export const projectBall = (delta: Tensor, { norm, epsilon }: { norm: Norm; epsilon: number }): Tensor => {
  if (!(epsilon >= 0))
    throw new RangeError(`projectBall: epsilon must be >= 0, got ${epsilon}; give the radius in pixel units, such as 8/255`)
  if (norm === 'linf') return delta.clamp(-epsilon, epsilon)
  if (epsilon === 0) return delta.mul(0)
  // Dividing by exactly 1 leaves a perturbation inside the ball as it is, bit for bit.
  return delta.div(l2Norm(delta).div(epsilon).maximum(1))
}

/**
 * The adversarial image for a perturbation: inside the ball around x and inside the box of pixels [0,1].
 * x, delta: [batch, channels, height, width].
 */
export const projectImage = (x: Tensor, delta: Tensor, ball: { norm: Norm; epsilon: number }): Tensor =>
  x.add(projectBall(delta, ball)).clamp(0, 1)

/** Keeps a division by zero finite; near the smallest normal float32, so that it changes no other quotient. */
const smallest = 1e-37

/**
 * The direction of steepest ascent of unit size: sign for l_inf, g / ||g||_2 for l_2. A zero gradient gives zero.
 * gradient: [batch, channels, height, width]; result likewise, one direction per image.
 */
export const steepestDirection = (gradient: Tensor, norm: Norm): Tensor => {
  if (norm === 'linf') return gradient.sign()
  // Where the classifier is sure, gradients are so small that their squares vanish in float32; scaled by the largest they do not.
  const scaled = gradient.div(gradient.abs().max(imageAxes, { keepDims: true }).maximum(smallest))
  return scaled.div(l2Norm(scaled).maximum(smallest))
}
