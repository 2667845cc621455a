import { describe, expect, it, vi } from 'vitest'
import { missingMode } from '../../../core/backends/gpu/modes.ts'
import { type Backend, loadBackend } from '../../../core/index.ts'
import { opRegistry } from '../../../core/op.ts'
import { checkOps } from '../../../experiments/gpu/checkOps.ts'
import { type DoctorReport, doctor, formatDoctor, measureTiles } from '../../../experiments/gpu/doctor.ts'
import { measureHostTime } from '../../../experiments/gpu/hostTime.ts'
import { peakOf } from '../../../experiments/gpu/peaks.ts'
import { chain, conv, copy, gemm, measure, norm, series } from '../../../experiments/gpu/rates.ts'

/** The reference backend with one op computed as `change` of its values. */
const faulty = async (name: string, change: (value: number) => number): Promise<Backend> => {
  const backend = await loadBackend('reference')
  return {
    ...backend,
    run(op, inputs, attributes, shape, dtype) {
      const storage = backend.run(op, inputs, attributes, shape, dtype)
      if (op.name !== name) return storage
      return backend.upload(
        Array.from(
          backend.readSync!(
            storage,
            shape.reduce((a, b) => a * b, 1),
          ),
          change,
        ),
        dtype,
      )
    },
  }
}

