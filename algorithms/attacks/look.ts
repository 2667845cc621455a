import { type Tensor, tidy } from '../../core/index.ts'
import type { Draws } from '../randomness/draws.ts'
import { eotGradient, type WatchedLoss } from './eot.ts'
import { type LogitLoss, misclassified } from './logitLosses.ts'
import type { AttackProblem } from './problem.ts'

/** What an attack reads of the defence at some images, means over the EoT samples, per image. */
export interface Look {
  readonly loss: Float64Array
  /** Share of samples on which the image is misclassified. */
  readonly wrongShare: Float64Array
}

/** The same problem as seen without what the attacker adds to the loss, for attacks that need the logits' own differences. */
export const withoutExtraLoss = (problem: AttackProblem): AttackProblem => ({
  ...problem,
  view: (x, draws) => ({ logits: problem.view(x, draws).logits }),
})

/** The random world of a look: one per attack step and EoT sample. */
const worldOf = (problem: AttackProblem, attackStep: number, eotSample: number): Draws => problem.draws.at({ attackStep, eotSample })

const sampledLoss =
  (problem: AttackProblem, loss: LogitLoss, attackStep: number): WatchedLoss =>
  (x, eotSample) => {
    const { logits, extraLoss } = problem.view(x, worldOf(problem, attackStep, eotSample))
    const own = loss(logits, problem.labels)
    return [extraLoss ? own.add(extraLoss) : own, misclassified(logits, problem.labels)]
  }

/** Loss and errors at x, without a gradient. `attackStep` names the random world. */
export const lookAt = async (problem: AttackProblem, loss: LogitLoss, x: Tensor, attackStep: number): Promise<Look> => {
  const { eotSamples } = problem
  const sample = sampledLoss(problem, loss, attackStep)
  const seen = tidy(() => {
    // One world at a time in memory.
    let [loss, wrong] = tidy(() => sample(x, 0))
    for (let k = 1; k < eotSamples; k++) {
      const [ownLoss, ownWrong] = tidy(() => sample(x, k))
      loss = loss.add(ownLoss)
      wrong = wrong.add(ownWrong)
    }
    return { loss: loss.mul(1 / eotSamples), wrongShare: wrong.mul(1 / eotSamples) }
  })
  return readLook(seen, attackStep)
}

/** As `lookAt`, with the EoT gradient of the loss, as x. The caller disposes it. */
export const gradientAt = async (
  problem: AttackProblem,
  loss: LogitLoss,
  x: Tensor,
  attackStep: number,
): Promise<Look & { readonly gradient: Tensor }> => {
  const seen = tidy(() => {
    const { loss: mean, watched, gradient } = eotGradient(sampledLoss(problem, loss, attackStep), x, problem)
    // Any gradient that is not finite makes its sum so; a sign would hide it.
    return { loss: mean, wrongShare: watched!, gradient, sum: gradient.abs().sum([1, 2, 3]) }
  })
  const sums = await hostValues(seen.sum)
  const look = await readLook(seen, attackStep)
  sums.forEach((sum, i) => {
    if (!Number.isFinite(sum)) throw notFinite(i, 'gradient', attackStep)
  })
  return { ...look, gradient: seen.gradient }
}

/** Logits, mean over the EoT samples: row-major [batch, classes]. */
export const meanLogits = async (problem: AttackProblem, x: Tensor, attackStep: number): Promise<Float64Array> => {
  const total = tidy(() => {
    const logits = (k: number): Tensor => tidy(() => problem.view(x, worldOf(problem, attackStep, k)).logits)
    let sum = logits(0)
    for (let k = 1; k < problem.eotSamples; k++) sum = sum.add(logits(k))
    return sum.mul(1 / problem.eotSamples)
  })
  return hostValues(total)
}

const hostValues = async (t: Tensor): Promise<Float64Array> => {
  const values = Float64Array.from(await t.data())
  t.dispose()
  return values
}

const readLook = async (seen: { readonly loss: Tensor; readonly wrongShare: Tensor }, attackStep: number): Promise<Look> => {
  const look = { loss: await hostValues(seen.loss), wrongShare: await hostValues(seen.wrongShare) }
  const bad = look.loss.findIndex(Number.isNaN)
  if (bad >= 0) throw notFinite(bad, 'loss', attackStep)
  return look
}

const notFinite = (image: number, what: string, step: number): Error =>
  new Error(`attack: image ${image} of the batch has a ${what} that is not finite at step ${step}; check the model's weights`)
