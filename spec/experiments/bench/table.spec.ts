import { describe, expect, it } from 'vitest'
import { disagreements, renderTable, shortNumber } from '../../../experiments/bench/table.ts'
import { painter } from '../../../experiments/report/ansi.ts'
import { measurementOf, resultOf, rowOf, samplesOf } from './results.ts'

const plain = { paint: painter(false), width: 200, reference: 'pytorch' }
const row = rowOf({ measure: { of: 'ratio', to: 'pytorch' }, bar: 0.7, goal: 0.5 }, { measure: { of: 'rate' }, bar: 40, goal: 44.6 })
const result = resultOf(row, [
  measurementOf('dbp', samplesOf(40, 30, 50)),
  measurementOf('pytorch', samplesOf(60, 50, 75)),
  measurementOf('jax-js', samplesOf(400, 300, 500)),
  measurementOf('tfjs-wasm', [], { checksum: undefined, missing: 'Kernel not registered' }),
  measurementOf('onnxruntime-web', [], { checksum: undefined, missing: 'not supported' }),
])

describe('renderTable', () => {
  it('should show medians, minima, rate, ratio and one verdict per line', () => {
    const lines = renderTable([result], plain).split('\n')
    expect(lines[0]).toBe('1 thread, processor time, medians')
    expect(lines[2]).toMatch(/^matmul 1000 +40\.0 +30\.0 +50\.0 +60\.0 +50\.0 +0\.667 +✔ bar +0\.667 \(<= 0\.700, goal 0\.500\) x pytorch$/)
    expect(lines[3]).toMatch(/^ +✔ goal 50\.0 GFLOP\/s \(>= 40\.0, goal 44\.6\) per thread$/)
    expect(lines[3]!.indexOf('✔')).toBe(lines[2]!.indexOf('✔'))
  })

  it('should show other peers as multiples of our time, and say why one is missing unless it lacks the op', () => {
    const text = renderTable([result], plain)
    expect(text).toMatch(/^matmul 1000 +400 \(10\.0x\) +– +–$/m)
    expect(text).toContain('tfjs-wasm: Kernel not registered (matmul 1000)')
    expect(text).not.toContain('not supported')
  })

  it('should show what separate processes gain beside the speedup, and not among the peers', () => {
    const speedup = rowOf({ measure: { of: 'speedup' }, bar: 1.8, goal: 1.95 })
    const measurements = [measurementOf('dbp', samplesOf(20)), measurementOf('processes', samplesOf(16))]
    const lines = renderTable([resultOf(speedup, measurements, { threads: 2, clock: 'wall', single: samplesOf(24) })], plain).split('\n')
    expect(lines).toHaveLength(3)
    expect(lines[2]).toMatch(/✘ miss 1\.20x \(>= 1\.80, goal 1\.95\) speedup, 1\.50x by separate processes$/)
  })

  it('should do without peers', () => {
    const alone = resultOf(row, [measurementOf('dbp', samplesOf(80))])
    const lines = renderTable([alone], { ...plain, reference: undefined }).split('\n')
    expect(lines).toHaveLength(4)
    expect(lines[2]).toMatch(/– not measured \(<= 0\.700, goal 0\.500\) x pytorch$/)
    expect(lines[3]).toMatch(/✘ miss 25\.0 GFLOP\/s/)
  })
})

describe('disagreements', () => {
  it('should name results that are not ours', () => {
    const measurements = [
      measurementOf('dbp', samplesOf(1), { checksum: 2 }),
      measurementOf('pytorch', samplesOf(1), { checksum: 2.001 }),
      measurementOf('jax-js', samplesOf(1), { checksum: 2.1 }),
    ]
    expect(disagreements([resultOf(row, measurements)])).toEqual(['jax-js, matmul 1000: another result, 2.1 instead of 2'])
  })
})

describe('shortNumber', () => {
  it('should write three significant digits without an exponent', () => {
    expect([0.0893, 0.535, 3.456, 44.55, 99.99, 100.4, 4110.7, 0, Number.NaN].map(shortNumber)).toEqual([
      '0.0893',
      '0.535',
      '3.46',
      '44.5',
      '100.0',
      '100',
      '4111',
      '0.0000',
      '–',
    ])
  })
})
