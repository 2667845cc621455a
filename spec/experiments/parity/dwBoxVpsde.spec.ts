import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadSafetensors, saveSafetensors } from '../../../core/io/files.ts'
import type { HostTensor } from '../../../core/io/hostTensor.ts'
import { vpsdePurifierOf } from '../../../experiments/parity/dwBoxVpsdeFile.ts'
import { openGoldenFolder } from '../../../experiments/parity/goldenFolder.ts'
import { type ParityReport, parity } from '../../../experiments/parity/parity.ts'
import { type Rules, SIZE, writeVpsdeFolder } from './dwBoxVpsdeFolder.ts'

const NAME = 'dwbox_vpsde_linf'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vpsde-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const missed = ({ rows }: ParityReport): string[] => rows.filter(row => !row.ok).map(row => row.tensor)

/** What is missed with the file's tensors changed. The file is left as it was. */
const missedWith = async (change: (tensors: Record<string, HostTensor>) => void): Promise<string[]> => {
  const path = join(folder, `${NAME}.safetensors`)
  const intact = loadSafetensors(path)
  const { tensors, metadata } = loadSafetensors(path)
  change(tensors)
  saveSafetensors(path, tensors, metadata)
  try {
    return missed(await parity(folder))
  } finally {
    saveSafetensors(path, intact.tensors, metadata)
  }
}

describe('a recorded attack on a VPSDE purifier', () => {
  beforeAll(() => writeVpsdeFolder(folder))

  it.each(['cpu', 'reference'])('should agree with plain loops over the Euler-Maruyama steps on %s', async backend => {
    const report = await parity(folder, { backend })
    expect(missed(report)).toEqual([])
    expect(report.unread).toEqual([])
    const compared = report.rows.map(row => row.tensor.split(' ', 1)[0])
    const perStep = ['purified', 'logits', 'loss', 'grad', 'grad64', 'delta']
    for (const name of [0, 1].flatMap(k => perStep.map(part => `step${k}.${part}`))) expect(compared).toContain(name)
    expect(compared).toEqual(expect.arrayContaining(['first.xt.0', 'first.xt.1', 'first.xt.2', 'adv', 'final_purified', 'final_logits']))
    if (backend === 'reference') {
      expect(report.rows.filter(row => row.tensor.endsWith('grad64')).map(row => row.bound)).toEqual([1e-9, 1e-9])
    }
  })

  it('should miss changed gradients and perturbations, and those alone', async () => {
    const wrong = await missedWith(tensors => {
      tensors['step0.grad']!.values[100]! *= -1
      for (let i = 0; i < 20; i++) tensors['step1.delta']!.values[i]! *= -1
    })
    expect(wrong).toEqual(['step1.delta (share differing)', 'step0.grad'])
  })

  it('should take the reverse noise by the row of its step, and none in the last', async () => {
    expect(await missedWith(({ reverse_noise }) => reverse_noise!.values.fill(0, 2 * SIZE))).toEqual([])
    const wrong = await missedWith(({ reverse_noise }) => reverse_noise!.values.fill(0, SIZE, 2 * SIZE))
    expect(wrong).not.toContain('first.xt.0')
    expect(wrong).toEqual(expect.arrayContaining(['first.xt.1', 'first.xt.2', 'step0.purified', 'step0.grad', 'final_logits']))
  })
})

describe('an implementation with other rules', () => {
  it.each<[string, Partial<Rules>, string]>([
    ['tells the network the time of 1000 steps', { labelScale: 999 }, 'first.xt.0'],
    ['adds noise in the last step', { noisyEnd: true }, 'first.xt.2'],
    ['clamps the result', { clamp: true }, 'step0.purified'],
  ])('should be missed when it %s', async (_, rules, first) => {
    await writeVpsdeFolder(folder, { ...rules, backend: 'cpu' })
    const wrong = missed(await parity(folder))
    expect(wrong).toContain(first)
    const before = ['first.xt.0', 'first.xt.1', 'first.xt.2', 'step0.purified']
    for (const name of before.slice(0, before.indexOf(first))) expect(wrong).not.toContain(name)
  })
})

describe('the purifier of a VPSDE file', () => {
  const purifierOf = (...times: number[]) => {
    const place = mkdtempSync(join(folder, 'times-'))
    saveSafetensors(join(place, `${NAME}.safetensors`), {
      timesteps: { dtype: 'F32', shape: [times.length], values: Float32Array.from(times) },
    })
    return vpsdePurifierOf(openGoldenFolder(place).load(NAME), () => {
      throw new Error('not called')
    })
  }

  it('should take step length and time label from the spacing of its times', () => {
    const purifier = purifierOf(...Array.from({ length: 101 }, (_, k) => 0.101 - k * 0.001))
    expect(purifier).toMatchObject({ labelScale: 999, clamp: false, reverse: { kind: 'sde' } })
    expect(purifier.intervals).toHaveLength(101)
    expect(new Set(purifier.intervals.map(({ dt }) => dt))).toEqual(new Set([1e-3]))
    expect(purifier.intervals[0]!.t).toBe(Math.fround(0.101))
    expect(purifierOf(1, 1 - 0.999 / 49).labelScale).toBe(49)
  })

  it.each<[string, number[], string]>([
    ['one time', [0.1], 'do not tell how far apart they are'],
    ['timesteps', [100, 99, 98], 'are not all above 0 and at most 1'],
    ['rising times', [0.1, 0.2, 0.3], 'do not fall in equal steps'],
    ['uneven times', [0.3, 0.2, 0.15], 'do not fall in equal steps'],
  ])('should refuse %s', (_, times, rule) => {
    expect(() => purifierOf(...times)).toThrow(rule)
  })
})
