import { type Tensor, tensor } from '../../core/index.ts'
import { rbgm } from './rbgm.ts'

/**
 * How CGPO turns the summed gradients delta into noise for the mix: RBGM in the paper, and what its reviewers asked to see
 * in its place. delta, z: [batch, channels, height, width], z ~ N(0, I); tieBreak as in `rbgm`; result as delta. All throw as `rbgm` does
 * on NaN and sizes.
 */
export type NoiseMapping = (delta: Tensor, z: Tensor, o: { readonly tieBreak: ArrayLike<number> }) => Promise<Tensor>

/** A function of the values of one stretch of `length` consecutive elements, put in the place of each. */
const stretchwise = async (x: Tensor, length: number, f: (values: Float64Array) => (value: number) => number): Promise<Tensor> => {
  const values = Float64Array.from(await x.data())
  for (let first = 0; first < values.length; first += length) {
    const part = values.subarray(first, first + length)
    part.set(part.map(f(part)))
  }
  return tensor(values, x.shape, { backend: x.backend })
}

const mean = (values: Float64Array): number => values.reduce((sum, x) => sum + x, 0) / values.length
const meanSquare = (values: Float64Array): number => values.reduce((sum, x) => sum + x * x, 0) / values.length

/** delta scaled to the l_2 norm sqrt(D) that N(0, I) has, per image, D its number of elements; a constant zero stays zero. */
export const l2Normalised: NoiseMapping = delta =>
  stretchwise(delta, delta.size / delta.shape[0]!, values => {
    const rms = Math.sqrt(meanSquare(values))
    return x => (rms > 0 ? x / rms : 0)
  })

/** delta shifted and scaled to mean 0 and variance 1 per image and channel; a constant channel becomes zero. */
export const meanVarianceMatched: NoiseMapping = delta =>
  stretchwise(delta, delta.shape[2]! * delta.shape[3]!, values => {
    const centre = mean(values)
    const deviation = Math.sqrt(meanSquare(values.map(x => x - centre)))
    return x => (deviation > 0 ? (x - centre) / deviation : 0)
  })

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
