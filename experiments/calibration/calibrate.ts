import type { ThreatSetting } from '../../algorithms/attacks/dwBox.ts'
import { type AttackName, attackPresets } from '../../algorithms/attacks/presets.ts'
import type { Defence } from '../../algorithms/evaluation/defence.ts'
import { evaluateEnsemble } from '../../algorithms/evaluation/evaluateEnsemble.ts'
import { type EvaluationOptions, evaluateBatch, type LabelledBatch } from '../../algorithms/evaluation/robustAccuracy.ts'
import { meanInterval } from '../../algorithms/evaluation/statistics/meanInterval.ts'
import { wilson } from '../../algorithms/evaluation/statistics/wilson.ts'
import { lockSets } from '../../algorithms/randomness/lockSets.ts'
import { coinDefence, constantDefence, idleAttack, knownBatch, plantedDefence } from './defences.ts'

/** A measurement whose true value is known. */
export interface Calibration {
  readonly name: string
  /** Whose number it is: this project's evaluator, or a published protocol. */
  readonly evaluator: 'ours' | 'published'
  readonly truth: number
  readonly measured: { readonly mean: number; readonly low: number; readonly high: number; readonly trials: number }
  /** What is expected: the truth itself where nothing is random, else within the interval; of a protocol known to be biased, above it. */
  readonly expected: 'exact' | 'unbiased' | 'tooLow'
  readonly passed: boolean
}

const whiteBox: ThreatSetting = { name: 'White', locks: lockSets.White, eotSamples: 1 }
const attack = { norm: 'linf', epsilon: 0.1, stepSize: 0.025, steps: 8 } as const
const seed = 0

/** 99.99 %: about one false alarm in a thousand audits, over all rows. */
const confidence = 0.9999
const rounding = 1e-12

/** Whether a measured number is what is expected of it. */
export const meetsExpectation = ({ truth, measured, expected }: Omit<Calibration, 'passed'>): boolean => {
  if (expected === 'exact') return Math.abs(measured.mean - truth) < rounding
  return expected === 'unbiased' ? truth >= measured.low && truth <= measured.high : truth > measured.high
}

const judged = (row: Omit<Calibration, 'passed'>): Calibration => ({ ...row, passed: meetsExpectation(row) })

const ofOutcomes = (outcomes: readonly (readonly boolean[])[]): Calibration['measured'] => {
  const { estimate, low, high } = meanInterval(outcomes, confidence)
  return { mean: estimate, low, high, trials: outcomes.flat().length }
}

/** One draw where nothing is random, and then the number is exact. */
const ours = async (
  name: string,
  truth: number,
  {
    defence,
    batch,
    more = {},
    reportDraws = 1,
  }: { defence: Defence; batch: LabelledBatch; more?: Partial<EvaluationOptions['attack']>; reportDraws?: number },
): Promise<Calibration> => {
  const { advCorrect, xAdv } = await evaluateBatch(defence, batch, { seed, setting: whiteBox, attack: { ...attack, ...more }, reportDraws })
  xAdv.dispose()
  const expected = reportDraws === 1 ? 'exact' : 'unbiased'
  return judged({ name, evaluator: 'ours', truth, measured: ofOutcomes(advCorrect), expected })
}

const coinAccuracy = 0.75
const coinImages = 400

/** A protocol of the presets under attacks that do nothing, on the coin: what it prints, and what a fresh re-evaluation of the same images says. */
const protocolOnCoin = async (name: AttackName, attacks: number, expected: Calibration['expected']): Promise<Calibration> => {
  const batch = knownBatch(coinImages)
  const preset = { ...attackPresets[name], components: new Array<typeof idleAttack>(attacks).fill(idleAttack) }
  const { xAdv, reported, advCorrect } = await evaluateEnsemble(coinDefence(coinAccuracy), batch, {
    seed,
    setting: whiteBox,
    preset,
    norm: 'linf',
    epsilon: 0.1,
    budget: { steps: 1 },
  })
  xAdv.dispose()
  batch.images.dispose()
  const { estimate, low, high } = wilson(Math.round(reported * coinImages), coinImages, confidence)
  const published = preset.reports === 'selection'
  return judged({
    name: `coin of 75 %, ${attacks} attacks that do nothing, protocol ${name}`,
    evaluator: published ? 'published' : 'ours',
    truth: coinAccuracy,
    measured: published ? { mean: estimate, low, high, trials: coinImages } : ofOutcomes(advCorrect),
    expected,
  })
}

/**
 * The evaluator on defences of known robustness. Deterministic: fixed seed, on the current backend. The published protocols are measured
 * beside it, and are expected to print too little (audit finding H8): if they did not, the calibration could not tell.
 */
export const calibrate = async (): Promise<Calibration[]> => {
  const batch = knownBatch(200)
  const planted = plantedDefence(batch, 0.05)
  const constantLabels = { ...batch, labels: batch.ids.map(id => id % 10) }
  const rows = [
    await ours('no attack steps: the clean accuracy', 1, { defence: planted, batch, more: { steps: 0 } }),
    await ours('epsilon 0: the clean accuracy', 1, { defence: planted, batch, more: { epsilon: 0 } }),
    await ours('constant classifier of 10 classes', 0.1, { defence: constantDefence(10), batch: constantLabels }),
    await ours('planted example at 0.05, ball of 0.049', 1, { defence: planted, batch, more: { epsilon: 0.049 } }),
    await ours('planted example at 0.05, ball of 0.051', 0, { defence: planted, batch, more: { epsilon: 0.051 } }),
    await ours('coin of 75 %, PGD', coinAccuracy, { defence: coinDefence(coinAccuracy), batch, reportDraws: 10 }),
    await ours('coin of 75 %, the best of 5 restarts', coinAccuracy, {
      defence: coinDefence(coinAccuracy),
      batch,
      more: { restarts: 5, selectDraws: 1 },
      reportDraws: 10,
    }),
    await protocolOnCoin('autoattack-standard', 4, 'tooLow'),
    await protocolOnCoin('autoattack-fixed', 4, 'tooLow'),
    await protocolOnCoin('autoattack-fresh', 5, 'unbiased'),
  ]
  batch.images.dispose()
  return rows
}