describe('gpu:doctor', () => {
  it('should check every registered op and find them right on the reference itself', async () => {
    const checks = await checkOps(await loadBackend('reference'), { cases: 2 })
    expect(checks.map(check => check.op)).toEqual([...opRegistry.keys()])
    expect(checks.every(({ ok, error }) => ok && error === 0)).toBe(true)
  })

  it.each<[string, (value: number) => number]>([
    ['off', v => v + 1e-4],
    ['NaN', () => Number.NaN],
    ['infinite', () => Infinity],
  ])('should find the one op that is %s', async (_, change) => {
    const checks = await checkOps(await faulty('softmax', change), { cases: 2 })
    expect(checks.filter(({ ok }) => !ok).map(({ op }) => op)).toEqual(['softmax'])
  })

  it('should find an op that throws, with its message', async () => {
    const throwing = await faulty('pad', () => {
      throw new Error('no such kernel')
    })
    const wrong = (await checkOps(throwing, { cases: 1 })).filter(({ ok }) => !ok)
    expect(wrong).toEqual([{ op: 'pad', error: 0, ok: false, failure: 'no such kernel' }])
    const report: DoctorReport = { best: 'webasm', ok: false, modes: [{ mode: 'webasm', present: true, ops: wrong, rates: [] }] }
    expect(formatDoctor(report)).toContain('WRONG    pad: no such kernel')
  })

  it('should time products of square matrices, and more work with each size of a series', () => {
    expect(series[0]!.map(({ name }) => name)).toEqual(['gemm 256', 'gemm 1024', 'gemm 4096'])
    for (const tasks of series) {
      const work = tasks.map(task => task.work)
      expect(work[0]).toBeGreaterThan(0)
      expect(work).toEqual([...new Set(work)].sort((a, b) => a - b))
    }
  })

  it('should count the work that it times', async () => {
    const backend = await loadBackend('gpu:webasm')
    const tasks = [gemm(16), conv(1, 2, 8), norm(1, 2, 4), chain(64), copy(64)]
    const work = [2 * 16 ** 3, 2 * 9 * 2 * 2 * 64, 32, 4 * 64, 2 * 4 * 64]
    for (const [i, task] of tasks.entries()) {
      const { milliseconds, perSecond, unit } = await measure(task, backend)
      expect((milliseconds / 1000) * perSecond * (unit === 'M elements/s' ? 1e6 : 1e9)).toBeCloseTo(work[i]!, 3)
    }
  })

  it('should tell adapter, driver, limits and the share of the peak of a card that it knows', () => {
    const adapter = {
      adapter: 'NVIDIA H100 PCIe',
      driver: '555',
      software: false,
      features: ['subgroups'],
      limits: { maxBufferSize: 9 },
      tiles: { choices: [] },
    }
    const rates = [{ name: 'gemm 4096', milliseconds: 1, perSecond: 5100, unit: 'GFLOP/s' }] as const
    const ops = [{ op: 'exp', error: 0, ok: true }]
    const on = (peak: ReturnType<typeof peakOf>) =>
      formatDoctor({
        best: 'webgpu',
        ok: true,
        modes: [{ mode: 'webgpu', present: true, adapter: { ...adapter, ...(peak && { peak }) }, ops, rates }],
      })
    const text = on(peakOf(adapter.adapter))
    for (const part of ['tiles    by size', 'half     not present', 'sums     of workgroups by subgroups']) expect(text).toContain(part)
    for (const part of ['adapter  NVIDIA H100 PCIe\n', 'driver   555', 'features subgroups', 'limit    maxBufferSize 9'])
      expect(text).toContain(part)
    expect(text).toContain("5.10e+3 GFLOP/s, 10 % of the card's 51000")
    expect(on(peakOf('llvmpipe'))).toContain('5.10e+3 GFLOP/s\n')
  })

  it('should go on when tiles cannot be measured or kept, and say why in one line', async () => {
    const info = { vendor: 'a', architecture: 'b', device: 'c', description: 'd' }
    const choices = [{ kind: 'gemm', task: 'gemm 4096', tile: 'large', usual: 'small', gain: 1.5 }] as const
    expect(await measureTiles(info, () => Promise.reject(new Error('the shader\nwas refused')))).toEqual({
      choices: [],
      failure: 'the shader was refused',
    })
    vi.stubEnv('DBP_CACHE', '/dev/null/cache')
    const tiles = await measureTiles(info, async () => ({ tuning: {}, choices })).finally(() => vi.unstubAllEnvs())
    expect(tiles).toEqual({ choices, failure: expect.stringMatching(/^\/dev\/null\/cache\/gpu-tuning: .+; .+$/) })
    const adapter = { adapter: 'c', driver: 'd', software: false, features: [], limits: {}, tiles }
    const ops = [{ op: 'exp', error: 0, ok: true }]
    const text = formatDoctor({ best: 'webgpu', ok: true, modes: [{ mode: 'webgpu', present: true, adapter, ops, rates: [] }] })
    expect(text).toContain(
      `  tiles    FAILED to be measured and kept: ${tiles.failure}\n  tile     gemm, gemm 4096: large, 1.50 times as fast as small\n`,
    )
  })

  it('should say what has computed each op, and measure nothing when it is to be quick', async () => {
    const report = await doctor({ modes: ['webasm'], quick: true })
    const [mode] = report.modes
    expect(mode).toMatchObject({ present: true, rates: [] })
    if (mode!.present) for (const { op, by } of mode!.ops) expect(by, op).toEqual(['gpu.js'])
    const ops = [
      { op: 'exp', error: 0, ok: true, by: ['WGSL'] },
      { op: 'pad', error: 0, ok: true, by: ['WGSL', 'gpu.js'] },
    ] as const
    const text = formatDoctor({ ...report, modes: [{ mode: 'webgpu', present: true, ops, rates: [] }] })
    expect(text).toContain('  computed 2 by WGSL; 1 by gpu.js: pad')
  })

  it('should time the host where steps are replayed, which cost it less than calling their ops', async () => {
    expect(await measureHostTime(await loadBackend('cpu'))).toBeUndefined()
    const ops = [{ op: 'exp', error: 0, ok: true }]
    const host = { perReplayedKernel: 4.96, perCalledOp: 38 }
    const text = formatDoctor({ best: 'webgpu', ok: true, modes: [{ mode: 'webgpu', present: true, ops, rates: [], host }] })
    expect(text).toContain('  host     5.0 us per kernel of a replayed step, 38.0 us per op called\n')
    if (await missingMode('webgpu')) return
    const measured = (await measureHostTime(await loadBackend('gpu:webgpu')))!
    expect(measured.perReplayedKernel).toBeGreaterThan(0)
    expect(measured.perReplayedKernel).toBeLessThan(measured.perCalledOp)
  })
})
