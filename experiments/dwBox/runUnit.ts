import { evaluateBatch, type LabelledBatch } from '../../algorithms/evaluation/robustAccuracy.ts'
import { lockSets } from '../../algorithms/randomness/lockSets.ts'
import { tensor } from '../../core/index.ts'
import { loadDigits } from '../data/digits.ts'
import type { Networks } from './defence.ts'
import { runGallery } from './gallery.ts'
import { isDeterministic, type Unit } from './plan.ts'
import type { GalleryImage, Trajectory } from './results.ts'
import { runTrajectories } from './trajectories.ts'

/** What an accuracy unit leaves in the journal. */
export interface AccuracyResult {
  /** Per image, one character per report draw. */
  readonly cleanOutcomes: readonly string[]
  readonly robustOutcomes: readonly string[]
  /** Sums over the unit's images at each attack step. */
  readonly lossSums: readonly number[]
  readonly cosineSums: readonly number[]
}

export interface UnitResults {
  readonly accuracy: AccuracyResult
  readonly gallery: readonly GalleryImage[]
  readonly trajectory: readonly Trajectory[]
}

/** Called as gradients of images are done, with their number. */
export type OnWork = (gradients: number) => void

const digits = loadDigits()

/** The test images of a unit on the current backend. */
export const batchOf = (ids: readonly number[]): LabelledBatch => {
  const [channels, height, width] = digits.shape
  const size = channels * height * width
  const values = new Float64Array(ids.length * size)
  ids.forEach((id, i) => {
    values.set(digits.images.subarray(id * size, (id + 1) * size), i * size)
  })
  return { images: tensor(values, [ids.length, channels, height, width]), labels: ids.map(id => digits.labels[id]!), ids }
}

/** Does one unit of work. The result is plain JSON. */
export const runUnit = async (unit: Unit, networks: Networks, onWork: OnWork): Promise<UnitResults[Unit['kind']]> => {
  if (unit.kind === 'gallery') return runGallery(unit, networks, onWork)
  if (unit.kind === 'trajectory') return runTrajectories(unit, networks, onWork)
  const { row, setting, imageIds } = unit
  const batch = batchOf(imageIds)
  const outcome = await evaluateBatch(networks.defence(row.defence), batch, {
    seed: unit.seed,
    setting: { name: setting.name, locks: lockSets[setting.name], eotSamples: setting.eotSamples },
    attack: row.attack,
    reportDraws: isDeterministic(row, setting.name) ? 1 : unit.reportDraws,
    onStep: () => onWork(imageIds.length * setting.eotSamples),
  })
  outcome.xAdv.dispose()
  batch.images.dispose()
  const digitsOf = (draws: readonly (readonly boolean[])[]): string[] => draws.map(image => image.map(Number).join(''))
  const total = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0)
  return {
    cleanOutcomes: digitsOf(outcome.cleanCorrect),
    robustOutcomes: digitsOf(outcome.advCorrect),
    lossSums: outcome.trace.map(step => total(step.loss)),
    cosineSums: outcome.trace.map(step => total(step.cosine)),
  }
}
