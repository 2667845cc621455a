import { type Attack, type AttackProblem, type AttackResult, problemAt } from './problem.ts'
import { joinRows } from './strongest.ts'

/** Room for the runs of one attack among the repetitions of its draws. */
const runsPerAttack = 1024

/** One of several runs of an attack, such as a restart or a target class. */
export type AttackRun = (problem: AttackProblem, run: number, rows: readonly number[]) => Promise<AttackResult>

/**
 * Runs an attack several times with draws of its own each, and keeps the strongest image of all runs. Images that are misclassified
 * on every EoT sample are left out of later runs. `rows` are the places of the problem's images in the full batch.
 * Throws RangeError when `runs` is not a whole number in [1, 1024].
 */
export const inRuns =
  (runs: number, attackRun: AttackRun): Attack =>
  async problem => {
    if (!(Number.isInteger(runs) && runs >= 1 && runs <= runsPerAttack)) {
      throw new RangeError(`attack: the number of runs must be a whole number from 1 to ${runsPerAttack}, got ${runs}; 1 is usual`)
    }
    const { repetition } = problem.draws.context
    const drawsOf = (run: number) => problem.draws.at({ repetition: repetition * runsPerAttack + run })
    const all = problem.labels.map((_, i) => i)
    let best = await attackRun({ ...problem, draws: drawsOf(0) }, 0, all)
    for (let run = 1; run < runs; run++) {
      const rows = all.filter(i => best.wrongShare[i]! < 1)
      if (rows.length === 0) break
      const part = problemAt({ ...problem, draws: drawsOf(run) }, rows)
      const other = await attackRun(part, run, rows)
      part.images.dispose()
      best = joinRows(best, other, rows)
    }
    return best
  }
