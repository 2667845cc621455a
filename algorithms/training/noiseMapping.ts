import { type Tensor, tensor } from '../../core/index.ts'
import { rbgm } from './rbgm.ts'
import { readDelta } from './readDelta.ts'

/**
 * How CGPO turns the summed gradients delta into noise for the mix: RBGM in the paper, and what its reviewers asked to see
 * in its place. delta, z: [batch, channels, height, width], z ~ N(0, I); tieBreak as in `rbgm`; result as delta. All throw as `rbgm` does
 * on NaN and sizes.
 */
export type NoiseMapping = (delta: Tensor, z: Tensor, o: { readonly tieBreak: ArrayLike<number> }) => Promise<Tensor>

/** A mapping that does the same to each stretch of consecutive elements, `lengthOf` of them. */
const stretchwise =
  (mapping: string, lengthOf: (delta: Tensor) => number, f: (values: Float64Array) => Float64Array): NoiseMapping =>
  async (delta, z, { tieBreak }) => {
    const values = Float64Array.from(await readDelta(delta, { mapping, z, tieBreak }))
    const length = lengthOf(delta)
    for (let first = 0; first < values.length; first += length) {
      const part = values.subarray(first, first + length)
      part.set(f(part))
    }
    return tensor(values, delta.shape, { backend: delta.backend })
  }

const mean = (values: Float64Array): number => values.reduce((sum, x) => sum + x, 0) / values.length
const meanSquare = (values: Float64Array): number => values.reduce((sum, x) => sum + x * x, 0) / values.length

/** delta scaled to the l_2 norm sqrt(D) that N(0, I) has, per image, D its number of elements; a constant zero stays zero. */
export const l2Normalised = stretchwise(
  'l2Normalised',
  delta => delta.size / delta.shape[0]!,
  values => {
    const rms = Math.sqrt(meanSquare(values))
    return rms > 0 ? values.map(x => x / rms) : values
  },
)

/** delta shifted and scaled to mean 0 and variance 1 per image and channel; a constant channel becomes zero. */
export const meanVarianceMatched = stretchwise(
  'meanVarianceMatched',
  delta => delta.shape[2]! * delta.shape[3]!,
  values => {
    // From the first value on, so that the mean of a constant is exact: what rounding left of it would be scaled to variance 1.
    const shifted = values.map(x => x - values[0]!)
    const centre = mean(shifted)
    const centred = shifted.map(x => x - centre)
    const deviation = Math.sqrt(meanSquare(centred))
    return deviation > 0 ? centred.map(x => x / deviation) : centred
  },
)

/** RBGM with the roles exchanged: the values of delta, matched in mean and variance, in the order of the noise. */
export const valuesInNoiseOrder: NoiseMapping = async (delta, z, o) => {
  const values = await meanVarianceMatched(delta, z, o)
  const mapped = await rbgm(z, values, o)
  values.dispose()
  return mapped
}

/** The mappings by the names that experiments and reports use. */
export const noiseMappings = { rbgm, l2Normalised, meanVarianceMatched, valuesInNoiseOrder } as const satisfies Record<string, NoiseMapping>
export type NoiseMappingName = keyof typeof noiseMappings
