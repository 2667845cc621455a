import { describe, expect, it, vi } from 'vitest'
import { openWebgpu } from '../../../core/backends/gpu/webgpu/open.ts'
import { tileName, usualTiles } from '../../../core/backends/gpu/wgsl/tile.ts'
import { isTuning, productKinds } from '../../../core/backends/gpu/wgsl/tuning.ts'
import { conv, gemm } from '../../../experiments/gpu/rates.ts'
import { trials, tune } from '../../../experiments/gpu/tune.ts'
import { gpuBackendsUnderTest } from '../../support/backends.ts'

describe.skipIf(!gpuBackendsUnderTest.includes('gpu:webgpu'))('measuring tiles', () => {
  it('should time each tile on each kind that is asked for, and say what the fastest gains', async () => {
    const candidates = usualTiles.slice(1)
    const opened = (await openWebgpu())!
    const built = vi.spyOn(opened.device, 'createShaderModule')
    const { tuning, choices } = await tune(opened, {
      tasks: { gemm: [gemm(64)], skinny: [gemm(64, 8)], conv2d: [conv(1, 4, 16)] },
      candidates,
    })
    const products = built.mock.calls.map(([{ code }]) => code).filter(code => code.includes('slice_left'))
    expect(products, 'two tiles of matrix products, two of convolutions').toHaveLength(4)
    built.mockRestore()
    expect(isTuning(tuning)).toBe(true)
    expect(choices.map(({ kind }) => kind)).toEqual(['gemm', 'skinny', 'conv2d'])
    for (const { kind, tile, usual, gain } of choices) {
      expect(tuning[kind]!.map(({ costs }) => Object.keys(costs))).toEqual([candidates.map(tileName)])
      expect(usual).toBe(tileName(usualTiles.at(-1)!))
      expect(gain).toBeGreaterThanOrEqual(1)
      if (tile === usual) expect(gain).toBe(1)
    }
    expect([tuning.gemm, tuning.skinny, tuning.conv2d].map(levels => levels![0]!.results)).toEqual([4096, 512, 1024])
  })
})

it('should have something to time for every kind, smallest first', () => {
  for (const kind of productKinds) {
    const work = trials[kind].map(task => task.work)
    expect(work.length).toBeGreaterThan(1)
    expect(work).toEqual([...work].sort((a, b) => a - b))
  }
})
