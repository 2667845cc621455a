import { type Shape, ShapeError, type Tensor, tensor } from '../../core/index.ts'
import { constantOf, type Initialiser, initialise, normalWith, type ParameterShapes, scope, xavierUniform } from '../../core/nn/index.ts'
import type { Key } from '../../core/random/key.ts'
import { type EdmNetConfig, edmNetConfig } from './edmNet/config.ts'
import { type EdmConditions, embedding } from './edmNet/embedding.ts'
import { type Preconditioning, preconditioning } from './edmNet/preconditioning.ts'
import { edmUnet, edmUnetPlan, edmUnetShapes } from './edmNet/unet.ts'
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
 * The denoisers of Karras et al. 2022 (EDM): SongUNet, which is DDPM++ or NCSN++, and DhariwalUNet, which is ADM, by
 * their configurations (`edmArchitectures`), within the preconditioning vp, ve or edm. Parameter names (`model.enc.32x32_conv.weight`, ...), order and numbers are the
 * origin's; the resampling filters and random frequencies that it keeps as buffers are among the parameters.
 *
 * Throws ShapeError on images of another size, RangeError unless every sigma is above 0.
 * Deviations: resampling uses the filter of the configuration, not the copy in the state dict; the preconditioning of a
 * checkpoint is not in its state dict, so it is an option here (`precond`, default edm as published).
 */
export const createEdmNet = (given: Partial<EdmNetConfig> & Readonly<Record<string, unknown>> = {}): EdmNet => {
  const config = edmNetConfig(given)
  const plan = edmUnetPlan(config)
  const shapes = Object.fromEntries(Object.entries(edmUnetShapes(plan, config)).map(([name, shape]) => [`model.${name}`, shape]))

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
    const output = edmUnet(x.mul(scaling('cIn')), plan, { parameters, context })
    return x.mul(scaling('cSkip')).add(output.mul(scaling('cOut')))
  }

  return {
    config,
    parameterShapes: () => shapes,
    init: key => initialise(key, shapes, (name, shape) => initialiser(name, shape, config)),
    apply,
  }
}

/**
 * SongUNet: Glorot-uniform weights, those of each branch's last layer times 1e-5 and of qkv times sqrt 0.2, zero biases.
 * DhariwalUNet: uniform within 1 / sqrt(inputs), PyTorch's default, the last layer of each branch zero, classes N(0, 1).
 * Both: norms the identity.
 */
const initialiser = (name: string, shape: Shape, { resample_filter: taps, model_type }: EdmNetConfig): Initialiser | undefined => {
  if (name.endsWith('.resample_filter')) {
    const total = taps.reduce((sum, tap) => sum + tap, 0)
    return () => Float64Array.from(taps.flatMap(row => taps.map(column => (row * column) / total ** 2)))
  }
  const last = /\.(conv1|proj|out_conv|\w+_aux_conv)\.(weight|bias)$/.test(name)
  if (model_type === 'DhariwalUNet') {
    if (name.endsWith('.map_label.weight')) return normalWith(1)
    return last || name.endsWith('.map_augment.weight') ? constantOf(0) : undefined
  }
  if (name.endsWith('.freqs')) return normalWith(16)
  if (shape.length === 1) return constantOf(name.endsWith('.weight') ? 1 : 0)
  if (last) return xavierUniform(1e-5)
  return xavierUniform(name.endsWith('.qkv.weight') ? Math.sqrt(0.2) : 1)
}
