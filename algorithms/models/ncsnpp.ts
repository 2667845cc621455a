import { type Shape, ShapeError, type Tensor, tensor } from '../../core/index.ts'
import {
  constantOf,
  type DropoutKey,
  type Initialiser,
  initialise,
  normalWith,
  type ParameterShapes,
  scope,
  xavierUniform,
} from '../../core/nn/index.ts'
import type { Key } from '../../core/random/key.ts'
import { type NcsnppConfig, ncsnppConfig } from './ncsnpp/config.ts'
import { decoder } from './ncsnpp/decoder.ts'
import { encoder } from './ncsnpp/encoder.ts'
import { createModuleList } from './ncsnpp/modules.ts'
import { noiseFeatures } from './ncsnpp/noiseFeatures.ts'
import type { Parameters } from './types.ts'

export type { NcsnppConfig } from './ncsnpp/config.ts'

export interface NcsnppOptions {
  /** Turns dropout on (training); each layer folds its name into the key. */
  readonly dropoutKey?: DropoutKey
}

export interface Ncsnpp {
  readonly config: NcsnppConfig
  /** All parameters, in the order of the published state dict. */
  parameterShapes(): ParameterShapes
  /** Fresh parameters with the origin's initialisation. */
  init(key: Key): Parameters
  /**
   * The network at noise labels t, one per image: 999 times the time of the VP SDE under `positional`, sigma under `fourier`.
   * x: [batch, num_channels, image_size, image_size]; result as x.
   */
  apply(params: Parameters, x: Tensor, t: readonly number[], o?: NcsnppOptions): Tensor
}

/**
 * NCSN++ and DDPM++ of Song et al. 2021 (score_sde): a UNet of residual blocks with attention, optionally low-passed (FIR)
 * resampling, and input and output that grow over the levels. DDPM++ with the VP SDE is the purifier of DiffPure.
 * Any configuration of `ncsnpp/config.ts`; parameter names (`all_modules.N...`), order and numbers are the origin's.
 *
 * Throws ShapeError on images of another size: attention is placed by image_size.
 * Deviations: progressive `residual` with FIR follows the TensorFlow original, since the PyTorch port cannot run it; the
 * random frequencies of `fourier` are a parameter, which the origin does not train; `dropout` is off without a key (the
 * published purifier leaves it on, audit finding H1).
 */
export const createNcsnpp = (given: Partial<NcsnppConfig> & Readonly<Record<string, unknown>> = {}): Ncsnpp => {
  const config = ncsnppConfig(given)
  const modules = createModuleList()
  const featuresOf = noiseFeatures(modules, config)
  const down = encoder(modules, config)
  const up = decoder(modules, config, down.channels)

  const checkInput = (x: Tensor, t: readonly number[]): void => {
    const { num_channels: channels, image_size: size } = config
    if (x.rank !== 4 || x.shape[1] !== channels || x.shape[2] !== size || x.shape[3] !== size) {
      throw new ShapeError(`ncsnpp: x must be [batch,${channels},${size},${size}], got [${x.shape}]; resize it or set image_size`)
    }
    if (t.length !== x.shape[0])
      throw new ShapeError(`ncsnpp: ${x.shape[0]} images need as many noise labels, got ${t.length}; give one per image`)
  }

  const apply: Ncsnpp['apply'] = (params, x, t, o = {}) => {
    checkInput(x, t)
    const parameters = scope(params)
    const run = { parameters, timeFeatures: featuresOf(t, { parameters }), dropoutKey: o.dropoutKey }
    const output = up.apply(down.apply(config.centered ? x : x.mul(2).sub(1), run), run)
    return config.scale_by_sigma ? output.div(tensor(sigmasOf(config, t), [t.length, 1, 1, 1])) : output
  }

  return {
    config,
    parameterShapes: () => modules.shapes,
    init: key => initialise(key, modules.shapes, (name, shape) => initialiser(name, shape, { config, scale: modules.scales[name] ?? 1 })),
    apply,
  }
}

/** Noise levels the labels stand for: themselves under `fourier`, else steps of a geometric series from sigma_max down. */
const sigmasOf = ({ embedding_type, sigma_min, sigma_max, num_scales }: NcsnppConfig, t: readonly number[]): readonly number[] =>
  embedding_type === 'fourier' ? t : t.map(label => sigma_max * (sigma_min / sigma_max) ** (Math.floor(label) / (num_scales - 1)))

/** Weights uniform with variance scale / mean of fan-in and fan-out (0 standing for 1e-10), biases zero, norms the identity. */
const initialiser = (name: string, shape: Shape, { config, scale }: { config: NcsnppConfig; scale: number }): Initialiser => {
  if (shape.length > 1) return xavierUniform(Math.sqrt(scale || 1e-10))
  if (name.endsWith('.W')) return normalWith(config.fourier_scale)
  return constantOf(name.endsWith('.weight') ? 1 : 0)
}

/** A published state dict under the present names: without `module.` of data-parallel training and the table of noise levels. */
export const renameNcsnppParameters = <T>(tensors: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(
    Object.entries(tensors)
      .map(([name, value]) => [name.replace(/^module\./, ''), value] as const)
      .filter(([name]) => name !== 'sigmas'),
  )
