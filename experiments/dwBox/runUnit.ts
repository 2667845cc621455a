import { attackPresets } from '../../algorithms/attacks/presets.ts'
import { evaluateEnsemble } from '../../algorithms/evaluation/evaluateEnsemble.ts'
import { evaluateBatch, type LabelledBatch } from '../../algorithms/evaluation/robustAccuracy.ts'
import { lockSets } from '../../algorithms/randomness/lockSets.ts'
import { tensor } from '../../core/index.ts'
import { loadDigits } from '../data/digits.ts'
import { imagesAt } from '../data/imagesAt.ts'
import type { ImageLandscape } from '../landscape/results.ts'
import { runLandscape } from '../landscape/runLandscape.ts'
import { attackViewOf } from './attackView.ts'
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
  /** Of an attack from the presets, per image: the share of selection draws that stay correct, and 1 if no draw was ever misclassified. */
  readonly selectionCorrect?: readonly number[]
  readonly neverFound?: readonly number[]
}

export interface UnitResults {
  readonly accuracy: AccuracyResult
  readonly gallery: readonly GalleryImage[]
  readonly trajectory: readonly Trajectory[]
  readonly landscape: ImageLandscape
}

/** Called as gradients of images are done (for landscapes: evaluations), with their number. */
export type OnWork = (gradients: number) => void

const digits = loadDigits()

/** The test images of a unit on the current backend. */
export const batchOf = (ids: readonly number[]): LabelledBatch => {
  const { images, labels } = imagesAt(digits, ids)
  return { images: tensor(images, [ids.length, ...digits.shape]), labels: [...labels], ids }
}

/** Does one unit of work. The result is plain JSON. */
export const runUnit = async (unit: Unit, networks: Networks, onWork: OnWork): Promise<UnitResults[Unit['kind']]> => {
  if (unit.kind === 'gallery') return runGallery(unit, networks, onWork)
  if (unit.kind === 'trajectory') return runTrajectories(unit, networks, onWork)
  if (unit.kind === 'landscape') return runLandscape(unit, networks, onWork)
  const { row, setting, imageIds } = unit
  if (row.attack.name) return runPreset(unit, networks, onWork)
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
  const total = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0)
  return {
    cleanOutcomes: digitsOf(outcome.cleanCorrect),
    robustOutcomes: digitsOf(outcome.advCorrect),
    lossSums: outcome.trace.map(step => total(step.loss)),
    cosineSums: outcome.trace.map(step => total(step.cosine)),
  }
}

/** An attack of the presets on the unit's images; the table gets the fresh re-evaluation, the journal also what the attack counted. */
const runPreset = async (unit: Extract<Unit, { kind: 'accuracy' }>, networks: Networks, onWork: OnWork): Promise<AccuracyResult> => {
  const { row, setting, imageIds, seed } = unit
  const preset = attackPresets[row.attack.name!]
  const batch = batchOf(imageIds)
  const outcome = await evaluateEnsemble(networks.defence(row.defence), batch, {
    seed,
    setting: { name: setting.name, locks: lockSets[setting.name], eotSamples: setting.eotSamples },
    preset,
    norm: row.attack.norm,
    epsilon: row.attack.epsilon,
    budget: { steps: row.attack.steps },
    view: attackViewOf(networks, row.defence, row.attack.gradient ?? preset.view),
    reportDraws: isDeterministic(row, setting.name) ? 1 : unit.reportDraws,
  })
  onWork(unit.work)
  outcome.xAdv.dispose()
  batch.images.dispose()
  return {
    cleanOutcomes: digitsOf(outcome.cleanCorrect),
    robustOutcomes: digitsOf(outcome.advCorrect),
    lossSums: [],
    cosineSums: [],
    selectionCorrect: [...outcome.selectionCorrect],
    neverFound: outcome.found.map(found => (found ? 0 : 1)),
  }
}

const digitsOf = (draws: readonly (readonly boolean[])[]): string[] => draws.map(image => image.map(Number).join(''))
