import type { Tensor } from '../../core/index.ts'
import type { ThreatSetting } from '../attacks/dwBox.ts'
import { marginLoss } from '../attacks/logitLosses.ts'
import { type Look, lookAt } from '../attacks/look.ts'
import { type AttackPreset, type Budget, wholeBox } from '../attacks/presets.ts'
import { type AttackerView, type AttackProblem, problemAt, viewOf } from '../attacks/problem.ts'
import type { Norm } from '../attacks/projections.ts'
import { firstSeen, joinRows } from '../attacks/strongest.ts'
import { attackSources } from '../randomness/drawName.ts'
import { createDraws } from '../randomness/draws.ts'
import type { Defence } from './defence.ts'
import { assertBatch, judge, type LabelledBatch } from './robustAccuracy.ts'

export interface EnsembleOptions {
  readonly seed: number
  readonly setting: ThreatSetting
  readonly preset: AttackPreset
  readonly norm: Norm
  /** Radius of the ball, pixel units. */
  readonly epsilon: number
  readonly budget: Budget
  /** What the attacker runs and differentiates; default the defence itself. */
  readonly view?: AttackerView
  /** Fresh draws on which clean and adversarial images are judged. Default 10. */
  readonly reportDraws?: number
}

/** What one attack of an ensemble did. */
export interface ComponentOutcome {
  readonly name: string
  /** Images that it was given: those that some selection draw still classified correctly. */
  readonly attacked: number
  /** Of these, how many it saw misclassified on at least one draw: its own count. */
  readonly found: number
  /** Mean over all images of the share of selection draws on which the kept image is correct, after it. */
  readonly selectionAccuracy: number
}

/** Per image, in the order of the batch. */
export interface EnsembleOutcome {
  /** Whether the clean (the kept adversarial) image is correct, on each report draw: draws that no attack and no selection has seen. */
  readonly cleanCorrect: readonly (readonly boolean[])[]
  readonly advCorrect: readonly (readonly boolean[])[]
  /** Share of selection draws on which the kept image was correct: what the published protocols print. Biased low. */
  readonly selectionCorrect: Float64Array
  /** Whether any attack or selection draw ever saw it misclassified, clean or kept: what one lucky draw is enough for. */
  readonly found: readonly boolean[]
  readonly components: readonly ComponentOutcome[]
  /** Robust accuracy as the preset reports it: by selection, or fresh. */
  readonly reported: number
  /** The kept images, [batch, channels, height, width]. The caller disposes it. */
  readonly xAdv: Tensor
}

/**
 * AutoAttack, and every attack that is one of its parts, in one threat setting.
 *
 * @paper App. L (the AutoAttack protocol), E13 (one setting = one lock set over the named draws)
 *
 * The attacks run one after another, each on the images that are still correct on some selection draw. What an attack finds is judged on
 * `preset.selection.draws` fresh draws (purpose select, another repetition for each attack) and kept where it is wrong on more
 * of them. With one draw that is the published AutoAttack, with 20 the authors' repair of it.
 *
 * Both leave a winner's curse: the minimum over attacks of noisy estimates is too low, even for attacks that do nothing. So the
 * kept image is judged again on draws of purpose report, and both numbers are returned. Throws RangeError on lists of different
 * lengths, Error on a logit, loss or gradient that is not a number.
 * Deviations: the published attacks stop working on an image as soon as one draw fools it; here each attack runs to its end.
 */
export const evaluateEnsemble = async (defence: Defence, batch: LabelledBatch, o: EnsembleOptions): Promise<EnsembleOutcome> => {
  const { preset, setting, reportDraws = 10 } = o
  const { images, labels } = batch
  assertBatch(batch)
  const draws = createDraws({ seed: o.seed, images: batch.ids, locks: setting.locks, registered: attackSources })
  const problem: AttackProblem = {
    images,
    labels,
    view: o.view ?? viewOf(defence),
    draws: draws.at({ purpose: 'attack' }),
    eotSamples: setting.eotSamples === 1 || preset.eot === 'setting' ? setting.eotSamples : preset.eot,
    norm: o.norm,
    epsilon: preset.unbounded ? wholeBox(o.norm, images.size / labels.length) : o.epsilon,
  }
  const budget = { steps: preset.steps ?? o.budget.steps }

  /** Errors on the selection draws, and what decides between equally many. */
  const select = async (part: AttackProblem, x: Tensor, repetition: number): Promise<Look> => {
    const judged = {
      ...part,
      view: viewOf(defence),
      draws: part.draws.at({ purpose: 'select', repetition }),
      eotSamples: preset.selection.draws,
    }
    const { loss, wrongShare } = await lookAt(judged, marginLoss, x, 0)
    return { wrongShare, loss: preset.selection.tie === 'largerMargin' ? loss : new Float64Array(loss.length) }
  }

  let kept = firstSeen(images, await select(problem, images, 0))
  const components: ComponentOutcome[] = []
  for (const [c, { name, attack }] of preset.components.entries()) {
    const rows = [...kept.wrongShare.keys()].filter(i => kept.wrongShare[i]! < 1)
    let found = 0
    if (rows.length > 0) {
      const part = problemAt({ ...problem, draws: problem.draws.at({ repetition: c }) }, rows)
      const result = await attack(budget)(part)
      found = result.found.filter(Boolean).length
      kept = joinRows(kept, { ...result, ...(await select(part, result.xAdv, c + 1)) }, rows)
      part.images.dispose()
    }
    components.push({ name, attacked: rows.length, found, selectionAccuracy: 1 - mean(kept.wrongShare) })
  }

  const correct = (x: Tensor) => judge(k => defence(x, draws.at({ purpose: 'report', eotSample: k })), labels, reportDraws)
  const [cleanCorrect, advCorrect] = [await correct(images), await correct(kept.xAdv)]
  const selectionCorrect = kept.wrongShare.map(share => 1 - share)
  const reported = mean(preset.reports === 'fresh' ? advCorrect.flat().map(Number) : selectionCorrect)
  return { cleanCorrect, advCorrect, selectionCorrect, found: kept.found, components, reported, xAdv: kept.xAdv }
}

const mean = (values: ArrayLike<number>): number => Array.from(values).reduce((sum, value) => sum + value, 0) / values.length
