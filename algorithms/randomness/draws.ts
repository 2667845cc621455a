import { normal, randint, uniform } from '../../core/random/distributions.ts'
import { foldIn, type Key, key } from '../../core/random/key.ts'
import { type Tensor, tensor } from '../../core/tensor.ts'
import { type DrawContext, type DrawName, type DrawPlace, evaluationSources, type Source } from './drawName.ts'
import { type LockSet, white } from './lockSets.ts'

/**
 * The random draws of a batch of images, each by its name (see drawName.ts). Immutable: the same call always gives the same
 * values, bit for bit, on every backend and for every split and order of the batch.
 *
 * A name is one draw, so two calls with one name repeat each other; several draws of a source at one step need each their `part`.
 */
export interface Draws {
  /** Ids of the batch's images, in order; one id may occur twice and then draws the same values twice. */
  readonly images: readonly number[]
  readonly context: DrawContext
  /** The same draws in another context. */
  at(context: Partial<DrawContext>): Draws
  /** The same draws for another batch. */
  forImages(images: readonly number[]): Draws
  /** The key of one image's draw, for whatever the methods below do not draw. */
  key(source: Source, image: number, place?: Partial<DrawPlace>): Key
  /** Standard normal values, shape [images.length, ...perImageShape]. */
  normal(source: Source, perImageShape: readonly number[], place?: Partial<DrawPlace>): Tensor
  /** Uniform values in [0, 1), shape [images.length, ...perImageShape]. */
  uniform(source: Source, perImageShape: readonly number[], place?: Partial<DrawPlace>): Tensor
  /** What `normal` puts into its tensor, row-major, in float64. */
  normalValues(source: Source, perImageShape: readonly number[], place?: Partial<DrawPlace>): Float64Array
  /** What `uniform` puts into its tensor. */
  uniformValues(source: Source, perImageShape: readonly number[], place?: Partial<DrawPlace>): Float64Array
  /** One integer in [low, high) per image, such as a training timestep. */
  integers(source: Source, range: { readonly low: number; readonly high: number }, place?: Partial<DrawPlace>): Int32Array
}

export interface DrawsOptions {
  readonly seed: number
  readonly images: readonly number[]
  /** Default White: nothing is locked. */
  readonly locks?: LockSet
  /** Sources that may be drawn; default `evaluationSources`. Drawing any other throws. */
  readonly registered?: readonly Source[]
  /** Default: purpose `report`, all counters 0. */
  readonly context?: Partial<DrawContext>
}

/** Throws RangeError on a seed, image id or counter that is not an integer in [0, 2^53). */
export const createDraws = (options: DrawsOptions): Draws => {
  const { locks = white, registered = evaluationSources } = options
  const root = key(options.seed)
  const branches = new Map<string, Key>()

  /** The key shared by all draws of one source and purpose: strings are folded once, numbers for each draw. */
  const branchKey = (source: Source, purpose: string): Key => {
    const branch = `${source}/${purpose}`
    let found = branches.get(branch)
    if (!found) {
      found = foldIn(foldIn(root, source), purpose)
      branches.set(branch, found)
    }
    return found
  }

  const nameKey = (name: DrawName): Key => {
    if (!registered.includes(name.source)) {
      throw new Error(
        `draws: source "${name.source}" is not registered (registered: ${registered.join(', ')}); ` +
          'switch off what draws it, such as dropout in evaluation, or name it in createDraws({ registered })',
      )
    }
    const locked = locks(name)
    const place = foldIn(foldIn(branchKey(name.source, locked ? 'locked' : name.purpose), name.image), name.diffusionStep)
    const part = name.part === '' ? place : foldIn(place, name.part)
    return locked ? part : foldIn(foldIn(foldIn(part, name.repetition), name.attackStep), name.eotSample)
  }

  const drawsOf = (images: readonly number[], context: DrawContext): Draws => {
    const { purpose, repetition, attackStep, eotSample } = context
    const keyOf = (source: Source, image: number, { diffusionStep = 0, part = '' }: Partial<DrawPlace> = {}): Key =>
      nameKey({ source, image, purpose, repetition, attackStep, eotSample, diffusionStep, part })

    const valuesOf =
      (distribution: (key: Key, count: number) => Float64Array) =>
      (source: Source, perImageShape: readonly number[], place?: Partial<DrawPlace>): Float64Array => {
        const count = perImageShape.reduce((size, length) => size * length, 1)
        const values = new Float64Array(images.length * count)
        images.forEach((image, i) => {
          values.set(distribution(keyOf(source, image, place), count), i * count)
        })
        return values
      }
    const normalValues = valuesOf(normal)
    const uniformValues = valuesOf(uniform)

    return {
      images,
      context,
      at: change => drawsOf(images, { ...context, ...change }),
      forImages: other => drawsOf(other, context),
      key: keyOf,
      normal: (source, perImageShape, place) => tensor(normalValues(source, perImageShape, place), [images.length, ...perImageShape]),
      uniform: (source, perImageShape, place) => tensor(uniformValues(source, perImageShape, place), [images.length, ...perImageShape]),
      normalValues,
      uniformValues,
      integers: (source, { low, high }, place) => Int32Array.from(images, image => randint(keyOf(source, image, place), 1, low, high)[0]!),
    }
  }

  return drawsOf(options.images, { purpose: 'report', repetition: 0, attackStep: 0, eotSample: 0, ...options.context })
}
