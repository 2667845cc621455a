import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { flopsOf } from '../../../experiments/bench/cases.ts'
import { threadCounts } from '../../../experiments/bench/command.ts'
import { findPython, programOf } from '../../../experiments/bench/contestants.ts'
import { missingPackages } from '../../../experiments/bench/installPeers.ts'
import { resultsJson } from '../../../experiments/bench/resultsJson.ts'
import { rows } from '../../../experiments/bench/rows.ts'
import { choosePeers, chooseRows } from '../../../experiments/bench/runBench.ts'
import { measurementOf, resultOf, rowOf, samplesOf } from './results.ts'

describe('bench options', () => {
  it('should read numbers of threads and refuse others', () => {
    expect(threadCounts('1,2')).toEqual([1, 2])
    for (const text of ['', '0', '1,', '1,1', 'two']) expect(() => threadCounts(text)).toThrow()
  })

  it('should choose rows by any of the texts, whatever their case, and fewer when quick', () => {
    const titles = (filter: string[] | undefined, quick = false): string[] => chooseRows({ filter, quick }).map(({ title }) => title)
    expect(titles(undefined)).toEqual(rows.map(({ title }) => title))
    expect(titles(['MATMUL', 'chained'])).toEqual(['matmul 512', 'matmul 1024', '1000 chained adds of 64 with gradient'])
    expect(titles(['matmul'], true)).toEqual(['matmul 512'])
    expect(() => titles(['fft'])).toThrow('no row has "fft" in its title; run without --filter to see all')
  })

  it('should take all peers, those named in the order of the table, or none', () => {
    expect(choosePeers(false)).toEqual([])
    expect(choosePeers(true)[0]).toBe('pytorch')
    expect(choosePeers(['tfjs-wasm', 'pytorch'])).toEqual(['pytorch', 'tfjs-wasm'])
    expect(() => choosePeers(['tensorflow'])).toThrow('there is no peer "tensorflow"; use pytorch,')
  })
})

describe('rows', () => {
  it('should have titles of their own and goals no easier than bars', () => {
    expect(new Set(rows.map(({ title }) => title)).size).toBe(rows.length)
    for (const { measure, bar, goal } of rows.flatMap(({ requirements }) => requirements)) {
      const atLeast = measure.of === 'rate' || measure.of === 'speedup'
      expect(atLeast ? goal - bar : bar - goal).toBeGreaterThanOrEqual(0)
    }
  })

  it('should count operations of a convolution and of its three passes', () => {
    const conv = { kind: 'conv2d', pass: 'forward', batch: 8, channels: 128, side: 32, kernel: 3, stride: 1 } as const
    expect(flopsOf(conv)).toBe(2 * 8 * 128 * 128 * 9 * 32 * 32)
    expect(flopsOf({ ...conv, pass: 'both', stride: 2 })).toBe((3 * flopsOf(conv)!) / 4)
    expect(flopsOf({ kind: 'adds', count: 3, size: 4 })).toBeUndefined()
  })
})

describe('peers', () => {
  it('should be missing unless exactly their version is installed', () => {
    const folder = mkdtempSync(join(tmpdir(), 'peers-'))
    const install = (name: string, version: string): void => {
      mkdirSync(join(folder, 'node_modules', name), { recursive: true })
      writeFileSync(join(folder, 'node_modules', name, 'package.json'), JSON.stringify({ version }))
    }
    try {
      install('@scope/right', '1.2.3')
      install('other', '1.2.4')
      expect(missingPackages(folder, { '@scope/right': '1.2.3', other: '1.2.3', absent: '1.0.0' })).toEqual(['other@1.2.3', 'absent@1.0.0'])
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('should start with their threads, and PyTorch only where a Python has it', () => {
    const o = { threads: 2, peers: '/peers', python: undefined, backend: 'gpu:cpu' }
    expect(programOf('pytorch', o)).toBeUndefined()
    expect(programOf('pytorch', { ...o, python: 'py' })).toMatchObject({ command: 'py', env: { OPENBLAS_NUM_THREADS: '2' } })
    expect(programOf('onnxruntime-web', o)).toMatchObject({
      env: { DBP_THREADS: '2', BENCH_CONTESTANT: 'onnxruntime-web', BENCH_PEERS: '/peers' },
    })
    expect(programOf('dbp', o)).toMatchObject({ env: { BENCH_BACKEND: 'gpu:cpu' } })
    expect(findPython(['/no/such/python'])).toBeUndefined()
  })
})

describe('resultsJson', () => {
  it('should hold every sample and what follows from them, and null for what is unknown', () => {
    const row = rowOf({ measure: { of: 'ratio', to: 'pytorch' }, bar: 2, goal: 1 })
    const ours = samplesOf(3, 1)
    const json = resultsJson({
      provenance: { seed: 0 } as never,
      rounds: 2,
      versions: { dbp: 'abc' },
      absent: { pytorch: 'no python' },
      reference: undefined,
      results: [resultOf(row, [measurementOf('dbp', ours), measurementOf('jax-js', [], { checksum: undefined, missing: 'over 9 s' })])],
    })
    expect(json).toMatchObject({
      reference: null,
      absent: { pytorch: 'no python' },
      rows: [
        {
          title: 'matmul 1000',
          flops: 2e9,
          contestants: [
            { name: 'dbp', medianMs: 2, bestMs: 1, ourRatio: 1, samples: ours },
            { name: 'jax-js', medianMs: null, bestMs: null, ourRatio: null, missing: 'over 9 s', samples: [] },
          ],
          judgements: [{ value: null, outcome: 'unknown' }],
        },
      ],
    })
  })
})
