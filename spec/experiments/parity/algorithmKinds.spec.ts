import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { loadSafetensors, saveSafetensors } from '../../../core/io/files.ts'
import type { HostTensor } from '../../../core/io/hostTensor.ts'
import { purifierOf, recordedAttack } from '../../../experiments/parity/dwBoxFile.ts'
import { openGoldenFolder } from '../../../experiments/parity/goldenFolder.ts'
import { parity } from '../../../experiments/parity/parity.ts'

const GOLDEN = new URL('../../golden', import.meta.url).pathname
const NETWORKS = ['tiny_unet.weights', 'tiny_wide10_1.weights']

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

/** A folder with the named golden files, of which `change` has altered the tensors of the first. */
const altered = (names: readonly string[], change: (tensors: Record<string, HostTensor>) => void, metadata = {}): string => {
  const folder = mkdtempSync(join(tmpdir(), 'parity-'))
  folders.push(folder)
  for (const name of names) cpSync(join(GOLDEN, `${name}.safetensors`), join(folder, `${name}.safetensors`))
  const path = join(folder, `${names[0]}.safetensors`)
  const file = loadSafetensors(path)
  change(file.tensors)
  saveSafetensors(path, file.tensors, { ...file.metadata, ...metadata })
  return folder
}

const missed = async (folder: string, backend = 'cpu'): Promise<string[]> =>
  (await parity(folder, { backend })).rows.filter(row => !row.ok).map(row => row.tensor)

describe('golden vectors of algorithms', () => {
  it('should miss each changed tensor of a schedule, and no other', async () => {
    const changed = ['betas', 'timesteps.50', 'purify_timesteps.100.0.1', 'ddpm.50.fixed_small.t480.prev', 'ddpm.50.fixed_large.t100.x0']
    const more = ['ddpm.100.fixed_large.t990.var', 'add_noise.t100']
    const folder = altered(['sched_ddpm'], tensors => {
      for (const name of [...changed, ...more]) tensors[name]!.values[0]! += name.includes('timesteps') ? 1 : 2e-3
    })
    expect(await missed(folder, 'reference')).toEqual(
      ['betas', 'betas (float32 rounding)', ...changed.slice(1), ...more].sort(byFile(folder)),
    )
  })

  it('should take the steps of DDIM from their names', async () => {
    const folder = altered(['sched_ddpm'], tensors => {
      const kept = Object.fromEntries(['sample', 'model_output'].map(name => [name, tensors[name]!]))
      // The last step of either process is the clipped image estimate; between others they differ.
      const renamed = {
        'ddim.50.t0.prev': tensors['ddpm.50.fixed_large.t0.prev']!,
        'ddim.50.t100.x0': tensors['ddpm.50.fixed_large.t100.x0']!,
        'ddim.50.t100.prev': tensors['ddpm.50.fixed_large.t100.prev']!,
      }
      for (const name of Object.keys(tensors)) delete tensors[name]
      Object.assign(tensors, kept, renamed)
    })
    const { rows } = await parity(folder, { backend: 'reference' })
    expect(Object.fromEntries(rows.map(row => [row.tensor, row.ok]))).toEqual({
      'ddim.50.t0.prev': true,
      'ddim.50.t100.x0': true,
      'ddim.50.t100.prev': false,
    })
  })

  it('should miss two values of a mapping that changed places', async () => {
    const folder = altered(['rbgm'], ({ delta }) => {
      const { values } = delta!
      ;[values[7], values[8]] = [values[8]!, values[7]!]
    })
    expect(await missed(folder, 'reference')).toEqual(['delta'])
  })

  it('should miss an attack whose noise, gradient or signs are not the recorded ones', async () => {
    const folder = altered(['dwbox_ddpm_linf', ...NETWORKS], tensors => {
      tensors['step0.grad']!.values[100]! *= -1
      for (let i = 0; i < 20; i++) tensors['step2.delta']!.values[i]! *= -1
    })
    expect(await missed(folder)).toEqual(['step2.delta (share differing)', 'step0.grad'])
    const other = altered(['dwbox_ddpm_linf', ...NETWORKS], tensors => {
      tensors.reverse_noise!.values.fill(0, 6144, 6144 * 2)
    })
    expect(await missed(other)).toEqual(expect.arrayContaining(['first.xt.1', 'step0.grad', 'final_logits']))
  })
})

/** Orders tensor names as they come in the report: as in the file. */
const byFile = (folder: string) => {
  const names = openGoldenFolder(folder).load('sched_ddpm').tensorNames
  const place = (name: string): number => names.indexOf(name.split(' ', 1)[0]!)
  return (a: string, b: string): number => place(a) - place(b)
}

describe('a recorded attack', () => {
  const opened = (name: string, metadata: Record<string, string>) => {
    const folder = mkdtempSync(join(tmpdir(), 'parity-'))
    folders.push(folder)
    const integers = (...values: number[]): HostTensor => ({ dtype: 'I64', shape: [values.length], values: Float64Array.from(values) })
    const tensors = { timesteps: integers(40, 20, 0), 'step0.delta': integers(0), 'step1.delta': integers(0), adv: integers(0) }
    saveSafetensors(join(folder, `${name}.safetensors`), tensors, metadata)
    return openGoldenFolder(folder).load(name)
  }
  const epsilonTheta = () => {
    throw new Error('not called')
  }

  it('should take norm, budget and steps from the file', () => {
    const linf = recordedAttack(opened('dwbox_ddpm_linf', { note: 'eps 4/255 alpha 1/255 in pixel units' }))
    expect(linf).toEqual({ norm: 'linf', epsilon: 4 / 255, stepSize: 1 / 255, steps: 2, eotSamples: 1 })
    expect(recordedAttack(opened('dwbox_ddpm_l2_strong', { eps: '1.5' }))).toMatchObject({ norm: 'l2', epsilon: 1.5, stepSize: 0.1 })
    expect(recordedAttack(opened('dwbox_ddpm_linf', {}))).toMatchObject({ epsilon: 8 / 255, stepSize: 2 / 255 })
  })

  it('should take timesteps and reverse process from the file', () => {
    const small = purifierOf(opened('dwbox_ddpm_linf', { note: 'fixed_small' }), epsilonTheta)
    expect(small.reverse).toEqual({ kind: 'ddpm', variance: 'fixedSmall' })
    expect(small.intervals).toEqual([
      { t: 40, s: 20 },
      { t: 20, s: 0 },
      { t: 0, s: -1 },
    ])
    expect(purifierOf(opened('dwbox_ddpm_linf', {}), epsilonTheta).reverse).toEqual({ kind: 'ddpm', variance: 'fixedLarge' })
    expect(purifierOf(opened('dwbox_ddim_linf', {}), epsilonTheta).reverse).toEqual({ kind: 'ddim', eta: 0 })
  })
})
