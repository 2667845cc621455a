import { describe, expect, it } from 'vitest'
import { type Backend, loadBackend } from '../../../core/index.ts'
import { opRegistry } from '../../../core/op.ts'
import { checkOps } from '../../../experiments/gpu/checkOps.ts'
import { type DoctorReport, formatDoctor } from '../../../experiments/gpu/doctor.ts'
import { measureRates } from '../../../experiments/gpu/rates.ts'

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

  it('should count the work that it times', async () => {
    const rates = await measureRates(await loadBackend('gpu:webasm'), { gemm: 16, conv: [1, 2, 8], chain: 64 })
    expect(rates.map(({ milliseconds, perSecond, unit }) => milliseconds * perSecond * (unit === 'GFLOP/s' ? 1e6 : 1e3))).toEqual(
      [2 * 16 ** 3, 2 * 9 * 2 * 2 * 64, 4 * 64].map(work => expect.closeTo(work, 3)),
    )
  })
})
