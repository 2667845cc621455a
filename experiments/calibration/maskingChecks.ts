import { pgdAttack } from '../../algorithms/attacks/pgdAttack.ts'
import { wholeBox } from '../../algorithms/attacks/presets.ts'
import { type Attack, type AttackProblem, viewOf } from '../../algorithms/attacks/problem.ts'
import { square } from '../../algorithms/attacks/square.ts'
import type { Defence } from '../../algorithms/evaluation/defence.ts'
import { type AttackEvidence, type RedFlag, redFlags } from '../../algorithms/evaluation/redFlags.ts'
import { judge, type LabelledBatch } from '../../algorithms/evaluation/robustAccuracy.ts'
import type { RobustCount } from '../../algorithms/evaluation/statistics/differenceLimit.ts'
import { attackSources } from '../../algorithms/randomness/drawName.ts'
import { createDraws } from '../../algorithms/randomness/draws.ts'
import { type LockSet, white } from '../../algorithms/randomness/lockSets.ts'
import { valueAndGrad } from '../../core/index.ts'
import { crossEntropy } from '../../core/nn/crossEntropy.ts'
import { knownBatch, maskedDefence, plantedDefence, saturatedDefence } from './defences.ts'

export interface MaskingOptions {
  readonly epsilon: number
  /** Steps of PGD, and queries of Square. */
  readonly steps: number
  readonly queries: number
  readonly locks?: LockSet
}

/** Measures what `redFlags` looks at. Where noise is locked by DW_Both, or there is none, one world stands for all. */
export const gatherEvidence = async (
  defence: Defence,
  batch: LabelledBatch,
  { epsilon, steps, queries, locks = white }: MaskingOptions,
): Promise<AttackEvidence> => {
  const { images, labels, ids } = batch
  const draws = createDraws({ seed: 0, images: ids, locks, registered: attackSources })
  const problem: AttackProblem = {
    images,
    labels,
    view: viewOf(defence),
    draws: draws.at({ purpose: 'attack' }),
    eotSamples: 1,
    norm: 'linf',
    epsilon,
  }
  const left = async (attack: Attack, more: Partial<AttackProblem> = {}): Promise<RobustCount & { loss: number }> => {
    const { xAdv, loss } = await attack({ ...problem, ...more })
    const correct = await judge(() => defence(xAdv, draws), labels, 1)
    xAdv.dispose()
    return { robust: correct.flat().filter(Boolean).length, images: ids.length, loss: loss.reduce((sum, x) => sum + x, 0) / ids.length }
  }
  const pgd = (count: number): Attack => pgdAttack({ steps: count })
  const gradient = valueAndGrad((x: typeof images) => crossEntropy(defence(x, draws), labels).sum())(images).gradient
  const values = await gradient.data()
  const [none, half, full] = [await left(pgd(0)), await left(pgd(steps), { epsilon: epsilon / 2 }), await left(pgd(steps))]
  return {
    zeroGradientShare: values.filter(value => value === 0).length / values.length,
    gradientAttack: full,
    otherAttacks: [{ name: 'Square', ...(await left(square({ queries }))) }],
    unbounded: await left(pgd(steps), { epsilon: wholeBox('linf', images.size / ids.length) }),
    lossBySteps: [none.loss, full.loss],
    lossByEpsilon: [none.loss, half.loss, full.loss],
  }
}

/** A defence, what was seen of it under attack, and what that raised. */
export interface MaskingCheck {
  readonly name: string
  readonly masks: boolean
  readonly evidence: AttackEvidence
  readonly flags: readonly RedFlag[]
  /** Whether flags are raised exactly where gradients are masked. */
  readonly passed: boolean
}

export const maskingCheck = (name: string, masks: boolean, evidence: AttackEvidence): MaskingCheck => {
  const flags = redFlags(evidence)
  return { name, masks, evidence, flags, passed: flags.length > 0 === masks }
}

/** An honest defence and two that hide its gradient; all three are equally fragile. */
export const checkMasking = async (): Promise<MaskingCheck[]> => {
  const batch = knownBatch(40)
  const o = { epsilon: 0.1, steps: 10, queries: 60 }
  const defences = [
    ['honest', false, plantedDefence(batch, 0.05)],
    ['quantised pixels', true, maskedDefence(batch, 0.05)],
    ['saturated logits', true, saturatedDefence(batch, 0.05)],
  ] as const
  const checks: MaskingCheck[] = []
  for (const [name, masks, defence] of defences) checks.push(maskingCheck(name, masks, await gatherEvidence(defence, batch, o)))
  batch.images.dispose()
  return checks
}
