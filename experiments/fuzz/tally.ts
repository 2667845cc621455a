import { type CaseResult, fuzzCases } from './fuzzCase.ts'

/** Cases of one format to run, and a folder for their files. */
export interface FuzzTask {
  readonly format: string
  readonly seed: number
  readonly from: number
  readonly to: number
  readonly folder: string
}

/** A summary of cases. */
export interface Tally {
  readonly loaded: number
  readonly refused: number
  readonly violations: readonly { readonly index: number; readonly rule: string }[]
  readonly slowest: { readonly index: number; readonly milliseconds: number }
  readonly largest: { readonly index: number; readonly bytes: number }
}

export const EMPTY: Tally = {
  loaded: 0,
  refused: 0,
  violations: [],
  slowest: { index: -1, milliseconds: 0 },
  largest: { index: -1, bytes: 0 },
}

/** Where a worker writes the number of the case it begins, so that it is known even of one that never ends. */
export const PLACE = 'place'

const added = (tally: Tally, index: number, { outcome, rule, milliseconds, bytes }: CaseResult): Tally => ({
  loaded: tally.loaded + (outcome === 'loaded' ? 1 : 0),
  refused: tally.refused + (outcome === 'refused' ? 1 : 0),
  violations: rule === undefined ? tally.violations : [...tally.violations, { index, rule }],
  slowest: milliseconds > tally.slowest.milliseconds ? { index, milliseconds } : tally.slowest,
  largest: bytes > tally.largest.bytes ? { index, bytes } : tally.largest,
})

/** Runs cases `from` to `to`, telling beforehand which one begins. */
export const runCases = async (task: FuzzTask, begins: (index: number) => void = () => {}): Promise<Tally> => {
  const cases = fuzzCases(task.format, task.seed, task.folder)
  let tally = EMPTY
  for (let index = task.from; index < task.to; index++) {
    begins(index)
    tally = added(tally, index, await cases.run(index))
  }
  return tally
}
