import type { Case } from './cases.ts'
import type { Client } from './client.ts'
import type { Answer, Question, Sample } from './protocol.ts'

/** A contestant with a number of threads. */
export interface Entrant {
  readonly name: string
  readonly threads: number
  readonly client: Client
}

/** What one entrant did with one piece of work. */
export interface Measurement {
  readonly name: string
  readonly threads: number
  /** One per round; fewer when the time limit was reached. */
  readonly samples: readonly Sample[]
  /** Sum over the results of their mean absolute values; undefined when there are none. */
  readonly checksum: number | undefined
  /** Why there are no samples. */
  readonly missing: string | undefined
}

export interface MeasureOptions {
  readonly rounds: number
  /** Length of a sample, in which the work is repeated. */
  readonly leastMs: number
  /** Time an entrant may spend on a piece of work; a sample that was begun is finished, and one is always taken. */
  readonly limitMs: number
  /**
   * How long the work is repeated before each sample, uncounted: threads of the entrant before look for work for a while before
   * they sleep, and those of this one have to wake and to find a processor each.
   */
  readonly warmMs: number
  /** Called after each entrant's turn. */
  readonly onTurn?: (entrant: Entrant) => void
}

interface State {
  readonly entrant: Entrant
  readonly samples: Sample[]
  checksum: number | undefined
  missing: string | undefined
  spentMs: number
}

/** An entrant is given up when one answer takes so many times the limit. */
const GRACE = 2

/** Until engines have compiled what runs often. */
const WARM_UP_MS = 200

const asked = async (state: State, question: Question, limitMs: number): Promise<Answer | undefined> => {
  const start = performance.now()
  try {
    const answer = await state.entrant.client.ask(question, limitMs)
    if (!answer) state.missing ??= `over ${Math.round(limitMs / 1000)} s`
    else if ('cannot' in answer) state.missing ??= answer.cannot
    return answer
  } catch (error) {
    state.missing ??= (error as Error).message
    return undefined
  } finally {
    state.spentMs += performance.now() - start
  }
}

/**
 * Times one piece of work on all entrants, round-robin: in each round every entrant takes one sample, and each round begins with
 * another entrant, so that a slow phase of the machine and its place in the order meet all alike. Warm-up is not counted.
 */
export const measure = async (work: Case, entrants: readonly Entrant[], o: MeasureOptions): Promise<Measurement[]> => {
  const states = entrants.map((entrant): State => ({ entrant, samples: [], checksum: undefined, missing: undefined, spentMs: 0 }))
  for (const state of states) {
    const answer = await asked(state, { prepare: work }, GRACE * o.limitMs)
    if (answer && 'prepared' in answer) {
      state.checksum = answer.prepared.checksum
      if (state.spentMs < o.limitMs) await asked(state, { sample: { leastMs: WARM_UP_MS } }, GRACE * o.limitMs)
    }
    state.spentMs = 0
    o.onTurn?.(state.entrant)
  }
  for (let round = 0; round < o.rounds; round++) {
    for (let turn = 0; turn < states.length; turn++) {
      const state = states[(round + turn) % states.length]!
      if (state.missing === undefined && (state.samples.length === 0 || state.spentMs < o.limitMs)) {
        const isWarm = o.warmMs === 0 || (await asked(state, { sample: { leastMs: o.warmMs } }, GRACE * o.limitMs))
        const answer = isWarm && (await asked(state, { sample: { leastMs: o.leastMs } }, GRACE * o.limitMs))
        if (answer && 'sample' in answer) state.samples.push(answer.sample)
      }
      o.onTurn?.(state.entrant)
    }
  }
  for (const state of states) if (state.missing === undefined) await asked(state, { release: true }, o.limitMs)
  return states.map(({ entrant: { name, threads }, samples, checksum, missing }) => ({ name, threads, samples, checksum, missing }))
}
