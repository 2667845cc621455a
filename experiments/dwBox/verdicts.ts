import { grim } from '../../algorithms/evaluation/statistics/grim.ts'
import { orderingViolations } from '../../algorithms/evaluation/statistics/ordering.ts'
import type { LockSetName } from '../../algorithms/randomness/lockSets.ts'
import type { Accuracy, Comparison, ResultRow, Verdict } from './results.ts'
import { nameOf, pairedComparison, settingOf } from './summary.ts'

const percent = (value: number): string => `${(100 * value).toFixed(1)} %`
const points = (value: number): string => `${value >= 0 ? '+' : '-'}${Math.abs(100 * value).toFixed(1)}`
const shown = ({ mean, low, high }: Pick<Accuracy, 'mean' | 'low' | 'high'>): string =>
  `${percent(mean)} [${percent(low)}, ${percent(high)}]`
const level = 0.05

/**
 * Claim 1 of the paper for one purifier: its robustness comes mostly from randomness, so handing all noises to the attacker
 * takes most of it away. Shown when accuracy falls from White to DW_Both, its paired 95 % interval and exact McNemar
 * p < 0.05 agreeing, by at least half of the White accuracy; contradicted when it rises so. McNemar is asked too because the
 * interval of a few images that all behave alike has no width.
 */
export const claim1 = (row: ResultRow): Verdict | null => {
  const [white, both] = [settingOf(row, 'White'), settingOf(row, 'DW_Both')]
  if (!white || !both) return null
  const { difference: change, mcnemar, images, meanA } = pairedComparison(white, both)
  const lost = meanA > 0 ? -change.mean / meanA : 0
  const significant = mcnemar.p < level
  const outcome = significant && change.low > 0 ? 'contradicted' : significant && change.high < 0 && lost >= 0.5 ? 'shown' : 'not shown'
  return {
    claim: 'claim-1',
    statement: `${nameOf(row)}: most of the robustness comes from randomness`,
    outcome,
    evidence:
      `White ${shown(white.robust)}, DW_Both ${shown(both.robust)}; knowing the noises changes accuracy by ${points(change.mean)} points ` +
      `[${points(change.low)}, ${points(change.high)}] on the same ${images} images, McNemar p = ${mcnemar.p.toPrecision(2)}` +
      `${lost > 0 ? `: ${percent(lost)} of the robustness is lost.` : '.'}`,
  }
}

/**
 * Claim 3 of the paper for one fine-tuning: ADDT makes the diffusion model itself purify, so it gains where no randomness
 * is left. Shown when DW_Both accuracy is higher than the clean fine-tuned model's and exact McNemar p < 0.05; contradicted
 * when it is lower with p < 0.05.
 */
export const claim3 = (addt: ResultRow, comparisons: readonly Comparison[]): Verdict | null => {
  const of = (setting: LockSetName): Comparison | undefined => comparisons.find(c => c.b === nameOf(addt) && c.setting === setting)
  const both = of('DW_Both')
  if (!both) return null
  const significant = both.mcnemar.p < level
  const outcome = significant ? (both.difference.mean > 0 ? 'shown' : 'contradicted') : 'not shown'
  const text = ({ difference: d, mcnemar: m, images }: Comparison): string =>
    `${points(d.mean)} points [${points(d.low)}, ${points(d.high)}] on ${images} images, McNemar ${m.onlyB} against ${m.onlyA}, p = ${m.p.toPrecision(2)}`
  const white = of('White')
  return {
    claim: 'claim-3',
    statement: `${nameOf(addt)}: ADDT improves purification itself`,
    outcome,
    evidence: `Against ${both.a}: DW_Both ${text(both)}${white ? `; White ${text(white)}` : ''}.`,
  }
}

/** What is inconsistent in the table: an ordering that an optimal attacker could not produce, a share that no count gives. */
export const lintRows = (rows: readonly ResultRow[]): string[] =>
  rows.flatMap(row => {
    const table = Object.fromEntries(
      row.settings.map(({ setting, robust }) => [setting, { robust: Math.round(robust.mean * robust.images), images: robust.images }]),
    )
    const order = orderingViolations(table).map(
      v => `${nameOf(row)}: ${v.below} is ${points(v.difference)} points above ${v.above}; the attack in ${v.below} is too weak (E14)`,
    )
    const impossible = row.settings
      .filter(({ robust }) => !grim((100 * robust.mean).toFixed(4), robust.images * robust.draws).possible)
      .map(
        ({ setting, robust }) =>
          `${nameOf(row)} ${setting}: ${percent(robust.mean)} is no count of ${robust.images} images x ${robust.draws} draws (GRIM)`,
      )
    return [...order, ...impossible]
  })
