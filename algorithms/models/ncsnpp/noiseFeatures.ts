import { ops, type Tensor, tensor } from '../../../core/index.ts'
import { cos32, exp32, sin32 } from '../../../core/nn/float32Math.ts'
import { linear, linearShapes } from '../../../core/nn/index.ts'
import type { NcsnppConfig } from './config.ts'
import type { ModuleList, NcsnppRun } from './modules.ts'

const f32 = Math.fround

/**
 * sin(t f_i), then cos(t f_i), with f_i = 10000^(-i / (dim/2 - 1)), in float32 operation by operation as the origin. It folds
 * log(10000) / (dim/2 - 1) into one factor first, so its frequencies differ from those of core/nn in the last place, which
 * moves an angle near t = 999 by up to 3e-5. t: one number per image, |t| < 4000; result [batch, dim].
 */
export const sinusoidalFeatures = (t: readonly number[], dim: number): Tensor => {
  const half = Math.floor(dim / 2)
  const values = new Float64Array(t.length * dim)
  const factor = f32(-Math.log(10000) / (half - 1))
  for (let i = 0; i < half; i++) {
    const frequency = exp32(f32(i * factor))
    t.forEach((time, image) => {
      const angle = f32(f32(time) * frequency)
      values[image * dim + i] = sin32(angle)
      values[image * dim + half + i] = cos32(angle)
    })
  }
  return tensor(values, [t.length, dim])
}

/** sin and cos of 2 pi w log(sigma) for the random frequencies w of the checkpoint (Tancik et al. 2020). */
const fourierFeatures = (sigma: readonly number[], frequencies: Tensor): Tensor => {
  const angles = tensor(
    sigma.map(value => 2 * Math.PI * Math.log(value)),
    [sigma.length, 1],
  ).mul(frequencies.reshape([1, frequencies.size]))
  return ops.concat([ops.sin(angles), ops.cos(angles)], 1)
}

/** Features of the noise levels, one per image: [batch, 4 nf], undefined in an unconditional network. */
export type NoiseFeatures = (t: readonly number[], run: Pick<NcsnppRun, 'parameters'>) => Tensor | undefined

/** Embedding and two linear maps with silu after each; t is log-scaled under `fourier`. Takes the first modules of the list. */
export const noiseFeatures = (modules: ModuleList, config: NcsnppConfig): NoiseFeatures => {
  const fourier = config.embedding_type === 'fourier' ? modules.add({ shapes: name => ({ [`${name}.W`]: [config.nf] }) }) : undefined
  if (!config.conditional) return () => undefined
  const embedded = fourier ? 2 * config.nf : config.nf
  const first = modules.add({ shapes: name => linearShapes(name, embedded, 4 * config.nf) })
  const second = modules.add({ shapes: name => linearShapes(name, 4 * config.nf, 4 * config.nf) })
  return (t, given) => {
    const run = { ...given, timeFeatures: undefined, dropoutKey: undefined }
    const raw = fourier ? fourierFeatures(t, fourier(run).get('W')) : sinusoidalFeatures(t, config.nf)
    return ops.silu(linear(ops.silu(linear(raw, first(run))), second(run)))
  }
}
