import fc from 'fast-check'
import { type Tensor, tensor, tidy } from '../../../core/index.ts'

/** Strides t > s >= -1 of the schedule with 1000 timesteps; s = -1 is the clean image. */
export const strides = fc.tuple(fc.nat(999), fc.nat(1000)).map(([t, s]) => ({ t, s: (s % (t + 1)) - 1 }))
/** Strides that do not end at the clean image. */
export const innerStrides = fc.tuple(fc.integer({ min: 1, max: 999 }), fc.nat(1000)).map(([t, s]) => ({ t, s: s % t }))

const pixel = (value: number): Tensor => tensor([value], [1, 1, 1, 1])

/** What a step that is linear (no clipping) makes of x_t, epsilonTheta and z: its three coefficients. Synchronous backends only. */
export const coefficients = (step: (xT: Tensor, epsilon: Tensor, z: () => Tensor) => Tensor): number[] =>
  [0, 1, 2].map(k => tidy(() => step(pixel(k === 0 ? 1 : 0), pixel(k === 1 ? 1 : 0), () => pixel(k === 2 ? 1 : 0)).dataSync()[0]!))

export const mustNotDraw = (): Tensor => {
  throw new Error('this step must not draw noise')
}
