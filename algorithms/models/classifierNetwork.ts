import type { Tensor } from '../../core/index.ts'
import type { ParameterShapes, TensorRecord } from '../../core/nn/index.ts'
import type { Key } from '../../core/random/key.ts'
import type { ImageInput } from './checkImages.ts'
import type { Parameters } from './types.ts'

export interface ClassifierOptions {
  /** Normalise with batch statistics, where there are any, and return the moved running ones. Default false. */
  readonly train?: boolean
  /** Turns dropout on, in training only; each layer folds its name into the key. */
  readonly dropoutKey?: Key
}

export interface ClassifierResult {
  /** [batch, classes] */
  readonly logits: Tensor
  /** Buffers after this batch, under their full names; empty outside training. */
  readonly runningStatistics: TensorRecord
}

/** An image classifier without its parameters. */
export interface ClassifierNetwork {
  /** The images that `apply` takes. */
  readonly input: ImageInput
  /** What is trained, under the names of the origin's state dict. */
  parameterShapes(): ParameterShapes
  /** Running statistics of batch normalisations; `apply` reads them from the same record as the parameters. */
  bufferShapes(): ParameterShapes
  /** Fresh parameters and buffers with the origin's initialisation. */
  init(key: Key): Parameters
  /** x: [batch, inChannels, height, width], normalised as the checkpoint expects it. */
  apply(params: Parameters, x: Tensor, o?: ClassifierOptions): ClassifierResult
}
