import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { loadSafetensors, saveSafetensors } from '../../../core/io/files.ts'
import { judge } from '../../../experiments/parity/comparison.ts'
import { formatReport } from '../../../experiments/parity/format.ts'
import { parity } from '../../../experiments/parity/parity.ts'

const GOLDEN = new URL('../../golden', import.meta.url).pathname

const folders: string[] = []
const copyOf = (...names: string[]): string => {
  const folder = mkdtempSync(join(tmpdir(), 'parity-'))
  folders.push(folder)
  for (const name of names) cpSync(join(GOLDEN, name), join(folder, name))
  return folder
}
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

const host = (values: number[], dtype: 'F32' | 'F64' = 'F32') => ({
  dtype,
  shape: [values.length],
  values: dtype === 'F32' ? Float32Array.from(values) : Float64Array.from(values),
})

describe('judge', () => {
  const judged = (
    actual: number[],
    expected = host([-4, 2]),
    quantity: 'output' | 'gradient' | 'exact' = 'output',
    float: 'float32' | 'float64' = 'float32',
  ) => judge({ file: 'f', tensor: 't', quantity, actual: { shape: [actual.length], values: actual }, expected }, float)

  it('should measure the largest difference against the largest expected value', () => {
    const row = judged([-4, 2.0002])
    expect(row.maxAbsError).toBeCloseTo(2e-4, 12)
    expect(row.relativeError).toBeCloseTo(5e-5, 12)
    expect(row.ok).toBe(true)
    expect(judged([-4, 2.0006]).ok).toBe(false)
    expect(judged([-4, 2.0006], host([-4, 2]), 'gradient').ok).toBe(true)
    expect(judged([-4, 2 + 1e-9], host([-4, 2], 'F64'), 'exact').ok).toBe(false)
  })

  it('should hold float64 against float64 to 1e-9', () => {
    const expected = host([-4, 2], 'F64')
    expect(judged([-4, 2 + 1e-8], expected, 'gradient', 'float64').ok).toBe(false)
    expect(judged([-4, 2 + 1e-9], expected, 'gradient', 'float64').ok).toBe(true)
    expect(judged([-4, 2 + 1e-8], expected, 'gradient', 'float32').ok).toBe(true)
  })

  it('should miss on another shape and on values that are no numbers', () => {
    expect(judged([-4]).ok).toBe(false)
    expect(judged([-4, Number.NaN]).ok).toBe(false)
    expect(judged([Number.NaN, 2]).ok).toBe(false)
    expect(judged([Number.POSITIVE_INFINITY, 2]).ok).toBe(false)
  })
})

