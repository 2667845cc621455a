import type { Measurement } from '../../../experiments/bench/measure.ts'
import type { Sample } from '../../../experiments/bench/protocol.ts'
import type { Requirement, Row } from '../../../experiments/bench/rows.ts'
import type { RowResult } from '../../../experiments/bench/verdict.ts'

/** Samples of so many milliseconds of processor time, and twice as many elapsed. */
export const samplesOf = (...cpuMs: number[]): Sample[] => cpuMs.map(ms => ({ cpuMs: ms, wallMs: 2 * ms, repetitions: 1 }))

export const measurementOf = (name: string, samples: readonly Sample[], more: Partial<Measurement> = {}): Measurement => ({
  name,
  threads: 1,
  samples,
  checksum: 1,
  missing: undefined,
  ...more,
})

/** A multiplication of 1000x1000 matrices, 2 GFLOP. */
export const rowOf = (...requirements: Requirement[]): Row => ({
  title: 'matmul 1000',
  work: { kind: 'matmul', size: 1000 },
  requirements,
  quick: true,
})

export const resultOf = (row: Row, measurements: readonly Measurement[], more: Partial<RowResult> = {}): RowResult => ({
  row,
  threads: 1,
  clock: 'cpu',
  measurements,
  single: [],
  ...more,
})
