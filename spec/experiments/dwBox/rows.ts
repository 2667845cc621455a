import { meanInterval } from '../../../algorithms/evaluation/statistics/meanInterval.ts'
import type { LockSetName } from '../../../algorithms/randomness/lockSets.ts'
import type { Accuracy, ResultRow, SettingResult } from '../../../experiments/dwBox/results.ts'

const accuracyOf = (outcomes: readonly string[]): Accuracy => {
  const { estimate: mean, low, high } = meanInterval(outcomes.map(image => [...image].map(digit => digit === '1')))
  return { mean, low, high, images: outcomes.length, draws: outcomes[0]!.length }
}

/** A measurement with these outcomes, of the images 0, 1, ... unless others are named. */
export const settingOf = (
  setting: LockSetName,
  robustOutcomes: readonly string[],
  imageIds = robustOutcomes.map((_, i) => i),
): SettingResult => ({
  setting,
  robust: accuracyOf(robustOutcomes),
  eotSamples: 1,
  lossCurve: [],
  eotCosine: null,
  imageIds,
  cleanOutcomes: robustOutcomes,
  robustOutcomes,
})

/** One draw per image: the first `right` of `images` are right. */
export const firstRight = (right: number, images: number): string[] => Array.from({ length: images }, (_, i) => (i < right ? '1' : '0'))

export const rowOf = (label: string, outcomes: Partial<Record<LockSetName, readonly string[]>>, variation = ''): ResultRow => {
  const settings = Object.entries(outcomes).map(([name, list]) => settingOf(name as LockSetName, list))
  return { id: `${label} ${variation}`, label, variation, clean: settings[0]!.robust, settings }
}
