import { eotGradient } from '../../algorithms/attacks/eot.ts'
import { karrasSigmas, publishedChurn } from '../../algorithms/diffusion/edm.ts'
import { linearSchedule } from '../../algorithms/diffusion/schedule.ts'
import type { Classifier, EpsilonModel } from '../../algorithms/models/types.ts'
import { type AnyPurifier, purifyAny } from '../../algorithms/purification/anyPurifier.ts'
import { edmDenoiser, vpsdeEpsilon } from '../../algorithms/purification/discreteNetwork.ts'
import { paperTimesteps } from '../../algorithms/purification/timesteps.ts'
import { paperVpsdeTimes } from '../../algorithms/purification/vpsdeTimes.ts'
import { createDraws, type Draws } from '../../algorithms/randomness/draws.ts'
import { type Tensor, tensor, tidy, valueAndGrad } from '../../core/index.ts'
import { crossEntropy } from '../../core/nn/crossEntropy.ts'
import { normal } from '../../core/random/distributions.ts'
import { foldIn, key } from '../../core/random/key.ts'
import { splitDigits } from '../data/digits.ts'
import { digitsUnet } from '../digits/networks.ts'
import { shippedWeights } from '../digits/shippedWeights.ts'
import { classifierOf, classifierShapes, findWeights, loadParameters } from '../digits/weights.ts'
import { batchOf } from '../dwBox/runUnit.ts'

/** Every reverse process, on the shipped diffusion model of the digits. */
const purifiersOf = (epsilonTheta: EpsilonModel, steps: number): Readonly<Record<string, AnyPurifier>> => {
  const tStar = 0.15
  const schedule = linearSchedule()
  const discrete = { epsilonTheta, schedule, intervals: paperTimesteps({ tStar, steps }) }
  const continuous = { epsilonTheta: vpsdeEpsilon({ epsilonTheta, schedule }), labelScale: 1, intervals: paperVpsdeTimes({ tStar, steps }) }
  const edm = { denoiser: edmDenoiser({ epsilonTheta, schedule }), sigmas: karrasSigmas({ steps, sigmaMin: 0.02, sigmaMax: 0.5 }) }
  return {
    DDPM: { ...discrete, reverse: { kind: 'ddpm', variance: 'fixedLarge' } },
    DDIM: { ...discrete, reverse: { kind: 'ddim', eta: 0 } },
    'VPSDE, SDE': { ...continuous, reverse: { kind: 'sde' } },
    'VPSDE, flow': { ...continuous, reverse: { kind: 'flow' } },
    EDM: edm,
    'EDM, churn': { ...edm, churn: publishedChurn },
  }
}

const loadDigitsModel = (): { classifier: Classifier; epsilonTheta: EpsilonModel } => {
  const parameters = loadParameters(findWeights([shippedWeights], 'vanilla'), digitsUnet.parameterShapes())
  const classifier = classifierOf(loadParameters(findWeights([shippedWeights], 'classifier'), classifierShapes))
  return { classifier, epsilonTheta: (xT, t) => digitsUnet.apply(parameters, xT, t) }
}

const digitsBatch = (count: number) => batchOf([...splitDigits().test.slice(0, count)])

/** A gradient of one purified loss, checked on the backend it was computed on. */
export interface ExactnessCertificate {
  readonly process: string
  /** |central difference - gradient . direction| / |gradient . direction|, along one random direction. */
  readonly relativeError: number
  readonly checkpointedIsBitwise: boolean
  readonly passed: boolean
}

/** Central differences over this length are exact to about 1e-9 in float64. */
const difference = 1e-5
const exactnessLimit = 1e-5

/**
 * The gradient of CE(C(purify(x)), y) of one test image, two reverse steps, against a directional central difference; and with every
 * step recomputed. For the reference backend, which computes in float64. The image is moved into the box, so that the difference stays
 * there.
 */
export const certifyExactness = async (): Promise<ExactnessCertificate[]> => {
  const { classifier, epsilonTheta } = loadDigitsModel()
  const { images, labels, ids } = digitsBatch(1)
  const x = tidy(() => images.mul(0.8).add(0.1))
  const draws = createDraws({ seed: 0, images: ids })
  const direction = tensor(normal(foldIn(key(0), 'direction'), x.size), x.shape)
  const certificates: ExactnessCertificate[] = []
  for (const [process, purifier] of Object.entries(purifiersOf(epsilonTheta, 2))) {
    const loss = (input: Tensor, checkpointing: boolean): Tensor =>
      crossEntropy(classifier(purifyAny({ ...purifier, checkpointing }, input, draws)), labels).sum()
    const at = (shift: number): Promise<number> => tidy(() => loss(x.add(direction.mul(shift)), false)).item()
    const gradient = (checkpointing: boolean): Tensor => tidy(() => valueAndGrad((input: Tensor) => loss(input, checkpointing))(x).gradient)
    const [plain, again] = [gradient(false), gradient(true)]
    const slope = await tidy(() => plain.mul(direction).sum()).item()
    const [ahead, behind] = [await at(difference), await at(-difference)]
    const [values, repeated] = [await plain.data(), await again.data()]
    const relativeError = Math.abs((ahead - behind) / (2 * difference) - slope) / Math.abs(slope)
    const checkpointedIsBitwise = values.every((value, i) => Object.is(value, repeated[i]))
    certificates.push({ process, relativeError, checkpointedIsBitwise, passed: relativeError < exactnessLimit && checkpointedIsBitwise })
    for (const used of [plain, again]) used.dispose()
  }
  return certificates
}

