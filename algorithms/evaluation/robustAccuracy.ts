import { ops, type Tensor, tidy } from '../../core/index.ts'
import { crossEntropy } from '../../core/nn/crossEntropy.ts'
import type { ThreatSetting } from '../attacks/dwBox.ts'
import { type PgdOptions, type PgdResult, type PgdTrace, pgd } from '../attacks/pgd.ts'
import { randomStart } from '../attacks/randomStart.ts'
import { evaluationSources, type Source } from '../randomness/drawName.ts'
import { createDraws, type Draws } from '../randomness/draws.ts'
import type { Defence } from './defence.ts'

/** Images [batch, channels, height, width] with pixels in [0,1], their labels, and their ids, which name their draws. */
export interface LabelledBatch {
  readonly images: Tensor
  readonly labels: readonly number[]
  readonly ids: readonly number[]
}

export interface EvaluationOptions {
  readonly seed: number
  readonly setting: ThreatSetting
  readonly attack: Omit<PgdOptions, 'eotSamples'> & {
    /** Runs from different starts: the image itself, then random points of the ball (for l_2 mostly of its sphere). Default 1. */
    readonly restarts?: number
    /** Whether every run starts at a random point of the ball, or the first at the image itself. Default zero. */
    readonly init?: 'zero' | 'random'
    /** Which iterate of a run counts. Default last, as in the published scripts. */
    readonly iterate?: 'last' | 'best'
    /** Fresh draws that choose between restarts. Default 10. */
    readonly selectDraws?: number
  }
  /** Fresh draws on which clean and adversarial images are judged. Default 10. */
  readonly reportDraws?: number
  /** Sources that the defence may draw. Default `evaluationSources`; a network in training mode draws `dropout` too. */
  readonly registered?: readonly Source[]
  /** Called after each attack step of the first run. */
  readonly onStep?: (xAdv: Tensor, attackStep: number) => Promise<void> | void
}

/** Per image, in the order of the batch. */
export interface BatchOutcome {
  /** Whether the clean (the adversarial) image was classified correctly, on each report draw. */
  readonly cleanCorrect: readonly (readonly boolean[])[]
  readonly advCorrect: readonly (readonly boolean[])[]
  /** Mean loss and gradient quality at each step of the first run. */
  readonly trace: readonly PgdTrace[]
  /** The adversarial images, [batch, channels, height, width]. The caller disposes it. */
  readonly xAdv: Tensor
}

/**
 * Robust accuracy of a defence in one threat setting.
 *
 * @paper E13 (one setting = one lock set over the named draws)
 *
 * The attack, the choice between restarts and the report use disjoint draws (purposes attack, select, report), so the
 * reported outcome is a fresh re-evaluation and never the score by which a perturbation was found; sources that the
 * setting locks are the same in all three. Throws RangeError on lists of different lengths and on counts below 1, Error when
 * the defence's loss or logits are not numbers.
 * Deviations: the published scripts judge each image by one draw; here by `reportDraws` (audit finding M3).
 */
export const evaluateBatch = async (defence: Defence, batch: LabelledBatch, o: EvaluationOptions): Promise<BatchOutcome> => {
  const { restarts = 1, selectDraws = 10 } = o.attack
  const { reportDraws = 10, setting, seed, registered = evaluationSources } = o
  assertBatch(batch)
  for (const [name, count] of Object.entries({ restarts, selectDraws, reportDraws })) assertCount(name, count)
  const draws = createDraws({ seed, images: batch.ids, locks: setting.locks, registered })
  const loss = (x: Tensor, world: Draws): Tensor => crossEntropy(defence(x, world), batch.labels)

  const run = async (repetition: number): Promise<PgdResult> => {
    const start =
      repetition > 0 || o.attack.init === 'random'
        ? randomStart(batch.images, draws.at({ purpose: 'attack', repetition }), o.attack)
        : undefined
    const result = await pgd(
      (x, attackStep, eotSample) => loss(x, draws.at({ purpose: 'attack', repetition, attackStep, eotSample })),
      batch.images,
      { ...o.attack, eotSamples: setting.eotSamples, start, onStep: repetition === 0 ? o.onStep : undefined },
    )
    start?.dispose()
    return result
  }

  const first = await run(0)
  let xAdv = first.xAdv
  for (let repetition = 1; repetition < restarts; repetition++) {
    const other = (await run(repetition)).xAdv
    const chosen = tidy(() => {
      const score = (x: Tensor): Tensor => meanOverDraws(selectDraws, k => loss(x, draws.at({ purpose: 'select', eotSample: k })))
      return ops.where(ops.less(score(xAdv), score(other)).reshape([-1, 1, 1, 1]), other, xAdv)
    })
    xAdv.dispose()
    other.dispose()
    xAdv = chosen
  }

  const correct = (x: Tensor) => judge(k => defence(x, draws.at({ purpose: 'report', eotSample: k })), batch.labels, reportDraws)
  return { cleanCorrect: await correct(batch.images), advCorrect: await correct(xAdv), trace: first.trace, xAdv }
}

const meanOverDraws = (count: number, sample: (k: number) => Tensor): Tensor => {
  let total = sample(0)
  for (let k = 1; k < count; k++) total = total.add(sample(k))
  return total.mul(1 / count)
}

/**
 * Whether each image's largest logit is its label's, on each of `count` draws: [image][draw]. A tie goes to the smaller class.
 * Throws Error on a logit that is NaN, which would else pass for a wrong answer.
 */
export const judge = async (logits: (k: number) => Tensor, labels: readonly number[], count: number): Promise<boolean[][]> => {
  const correct = labels.map((): boolean[] => [])
  for (let k = 0; k < count; k++) {
    const sample = tidy(() => logits(k))
    const classes = sample.shape[1]!
    const values = await sample.data()
    sample.dispose()
    labels.forEach((label, i) => {
      const row = values.subarray(i * classes, (i + 1) * classes)
      if (row.some(Number.isNaN)) {
        throw new Error(`evaluateBatch: image ${i} of the batch has a logit that is NaN on draw ${k}; check the model's weights`)
      }
      correct[i]!.push(row.indexOf(Math.max(...row)) === label)
    })
  }
  return correct
}

/** Throws RangeError when the lists of a batch differ in length. */
export const assertBatch = ({ images, labels, ids }: LabelledBatch): void => {
  if (images.shape[0] !== labels.length || labels.length !== ids.length) {
    throw new RangeError(
      `evaluateBatch: ${images.shape[0]} images, ${labels.length} labels and ${ids.length} ids; give one of each per image`,
    )
  }
}

const assertCount = (name: string, count: number): void => {
  if (!(Number.isInteger(count) && count >= 1)) {
    throw new RangeError(`evaluateBatch: ${name} must be a whole number >= 1, got ${count}; leave it out for its default`)
  }
}
