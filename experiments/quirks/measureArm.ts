import { attackPresets } from '../../algorithms/attacks/presets.ts'
import { type Defence, purifiedClassifier } from '../../algorithms/evaluation/defence.ts'
import { evaluateEnsemble } from '../../algorithms/evaluation/evaluateEnsemble.ts'
import { evaluateBatch, type LabelledBatch } from '../../algorithms/evaluation/robustAccuracy.ts'
import type { Classifier, Parameters } from '../../algorithms/models/types.ts'
import { evaluationSources } from '../../algorithms/randomness/drawName.ts'
import { lockSets } from '../../algorithms/randomness/lockSets.ts'
import { splitDigits } from '../data/digits.ts'
import { batchOf } from '../dwBox/runUnit.ts'
import { armPurifier } from './armPurifier.ts'
import { type Arm, armSettings, isRandom, readingOf } from './arms.ts'

/** What an arm leaves in the journal: per image a string of 0 and 1, one character per draw. */
export interface ArmOutcome {
  readonly imageIds: readonly number[]
  readonly cleanOutcomes: readonly string[]
  readonly robustOutcomes: readonly string[]
  /** Of an attack of the presets: what its own selection saw, one character per selection draw. */
  readonly selectionOutcomes?: readonly string[]
  readonly seconds: number
}

const texts = (outcomes: readonly (readonly boolean[])[]): string[] => outcomes.map(image => image.map(Number).join(''))

/** How many test images an arm is measured on. */
export const imagesOf = (arm: Arm): number =>
  arm.attack ? armSettings.imagesPreset : isRandom(arm) ? armSettings.images : armSettings.imagesDeterministic

/** Attacks and judges one arm on the first test images. */
export const measureArm = async (
  arm: Arm,
  networks: { readonly classifier: Classifier; readonly diffusion: Parameters },
): Promise<ArmOutcome> => {
  const began = Date.now()
  const batch = batchOf([...splitDigits().test.slice(0, imagesOf(arm))])
  const defence = purifiedClassifier(armPurifier(arm, networks.diffusion), networks.classifier)
  const outcome = await (arm.attack ? measurePreset : measurePgd)(arm, defence, batch)
  batch.images.dispose()
  return { imageIds: batch.ids, ...outcome, seconds: (Date.now() - began) / 1000 }
}

const settingOf = (arm: Arm) => ({
  name: arm.setting,
  locks: lockSets[arm.setting],
  eotSamples: isRandom(arm) ? (arm.eotSamples ?? armSettings.eotSamples) : 1,
})

type Measured = Omit<ArmOutcome, 'imageIds' | 'seconds'>

const measurePgd = async (arm: Arm, defence: Defence, batch: LabelledBatch): Promise<Measured> => {
  const { init, restarts, iterate, reportDraws, vpsdeDropout } = readingOf(arm)
  const { seed, norm, epsilon, stepSize, steps } = armSettings
  const { xAdv, cleanCorrect, advCorrect } = await evaluateBatch(defence, batch, {
    seed,
    setting: settingOf(arm),
    attack: { norm, epsilon, stepSize, steps, init, restarts, iterate },
    reportDraws: isRandom(arm) ? reportDraws : 1,
    registered: vpsdeDropout > 0 ? [...evaluationSources, 'dropout'] : evaluationSources,
  })
  xAdv.dispose()
  return { cleanOutcomes: texts(cleanCorrect), robustOutcomes: texts(advCorrect) }
}

const measurePreset = async (arm: Arm, defence: Defence, batch: LabelledBatch): Promise<Measured> => {
  const { seed, norm, epsilon, presetSteps } = armSettings
  const preset = attackPresets[arm.attack!]
  const { xAdv, cleanCorrect, advCorrect, selectionCorrect } = await evaluateEnsemble(defence, batch, {
    seed,
    setting: settingOf(arm),
    preset,
    norm,
    epsilon,
    budget: { steps: presetSteps },
    reportDraws: readingOf(arm).reportDraws,
  })
  xAdv.dispose()
  const { draws } = preset.selection
  return {
    cleanOutcomes: texts(cleanCorrect),
    robustOutcomes: texts(advCorrect),
    selectionOutcomes: Array.from(selectionCorrect, share => '1'.repeat(Math.round(share * draws)).padEnd(draws, '0')),
  }
}
