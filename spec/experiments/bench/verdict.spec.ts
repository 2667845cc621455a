import { describe, expect, it } from 'vitest'
import type { Requirement } from '../../../experiments/bench/rows.ts'
import { clockFor, judge, ratioTo } from '../../../experiments/bench/verdict.ts'
import { measurementOf, resultOf, rowOf, samplesOf } from './results.ts'

const ratio: Requirement = { measure: { of: 'ratio', to: 'pytorch' }, bar: 2, goal: 1 }
const rate: Requirement = { measure: { of: 'rate' }, bar: 40, goal: 50 }
const perOp: Requirement = { measure: { of: 'microseconds', per: 1000 }, bar: 40, goal: 25 }
const speedup: Requirement = { measure: { of: 'speedup' }, bar: 1.8, goal: 1.95 }

const outcomeOf = (requirement: Requirement, ours: number, theirs = 1): string =>
  judge(resultOf(rowOf(requirement), [measurementOf('dbp', samplesOf(ours)), measurementOf('pytorch', samplesOf(theirs))]))[0]!.outcome

describe('judge', () => {
  it('should want ratios and times small, with bar and goal included', () => {
    expect([1, 1.01, 2, 2.01].map(ours => outcomeOf(ratio, ours))).toEqual(['goal', 'bar', 'bar', 'miss'])
    expect([25, 26, 40, 41].map(ours => outcomeOf(perOp, ours))).toEqual(['goal', 'bar', 'bar', 'miss'])
  })

  it('should want rates large: 2 GFLOP in 40 ms are 50 GFLOP/s', () => {
    expect([40, 41, 50, 51].map(ours => outcomeOf(rate, ours))).toEqual(['goal', 'bar', 'bar', 'miss'])
  })

  it('should hold a rate to its bar per thread', () => {
    const result = resultOf(rowOf(rate), [measurementOf('dbp', samplesOf(10))], { threads: 2, clock: 'wall' })
    expect(judge(result)).toMatchObject([{ value: 50, outcome: 'goal' }])
  })

  it('should ask for a speedup only with more threads, from elapsed times', () => {
    const ours = [measurementOf('dbp', samplesOf(10, 20))]
    expect(judge(resultOf(rowOf(speedup), ours, { single: samplesOf(10, 20) }))).toEqual([])
    const judgements = judge(resultOf(rowOf(speedup), ours, { threads: 2, clock: 'wall', single: samplesOf(19, 38) }))
    expect(judgements).toMatchObject([{ value: 1.9, outcome: 'bar' }])
  })

  it('should set beside a speedup that of separate processes', () => {
    const measurements = [measurementOf('dbp', samplesOf(10, 20)), measurementOf('processes', samplesOf(8, 16))]
    const more = { threads: 2, clock: 'wall', single: samplesOf(12, 24) } as const
    expect(judge(resultOf(rowOf(speedup, rate), measurements, more)).map(({ possible }) => possible)).toEqual([1.5, undefined])
    expect(judge(resultOf(rowOf(speedup), measurements.slice(0, 1), more))).toMatchObject([{ value: 1.2, possible: Number.NaN }])
  })

  it('should not know without a peer, without samples, or without a run on one thread', () => {
    const alone = [measurementOf('dbp', samplesOf(1))]
    expect(judge(resultOf(rowOf(ratio), alone))).toMatchObject([{ outcome: 'unknown' }])
    expect(judge(resultOf(rowOf(rate, perOp), [measurementOf('dbp', [])])).map(({ outcome }) => outcome)).toEqual(['unknown', 'unknown'])
    expect(judge(resultOf(rowOf(speedup), alone, { threads: 2, clock: 'wall' }))).toMatchObject([{ outcome: 'unknown' }])
  })
})

describe('ratioTo', () => {
  it('should pair the rounds and use the clock of the result', () => {
    const ours = [
      { cpuMs: 2, wallMs: 9, repetitions: 1 },
      { cpuMs: 20, wallMs: 90, repetitions: 1 },
      { cpuMs: 3, wallMs: 9, repetitions: 1 },
    ]
    const measurements = [measurementOf('dbp', ours), measurementOf('pytorch', samplesOf(1, 10, 1))]
    expect(ratioTo(resultOf(rowOf(), measurements), 'pytorch')).toBe(2)
    expect(ratioTo(resultOf(rowOf(), measurements, { clock: 'wall' }), 'pytorch')).toBe(4.5)
  })
})

describe('clockFor', () => {
  it('should count processor time with one thread and elapsed time with more, unless told', () => {
    expect([clockFor(1), clockFor(2), clockFor(1, 'wall'), clockFor(2, 'cpu')]).toEqual(['cpu', 'wall', 'wall', 'cpu'])
  })
})