/** How much of the gradient an attacker sees. */
export interface SignalCertificate {
  readonly process: string
  /** Share of pixels of the purified images at exactly 0 or 1, where the last clamp hides them. */
  readonly saturated: number
  /** Share of exact zeros in the gradient. */
  readonly zeros: number
  /** |mean gradient| / deviation of the gradient of one draw, root mean square over images: 1 means signal as large as noise. */
  readonly signalToNoise: number
  /** EoT samples after which the mean's signal is as large as its noise, and twice as large (cosine 0.71 and 0.89 with the true one). */
  readonly samplesForOne: number
  readonly samplesForTwo: number
  /** Mean cosine of the gradient under White (mean over all draws) with that of one locked world (DW_Both). */
  readonly cosineWithLocked: number
}

/**
 * Signal and noise of the gradients of `draws` worlds on test images, five reverse steps. With g_k the gradients of an image, g their mean
 * and s^2 the sum over pixels of their variance, |E g|^2 is estimated without bias by |g|^2 - s^2 / n; s^2 / |E g|^2 samples make signal
 * and noise equal.
 */
export const certifySignal = async ({ images: count = 8, draws: samples = 8 } = {}): Promise<SignalCertificate[]> => {
  const { classifier, epsilonTheta } = loadDigitsModel()
  const { images, labels, ids } = digitsBatch(count)
  const draws = createDraws({ seed: 0, images: ids, context: { purpose: 'attack' } })
  const certificates: SignalCertificate[] = []
  for (const [process, purifier] of Object.entries(purifiersOf(epsilonTheta, 5))) {
    const purified = (x: Tensor, world: Draws): Tensor => purifyAny(purifier, x, world)
    const gradients: Float64Array[] = []
    for (let k = 0; k < samples; k++) {
      const g = tidy(
        () =>
          eotGradient(x => crossEntropy(classifier(purified(x, draws.at({ eotSample: k }))), labels), images, { eotSamples: 1 }).gradient,
      )
      gradients.push(Float64Array.from(await g.data()))
      g.dispose()
    }
    const output = tidy(() => purified(images, draws))
    const pixels = await output.data()
    output.dispose()
    const all = gradients.flatMap(values => [...values])
    certificates.push({
      process,
      saturated: pixels.filter(value => value === 0 || value === 1).length / pixels.length,
      zeros: all.filter(value => value === 0).length / all.length,
      ...signalOf(gradients, count),
    })
  }
  return certificates
}

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0)

/** Signal and noise of gradients [draw][image and pixel]; the first draw stands for the locked world. */
export const signalOf = (gradients: readonly Float64Array[], images: number) => {
  const n = gradients.length
  const size = gradients[0]!.length / images
  let [signal, noise, cosine] = [0, 0, 0]
  for (let i = 0; i < images; i++) {
    const own = gradients.map(values => values.subarray(i * size, (i + 1) * size))
    const mean = (of: readonly Float64Array[]): Float64Array =>
      Float64Array.from({ length: size }, (_, p) => of.reduce((sum, values) => sum + values[p]!, 0) / of.length)
    const centre = mean(own)
    const variance = own.reduce((sum, values) => sum + values.reduce((s, value, p) => s + (value - centre[p]!) ** 2, 0), 0) / (n - 1)
    noise += variance
    signal += dot(centre, centre) - variance / n
    // The locked world is left out of the mean, which would else contain it.
    const others = mean(own.slice(1))
    const lengths = Math.sqrt(dot(others, others) * dot(own[0]!, own[0]!))
    cosine += lengths > 0 ? dot(others, own[0]!) / lengths : 0
  }
  const perSample = Math.max(0, signal) / noise
  return {
    signalToNoise: Math.sqrt(perSample),
    samplesForOne: perSample > 0 ? Math.ceil(1 / perSample) : Number.POSITIVE_INFINITY,
    samplesForTwo: perSample > 0 ? Math.ceil(4 / perSample) : Number.POSITIVE_INFINITY,
    cosineWithLocked: cosine / images,
  }
}
