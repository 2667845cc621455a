import type { Norm } from '../attacks/projections.ts'

/** Pixels of one image, or a difference of two, row-major in float64. */
export type Pixels = Float64Array

/** A plane in the space of images: a point of it and two orthonormal directions. */
export interface Plane {
  readonly origin: Pixels
  readonly axes: readonly [Pixels, Pixels]
}

const dot = (u: Pixels, v: Pixels): number => u.reduce((sum, value, i) => sum + value * v[i]!, 0)
const lengthOf = (u: Pixels): number => Math.sqrt(dot(u, u))

/** a - b. */
export const difference = (a: Pixels, b: Pixels): Pixels => Float64Array.from({ length: a.length }, (_, i) => a[i]! - b[i]!)

const unitOf = (u: Pixels): Pixels => {
  const length = lengthOf(u)
  return length > 0 ? u.map(value => value / length) : u
}

/**
 * The plane through `origin` along two directions (Gram-Schmidt): the first axis along `first`, the second along what of `second` is
 * orthogonal to it, so `second` itself has a coordinate above 0 there. A direction of length 0 gives an axis of zeros.
 */
export const planeAlong = (origin: Pixels, first: Pixels, second: Pixels): Plane => {
  const u = unitOf(first)
  const along = dot(second, u)
  return { origin, axes: [u, unitOf(second.map((value, i) => value - along * u[i]!))] }
}

/** Coordinates of an image's nearest point in the plane, and its distance from there; l_2, pixel units. */
export interface Projection {
  readonly point: readonly [number, number]
  readonly residual: number
}

export const projectOnto = ({ origin, axes: [u, v] }: Plane, x: Pixels): Projection => {
  const step = difference(x, origin)
  const [a, b] = [dot(step, u), dot(step, v)]
  return { point: [a, b], residual: lengthOf(step.map((value, i) => value - a * u[i]! - b * v[i]!)) }
}

/** The image at coordinates (a, b): origin + a u + b v. It is not clipped, so that a plane stays a plane; pixels may leave [0,1]. */
export const pointIn = ({ origin, axes: [u, v] }: Plane, [a, b]: readonly [number, number]): Pixels =>
  origin.map((value, i) => value + a * u[i]! + b * v[i]!)

/** l_2 length of the longest perturbation in the ball, the unit of a landscape: epsilon sqrt(pixels) for l_inf, epsilon for l_2. */
export const longestPerturbation = (norm: Norm, epsilon: number, pixels: number): number =>
  norm === 'linf' ? epsilon * Math.sqrt(pixels) : epsilon
