import { ops, type Tensor, tidy } from '../../core/index.ts'
import { normalQuantile } from '../../core/random/normalQuantile.ts'
import type { Denoiser } from '../baselines/affineDenoiser.ts'
import type { Classifier } from '../models/types.ts'
import type { Draws } from '../randomness/draws.ts'
import type { Defence } from './defence.ts'
import { clopperPearsonLower } from './statistics/clopperPearson.ts'
import { mcnemar } from './statistics/mcnemar.ts'

export interface SmoothingOptions {
  /** Deviation of the noise, pixels of [0,1]. */
  readonly sigma: number
  /** Noises on which the answer is counted. The paper takes 100,000. */
  readonly samples: number
  /** Probability that an answer or a certificate is wrong. The paper's 0.001 by default. */
  readonly alpha?: number
}

export interface Certificate {
  /** What the smoothed classifier answers within `radius`; null: it abstains. */
  readonly answer: number | null
  /** l_2, pixels of [0,1]; 0 when it abstains. */
  readonly radius: number
  /** Lower confidence bound of the probability of the class that was guessed. */
  readonly probability: number
}

/** The base classifier of denoised smoothing: denoise the noisy image, then classify (Salman et al. 2020). */
export const denoisedClassifier =
  (denoiser: Denoiser, classifier: Classifier): Defence =>
  x =>
    classifier(denoiser(x))

/**
 * How often a base classifier f gives each class on x + sigma n: [image][class], `samples` in each row.
 * Draws `smoothing` once per sample, named by its EoT sample; f gets the same context. The noisy image is not clamped, which the
 * certificate does not allow for. Throws Error on a logit that is NaN. A tie of logits goes to the smaller class.
 */
export const noisyCounts = async (
  f: Defence,
  x: Tensor,
  draws: Draws,
  { sigma, samples }: Pick<SmoothingOptions, 'sigma' | 'samples'>,
): Promise<number[][]> => {
  assertCounts('noisyCounts', sigma, samples)
  const counts: number[][] = []
  for (let k = 0; k < samples; k++) {
    const sample = draws.at({ eotSample: k })
    const logits = tidy(() => f(ops.addScaled(x, 1, sample.normal('smoothing', x.shape.slice(1)), sigma), sample))
    const classes = logits.shape[1]!
    const values = await logits.data()
    logits.dispose()
    draws.images.forEach((id, i) => {
      const row = values.subarray(i * classes, (i + 1) * classes)
      if (row.some(Number.isNaN))
        throw new Error(`noisyCounts: image ${id} has a logit that is NaN on draw ${k}; check the model's weights`)
      counts[i] ??= new Array<number>(classes).fill(0)
      counts[i][row.indexOf(Math.max(...row))]!++
    })
  }
  return counts
}

/**
 * CERTIFY of Cohen, Rosenfeld and Kolter (2019) for a batch of images: the smoothed classifier g(x) = argmax_c P(f(x + sigma n) = c)
 * answers c on the whole l_2 ball of radius
 *
 *   R = sigma Phi^-1(pLow),   pLow = Clopper-Pearson lower bound at 1 - alpha of P(f(x + sigma n) = c)
 *
 * or abstains where pLow <= 1/2. The class is guessed on `selection` draws (purpose select), the probability bounded on
 * `samples` others (purpose report). Each certificate is wrong with probability at most alpha. f may draw noise of its own:
 * the theorem is about the probabilities, whatever they average over.
 * x: [batch, channels, height, width], pixels in [0,1]. Throws RangeError on a sigma, count or alpha out of range.
 */
export const certify = async (
  f: Defence,
  x: Tensor,
  draws: Draws,
  { sigma, samples, selection = 100, alpha = 0.001 }: SmoothingOptions & { readonly selection?: number },
): Promise<Certificate[]> => {
  const guessed = await noisyCounts(f, x, draws.at({ purpose: 'select' }), { sigma, samples: selection })
  const counted = await noisyCounts(f, x, draws.at({ purpose: 'report' }), { sigma, samples })
  return counted.map((counts, i): Certificate => {
    const answer = largest(guessed[i]!)
    const probability = clopperPearsonLower(counts[answer]!, samples, alpha)
    return probability > 0.5
      ? { answer, radius: sigma * normalQuantile(probability), probability }
      : { answer: null, radius: 0, probability }
  })
}

/**
 * PREDICT of the same paper: the smoothed classifier's answer, or null where the two most frequent classes are too close,
 * that is where an exact two-sided test of equal probabilities does not reject at alpha. Draws of purpose report.
 * The answer is not that of g with probability at most alpha.
 */
export const predict = async (
  f: Defence,
  x: Tensor,
  draws: Draws,
  { sigma, samples, alpha = 0.001 }: SmoothingOptions,
): Promise<(number | null)[]> => {
  const counted = await noisyCounts(f, x, draws.at({ purpose: 'report' }), { sigma, samples })
  return counted.map(counts => {
    const first = largest(counts)
    const second = Math.max(...counts.filter((_, c) => c !== first))
    // The fair coin between two classes is McNemar's of two defences.
    return mcnemar({ onlyFirst: counts[first]!, onlySecond: second }).exact <= alpha ? first : null
  })
}

/** Share of images that are answered rightly on a ball of at least `radius`. */
export const certifiedAccuracy = (certificates: readonly Certificate[], labels: readonly number[], radius: number): number =>
  certificates.filter((certificate, i) => certificate.answer === labels[i] && certificate.radius >= radius).length / labels.length

const largest = (counts: readonly number[]): number => counts.indexOf(Math.max(...counts))

const assertCounts = (operation: string, sigma: number, samples: number): void => {
  if (!(sigma > 0 && Number.isInteger(samples) && samples >= 1)) {
    throw new RangeError(
      `${operation}: needs sigma > 0 and a whole number of samples >= 1, got ${sigma} and ${samples}; 0.25 and 1000 are usual`,
    )
  }
}
