import { inRuns } from './inRuns.ts'
import { type LogitLossName, logitLosses } from './logitLosses.ts'
import { lookAt } from './look.ts'
import { pgd } from './pgd.ts'
import type { Attack, AttackProblem } from './problem.ts'
import { randomStart } from './randomStart.ts'
import { firstSeen } from './strongest.ts'

export interface PgdAttackOptions {
  readonly steps: number
  /** Length of a step as a share of epsilon. Default 1/4: the paper's 2/255 at epsilon 8/255. */
  readonly relativeStep?: number
  /** Default ce, as in the paper. */
  readonly loss?: LogitLossName
  /** Where the first run starts; later ones start at random. Default zero: at the image itself. */
  readonly init?: 'zero' | 'random'
  readonly restarts?: number
  /** Which iterate of a run counts. Default last, as in the published scripts. */
  readonly iterate?: 'last' | 'best'
}

/**
 * PGD + EoT as an attack among others (see pgd.ts): with a choice of loss, start and iterate, restarts between which the
 * strongest is chosen, and what it found. Its draws are those of pgd: one world per attack step and EoT sample; the
 * returned image is looked at once more, at attack step `steps`.
 */
export const pgdAttack = ({ relativeStep = 0.25, loss = 'ce', init = 'zero', iterate = 'last', ...o }: PgdAttackOptions): Attack =>
  inRuns(o.restarts ?? 1, async (problem: AttackProblem, run) => {
    const { images, draws, epsilon, labels, view } = problem
    const start = run > 0 || init === 'random' ? randomStart(images, draws, problem) : undefined
    const { xAdv } = await pgd(
      (x, attackStep, eotSample) => {
        const { logits, extraLoss } = view(x, draws.at({ attackStep, eotSample }))
        const own = logitLosses[loss](logits, labels)
        return extraLoss ? own.add(extraLoss) : own
      },
      images,
      { ...problem, steps: o.steps, stepSize: relativeStep * epsilon, start, iterate },
    )
    start?.dispose()
    const found = firstSeen(xAdv, await lookAt(problem, logitLosses[loss], xAdv, o.steps))
    xAdv.dispose()
    return found
  })
