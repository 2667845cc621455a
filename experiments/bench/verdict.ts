import { flopsOf } from './cases.ts'
import { OURS, PROCESSES } from './contestants.ts'
import type { Measurement } from './measure.ts'
import type { Sample } from './protocol.ts'
import type { Requirement, Row } from './rows.ts'
import { median, pairedRatio } from './statistics.ts'

export type Outcome = 'goal' | 'bar' | 'miss' | 'unknown'

/** A requirement, what was measured for it, and whether that suffices. NaN is never enough, and `unknown`. */
export interface Judgement {
  readonly requirement: Requirement
  readonly value: number
  readonly outcome: Outcome
  /** Of a speedup: that of as many processes, each for itself; NaN when it was not measured. */
  readonly possible?: number
}

/** Which time of a sample counts. */
export type Clock = 'cpu' | 'wall'

/**
 * Processor time with one thread, since others may use the machine; elapsed time with more, since waiting is what they are to
 * avoid. An own choice overrides it.
 */
export const clockFor = (threads: number, chosen?: Clock): Clock => chosen ?? (threads === 1 ? 'cpu' : 'wall')

export const timesOf = (samples: readonly Sample[], clock: Clock): number[] =>
  samples.map(({ cpuMs, wallMs }) => (clock === 'cpu' ? cpuMs : wallMs))

/** What was measured for one row at one number of threads. */
export interface RowResult {
  readonly row: Row
  readonly threads: number
  readonly clock: Clock
  readonly measurements: readonly Measurement[]
  /** Our own samples with one thread; empty when those were not taken. */
  readonly single: readonly Sample[]
}

const samplesOf = ({ measurements }: RowResult, name: string): readonly Sample[] =>
  measurements.find(each => each.name === name)?.samples ?? []

/** Our time over a peer's, the median over rounds; NaN when one of them is missing. */
export const ratioTo = (result: RowResult, peer: string): number => {
  const times = (name: string): number[] => timesOf(samplesOf(result, name), result.clock)
  return pairedRatio(times(OURS), times(peer))
}

const better = { ratio: 'less', microseconds: 'less', rate: 'more', speedup: 'more' } as const

/** Elapsed time with one thread over that of a contestant with more. */
const speedupOf = (result: RowResult, name: string): number =>
  result.threads === 1 ? Number.NaN : pairedRatio(timesOf(result.single, 'wall'), timesOf(samplesOf(result, name), 'wall'))

const measured = (result: RowResult, { measure }: Requirement): number => {
  const { row, threads, clock } = result
  const own = samplesOf(result, OURS)
  if (measure.of === 'ratio') return ratioTo(result, measure.to)
  if (measure.of === 'microseconds') return (1000 * median(timesOf(own, clock))) / measure.per
  if (measure.of === 'rate') return (flopsOf(row.work) ?? Number.NaN) / median(timesOf(own, clock)) / 1e6 / threads
  return speedupOf(result, OURS)
}

/** Holds a row to its requirements; speedup is asked only of more than one thread. */
export const judge = (result: RowResult): Judgement[] =>
  result.row.requirements
    .filter(({ measure }) => measure.of !== 'speedup' || result.threads > 1)
    .map(requirement => {
      const value = measured(result, requirement)
      const reaches = (mark: number): boolean => (better[requirement.measure.of] === 'less' ? value <= mark : value >= mark)
      const outcome = Number.isNaN(value) ? 'unknown' : reaches(requirement.goal) ? 'goal' : reaches(requirement.bar) ? 'bar' : 'miss'
      const possible = requirement.measure.of === 'speedup' ? { possible: speedupOf(result, PROCESSES) } : {}
      return { requirement, value, outcome, ...possible }
    })