describe('parity', () => {
  it('should agree with every golden vector of the project on the fast backend', async () => {
    const report = await parity(GOLDEN, { backend: 'cpu' })
    expect(report.rows.filter(row => !row.ok)).toEqual([])
    expect(report.rows.map(row => `${row.file} ${row.tensor}`)).toEqual(
      expect.arrayContaining([
        'timestep_embedding ddpm_dim128',
        'sched_ddpm alphas_cumprod (float32 rounding)',
        'sched_ddpm purify_timesteps.50.0.1',
        'sched_ddpm ddpm.50.fixed_large.t100.prev',
        'sched_ddpm ddpm.1000.fixed_small.t1.var',
        'rbgm rank',
        'dwbox_ddpm_linf first.xt.4',
        'dwbox_ddpm_linf step2.delta (share differing)',
        'dwbox_ddpm_linf final_logits',
      ]),
    )
    expect([...report.unread, ...report.unsupported]).toEqual([])
    expect(report.loaded).toEqual(['tiny_unet', 'tiny_wide10_1'])
    expect(report.missing).toEqual([])
    expect(report.ok).toBe(true)
  })

  it('should miss when an expected value is changed', async () => {
    const folder = copyOf('timestep_embedding.safetensors')
    const path = join(folder, 'timestep_embedding.safetensors')
    const { tensors } = loadSafetensors(path)
    tensors.dim16!.values[5]! += 2e-4
    saveSafetensors(path, tensors)
    const report = await parity(folder, { backend: 'reference' })
    expect(report.rows.map(row => [row.tensor, row.ok])).toEqual([
      ['ddpm_dim128', true],
      ['dim16', false],
    ])
    expect(report.ok).toBe(false)
    expect(formatReport(report)).toMatch(/dim16 .* MISS/)
  })

  it('should name kinds it cannot check, tensors it does not compare and files that are gone', async () => {
    const folder = copyOf('timestep_embedding.safetensors')
    saveSafetensors(join(folder, 'unheard_of.io.safetensors'), { x: host([1]) })
    const weights = loadSafetensors(join(GOLDEN, 'tiny_wide10_1.weights.safetensors'))
    saveSafetensors(join(folder, 'wide_other.weights.safetensors'), weights.tensors, weights.metadata)
    saveSafetensors(join(folder, 'wide_other.oddity.safetensors'), { x: host([1]) })
    writeFileSync(join(folder, 'manifest.json'), '{"gone": {}}')
    const report = await parity(folder, { backend: 'reference' })
    expect(report.unsupported).toEqual(['unheard_of'])
    expect(report.unread).toEqual(['wide_other.oddity: (whole file)'])
    expect(report.missing).toEqual(['gone'])
    expect(report.ok).toBe(false)
  })

  it('should compare every output, gradient and statistic of a network with what its file expects', async () => {
    const folder = copyOf('tiny_wide10_1.weights.safetensors')
    const x = { dtype: 'F32', shape: [2, 3, 8, 8], values: new Float32Array(384).map((_, i) => Math.sin(i)) } as const
    const zeros = { dtype: 'F32', shape: [2, 10], values: new Float32Array(20) } as const
    const zeroX = { ...x, values: new Float32Array(384) }
    saveSafetensors(join(folder, 'tiny_wide10_1.train.safetensors'), {
      x,
      r: zeros,
      out: zeros,
      grad_x: zeroX,
      'after.bn1.running_mean': host(Array(64).fill(0)),
    })
    const { rows } = await parity(folder, { backend: 'cpu' })
    // The cotangent r is zero, hence the gradient; the others cannot be zero.
    expect(rows.map(row => [row.tensor, row.ok])).toEqual([
      ['out', false],
      ['grad_x', true],
      ['after.bn1.running_mean', false],
    ])
  })

  it('should fail in one line on a folder that is missing or empty, and on damaged files', async () => {
    await expect(parity('/no/such/folder')).rejects.toThrow(/^\/no\/such\/folder: .*; .*$/)
    await expect(parity(copyOf())).rejects.toThrow('holds no .safetensors file')
    const folder = copyOf('timestep_embedding.safetensors')
    const path = join(folder, 'timestep_embedding.safetensors')
    writeFileSync(path, readFileSync(path).subarray(0, 2000))
    await expect(parity(folder)).rejects.toThrow(/^[^\n]*timestep_embedding.safetensors: [^\n]*$/)
    writeFileSync(join(folder, 'manifest.json'), '{')
    await expect(parity(folder)).rejects.toThrow(/manifest.json: not valid JSON/)
  })

  it('should fail in one line on weights that do not fit their configuration or have none', async () => {
    const folder = copyOf('tiny_unet.weights.safetensors')
    const path = join(folder, 'tiny_unet.weights.safetensors')
    const { tensors, metadata } = loadSafetensors(path)
    const { 'conv_in.bias': _, ...rest } = tensors
    saveSafetensors(path, rest, metadata)
    await expect(parity(folder)).rejects.toThrow('1 missing (conv_in.bias)')
    saveSafetensors(path, tensors)
    await expect(parity(folder)).rejects.toThrow('gives a "config"')
    saveSafetensors(path, tensors, { config: '{"act_fn": "mish"}' })
    await expect(parity(folder)).rejects.toThrow('act_fn is "mish"')
  })
})
