import { discordantPairs, mcnemar } from '../../algorithms/evaluation/statistics/mcnemar.ts'
import { meanInterval } from '../../algorithms/evaluation/statistics/meanInterval.ts'
import { criticalValue } from '../../algorithms/evaluation/statistics/wilson.ts'
import type { LockSetName } from '../../algorithms/randomness/lockSets.ts'
import type { RowSpec, Unit } from './plan.ts'
import type { Accuracy, Comparison, ResultRow, SettingResult } from './results.ts'
import type { AccuracyResult } from './runUnit.ts'

/** '0110' to booleans. */
const parse = (outcomes: readonly string[]): boolean[][] => outcomes.map(image => [...image].map(digit => digit === '1'))

const accuracy = (outcomes: readonly string[]): Accuracy => {
  const { estimate, low, high } = meanInterval(parse(outcomes))
  return { mean: estimate, low, high, images: outcomes.length, draws: outcomes[0]!.length }
}

/** Joins the units of one setting, in the order of their images. */
const settingResult = (units: readonly { unit: Unit; result: AccuracyResult }[]): SettingResult => {
  const { setting } = units[0]!.unit
  const imageIds = units.flatMap(({ unit }) => unit.imageIds)
  const robustOutcomes = units.flatMap(({ result }) => result.robustOutcomes)
  const perStep = (sums: (result: AccuracyResult) => readonly number[]): number[] =>
    sums(units[0]!.result).map((_, step) => units.reduce((total, { result }) => total + sums(result)[step]!, 0) / imageIds.length)
  const cosines = perStep(result => result.cosineSums)
  return {
    setting: setting.name,
    robust: accuracy(robustOutcomes),
    eotSamples: setting.eotSamples,
    lossCurve: perStep(result => result.lossSums),
    eotCosine: setting.eotSamples > 1 && cosines.length > 0 ? cosines.reduce((a, b) => a + b, 0) / cosines.length : null,
    imageIds,
    cleanOutcomes: units.flatMap(({ result }) => result.cleanOutcomes),
    robustOutcomes,
  }
}

/** The rows of the table from the finished units. */
export const summariseRows = (rows: readonly RowSpec[], units: readonly Unit[], resultOf: (unit: Unit) => unknown): ResultRow[] =>
  rows.map(row => {
    const settings = row.settings.map(setting =>
      settingResult(
        units
          .filter(unit => unit.kind === 'accuracy' && unit.row.id === row.id && unit.setting.name === setting.name)
          .sort((a, b) => firstOf(a) - firstOf(b))
          .map(unit => ({ unit, result: resultOf(unit) as AccuracyResult })),
      ),
    )
    return { id: row.id, label: row.label, variation: row.variation, clean: accuracy(settings[0]!.cleanOutcomes), settings }
  })

/** Position of a unit's first image among the test images, from its key. */
const firstOf = (unit: Unit): number => Number(unit.key.split('/').at(-1))

export const settingOf = (row: ResultRow, name: LockSetName): SettingResult | undefined =>
  row.settings.find(({ setting }) => setting === name)

/** Mean over images of b - a on the images that both have, with its paired 95 % interval. */
export const pairedDifference = (a: SettingResult, b: SettingResult): Comparison['difference'] & { readonly images: number } => {
  const share = (outcome: string): number => [...outcome].filter(digit => digit === '1').length / outcome.length
  const inB = new Map(b.imageIds.map((id, i) => [id, share(b.robustOutcomes[i]!)]))
  const differences = a.imageIds.flatMap((id, i) => (inB.has(id) ? [inB.get(id)! - share(a.robustOutcomes[i]!)] : []))
  const n = differences.length
  const mean = differences.reduce((sum, d) => sum + d, 0) / n
  const error = Math.sqrt(differences.reduce((sum, d) => sum + (d - mean) ** 2, 0) / (n * (n - 1)))
  const reach = criticalValue(0.95) * error
  return { mean, low: mean - reach, high: mean + reach, images: n }
}

/** Right on at least half of the report draws. */
const majority = (outcomes: readonly string[]): boolean[] => parse(outcomes).map(draws => 2 * draws.filter(Boolean).length >= draws.length)

/** Two defences in one setting on the same images. */
export const compare = (a: ResultRow, b: ResultRow, setting: LockSetName): Comparison | null => {
  const [first, second] = [settingOf(a, setting), settingOf(b, setting)]
  if (!first || !second) return null
  const { images, ...difference } = pairedDifference(first, second)
  const pairs = discordantPairs(majority(first.robustOutcomes), majority(second.robustOutcomes))
  return {
    setting,
    a: a.label,
    b: b.label,
    images,
    difference,
    mcnemar: { onlyA: pairs.onlyFirst, onlyB: pairs.onlySecond, p: mcnemar(pairs).exact },
  }
}
