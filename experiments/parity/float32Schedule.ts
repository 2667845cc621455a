import type { Schedule } from '../../algorithms/diffusion/schedule.ts'
import { fusedMultiplyAdd } from '../../core/nn/float32Math.ts'

const f32 = Math.fround
const LANES = 8

/**
 * The linear schedule as PyTorch's float32 has it, bit for bit: evenly spaced betas counted up from the first and, in the
 * second half, down from the last, by a vector of eight at a time; products of 1 - beta kept in float64 and rounded when
 * stored. Ours is float64 throughout; the two differ by 4e-7 of abar at most.
 */
export const float32Schedule = ({ timesteps = 1000, betaStart = 1e-4, betaEnd = 0.02 } = {}): Schedule => {
  const step = f32(f32(f32(betaEnd) - f32(betaStart)) / f32(timesteps - 1))
  const betas = Float64Array.from({ length: timesteps }, (_, t) => {
    const lane = t % LANES
    const first = t - lane
    const base =
      first < Math.floor(timesteps / 2)
        ? fusedMultiplyAdd(step, first, f32(betaStart))
        : fusedMultiplyAdd(-step, timesteps - first - 1, f32(betaEnd))
    return f32(base + f32(step * lane))
  })
  let product = 1
  const alphasCumprod = betas.map(beta => {
    product *= f32(1 - beta)
    return f32(product)
  })
  return { timesteps, betas, alphasCumprod }
}
