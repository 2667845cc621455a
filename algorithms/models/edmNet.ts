import { type Shape, ShapeError, type Tensor, tensor } from '../../core/index.ts'
import { constantOf, type Initialiser, initialise, normalWith, type ParameterShapes, scope, xavierUniform } from '../../core/nn/index.ts'
import type { Key } from '../../core/random/key.ts'
import { type EdmNetConfig, edmNetConfig } from './edmNet/config.ts'
import { type EdmConditions, embedding } from './edmNet/embedding.ts'
import { type Preconditioning, preconditioning } from './edmNet/preconditioning.ts'
import { songUnet, songUnetPlan, songUnetShapes } from './edmNet/songUnet.ts'
import type { Parameters } from './types.ts'

export { type EdmNetConfig, edmArchitectures } from './edmNet/config.ts'

export interface EdmNetOptions extends EdmConditions {
  /** Turns dropout on (training); each layer folds its name into the key. */
  readonly dropoutKey?: Key
}

export interface EdmNet {
  readonly config: EdmNetConfig
  /** All parameters and filters, in the order of the published state dict. */
  parameterShapes(): ParameterShapes
  /** Fresh parameters with the origin's initialisation. */
  init(key: Key): Parameters
  /**
   * The denoiser D(x; sigma): the expected clean image given x = image + sigma n.
   * x: [batch, img_channels, img_resolution, img_resolution], images in [-1,1]; sigma: one noise level above 0 per image; result as x.
   */
  apply(params: Parameters, x: Tensor, sigma: readonly number[], o?: EdmNetOptions): Tensor
}

/**
 * The denoisers of Karras et al. 2022 (EDM): SongUNet, which is DDPM++ or NCSN++ by its configuration (`edmArchitectures`),
 * within the preconditioning vp, ve or edm. Parameter names (`model.enc.32x32_conv.weight`, ...), order and numbers are the
 * origin's; the resampling filters and random frequencies that it keeps as buffers are among the parameters.
 *
 * Throws ShapeError on images of another size, RangeError unless every sigma is above 0.
 * Deviations: resampling uses the filter of the configuration, not the copy in the state dict; the preconditioning of a
 * checkpoint is not in its state dict, so it is an option here (`precond`, default edm as published).
 */
export const createEdmNet = (given: Partial<EdmNetConfig> & Readonly<Record<string, unknown>> = {}): EdmNet => {
  const config = edmNetConfig(given)
  const plan = songUnetPlan(config)
  const shapes = Object.fromEntries(Object.entries(songUnetShapes(plan, config)).map(([name, shape]) => [`model.${name}`, shape]))

  const checkInput = (x: Tensor, sigma: readonly number[]): void => {
    const { img_channels: channels, img_resolution: side } = config
    if (x.rank !== 4 || x.shape[1] !== channels || x.shape[2] !== side || x.shape[3] !== side) {
      throw new ShapeError(`edmNet: x must be [batch,${channels},${side},${side}], got [${x.shape}]; resize it or set img_resolution`)
    }
    if (sigma.length !== x.shape[0])
      throw new ShapeError(`edmNet: ${x.shape[0]} images need as many noise levels, got ${sigma.length}; give one per image`)
  }

  const apply: EdmNet['apply'] = (params, x, sigma, o = {}) => {
    checkInput(x, sigma)
    const parameters = scope(params).at('model')
    const levels = sigma.map(value => preconditioning(value, config))
    const scaling = (name: keyof Preconditioning): Tensor =>
      tensor(
        levels.map(level => level[name]),
        [levels.length, 1, 1, 1],
      )
    const cNoise = levels.map(level => level.cNoise)
    const context = { config, embedding: embedding(cNoise, o, { parameters, config }), dropoutKey: o.dropoutKey }
    const output = songUnet(x.mul(scaling('cIn')), plan, { parameters, context })
    return x.mul(scaling('cSkip')).add(output.mul(scaling('cOut')))
  }

  return {
    config,
    parameterShapes: () => shapes,
    init: key => initialise(key, shapes, (name, shape) => initialiser(name, shape, config)),
    apply,
  }
}

/** Glorot-uniform weights, those of each branch's last layer times 1e-5 and of qkv times sqrt 0.2; biases zero, norms the identity. */
const initialiser = (name: string, shape: Shape, { resample_filter: taps }: EdmNetConfig): Initialiser => {
  if (name.endsWith('.resample_filter')) {
    const total = taps.reduce((sum, tap) => sum + tap, 0)
    return () => Float64Array.from(taps.flatMap(row => taps.map(column => (row * column) / total ** 2)))
  }
  if (name.endsWith('.freqs')) return normalWith(16)
  if (shape.length === 1) return constantOf(name.endsWith('.weight') ? 1 : 0)
  if (/\.(conv1|proj|\w+_aux_conv)\.weight$/.test(name)) return xavierUniform(1e-5)
  return xavierUniform(name.endsWith('.qkv.weight') ? Math.sqrt(0.2) : 1)
}
