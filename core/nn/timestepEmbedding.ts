import { type Tensor, tensor } from '../index.ts'
import { cos32, exp32, sin32 } from './float32Math.ts'

export interface TimestepEmbeddingOptions {
  /** Cosines first. Default false: sines first, as Ho et al. 2020. */
  readonly flipSinToCos?: boolean
  /** Subtracted from the number of frequencies in the exponent's denominator. Default 1, as Ho et al. 2020. */
  readonly freqShift?: number
  readonly maxPeriod?: number
}

/**
 * Sinusoidal embedding of timesteps: sin(t f_i) and cos(t f_i), f_i = maxPeriod^(-i / (dim/2 - freqShift)).
 * t: one timestep per image; result [batch, dim], zero in the last column when dim is odd.
 *
 * Computed on the host in float32, operation by operation: published networks were trained on, and their numbers measured
 * with, exactly this rounding, which moves an angle near t = 999 by up to 3e-5. |t| < 4000.
 */
export const timestepEmbedding = (t: readonly number[], dim: number, o: TimestepEmbeddingOptions = {}): Tensor => {
  const { flipSinToCos = false, freqShift = 1, maxPeriod = 10000 } = o
  const f32 = Math.fround
  const half = Math.floor(dim / 2)
  const frequencies = Array.from({ length: half }, (_, i) => exp32(f32(f32(f32(-Math.log(maxPeriod)) * i) / f32(half - freqShift))))
  const values = new Float64Array(t.length * dim)
  t.forEach((time, image) => {
    const row = values.subarray(image * dim, (image + 1) * dim)
    // The images of a batch mostly share their timestep.
    const earlier = t.indexOf(time)
    if (earlier >= 0 && earlier < image) {
      row.set(values.subarray(earlier * dim, (earlier + 1) * dim))
      return
    }
    for (const [i, frequency] of frequencies.entries()) {
      const angle = f32(f32(time) * frequency)
      row[i + (flipSinToCos ? half : 0)] = sin32(angle)
      row[i + (flipSinToCos ? 0 : half)] = cos32(angle)
    }
  })
  return tensor(values, [t.length, dim])
}
