import type { BenchResults } from './bench.ts'
import { flopsOf } from './cases.ts'
import { median } from './statistics.ts'
import { judge, ratioTo, timesOf } from './verdict.ts'

/** NaN, which JSON has not, becomes null. */
const finite = (value: number): number | null => (Number.isFinite(value) ? value : null)

/** The results as they are written: machine, versions, date, every sample, and what follows from them. */
export const resultsJson = ({ provenance, rounds, versions, absent, reference, results }: BenchResults): object => ({
  provenance,
  rounds,
  versions,
  absent,
  reference: reference ?? null,
  rows: results.map(result => ({
    title: result.row.title,
    work: result.row.work,
    flops: flopsOf(result.row.work) ?? null,
    threads: result.threads,
    clock: result.clock,
    contestants: result.measurements.map(({ name, samples, checksum, missing }) => {
      const times = timesOf(samples, result.clock)
      return {
        name,
        medianMs: finite(median(times)),
        bestMs: times.length > 0 ? Math.min(...times) : null,
        ourRatio: finite(ratioTo(result, name)),
        checksum: checksum ?? null,
        missing: missing ?? null,
        samples,
      }
    }),
    judgements: judge(result).map(({ requirement, value, outcome, possible }) => ({
      ...requirement,
      value: finite(value),
      outcome,
      ...(possible === undefined ? {} : { possible: finite(possible) }),
    })),
  })),
})
