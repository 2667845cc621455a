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
  const own = (values: (result: AccuracyResult) => readonly number[] | undefined): number[] =>
    units.flatMap(({ result }) => values(result) ?? [])
  const selection = own(result => result.selectionCorrect)
  return {
    setting: setting.name,
    robust: accuracy(robustOutcomes),
    eotSamples: setting.eotSamples,
    lossCurve: perStep(result => result.lossSums),
    eotCosine: setting.eotSamples > 1 && cosines.length > 0 ? cosines.reduce((a, b) => a + b, 0) / cosines.length : null,
    ...(selection.length > 0 && { attackCount: { selection: mean(selection), neverFound: mean(own(result => result.neverFound)) } }),
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

/** A row's name among all rows of a run. */
export const nameOf = ({ label, variation }: Pick<ResultRow, 'label' | 'variation'>): string =>
  variation === '' ? label : `${label} (${variation})`

/** What a pairing needs of a measurement. */
export type Outcomes = Pick<SettingResult, 'imageIds' | 'robustOutcomes'>

/** Two measurements of the same images. */
export type Paired = Pick<Comparison, 'images' | 'difference' | 'mcnemar'> & {
  /** Mean robust accuracy of a on the images that both have. */
  readonly meanA: number
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

/**
 * b against a on the images that both have. With d_i the difference of the shares of report draws on which image i is
 * right, the interval is mean(d) -+ 1.96 SE, SE^2 = sum (d_i - mean(d))^2 / (n (n - 1)). McNemar counts an image as right
 * when at least half of its draws are.
 */
export const pairedComparison = (a: Outcomes, b: Outcomes): Paired => {
  const share = (outcome: string): number => mean([...outcome].map(Number))
  const inB = new Map(b.imageIds.map((id, i) => [id, share(b.robustOutcomes[i]!)]))
  const pairs = a.imageIds.flatMap((id, i) => (inB.has(id) ? [{ a: share(a.robustOutcomes[i]!), b: inB.get(id)! }] : []))
  const n = pairs.length
  const differences = pairs.map(pair => pair.b - pair.a)
  const centre = mean(differences)
  const error = Math.sqrt(differences.reduce((sum, d) => sum + (d - centre) ** 2, 0) / (n * (n - 1)))
  const reach = criticalValue(0.95) * error
  const right = (which: 'a' | 'b'): boolean[] => pairs.map(pair => 2 * pair[which] >= 1)
  const discordant = discordantPairs(right('a'), right('b'))
  return {
    images: n,
    meanA: mean(pairs.map(pair => pair.a)),
    difference: { mean: centre, low: centre - reach, high: centre + reach },
    mcnemar: { onlyA: discordant.onlyFirst, onlyB: discordant.onlySecond, p: mcnemar(discordant).exact },
  }
}

/** Two defences in one setting on the same images; null when one of them lacks the setting. */
export const compare = (a: ResultRow, b: ResultRow, setting: LockSetName): Comparison | null => {
  const [first, second] = [settingOf(a, setting), settingOf(b, setting)]
  if (!first || !second) return null
  const { meanA: _, ...paired } = pairedComparison(first, second)
  return { setting, a: nameOf(a), b: nameOf(b), ...paired }
}
