import { describe, expect, it } from 'vitest'
import { chooseMode, gpuModes, missingMode } from '../../../core/backends/gpu/modes.ts'
import { openWebgpu } from '../../../core/backends/gpu/webgpu/open.ts'
import { backendNames, loadBackend } from '../../../core/index.ts'

const hasGl = (await missingMode('headlessgl')) === undefined

describe('the gpu backend', () => {
  it('should be there by every name', () => {
    expect(backendNames).toEqual(expect.arrayContaining(['gpu', ...gpuModes.map(mode => `gpu:${mode}`)]))
  })

  it('should be the best mode present: webgpu with a driver, headlessgl with its package and a display, else webasm', async () => {
    const best = (await openWebgpu()) ? 'webgpu' : hasGl ? 'headlessgl' : 'webasm'
    expect(await chooseMode('best')).toBe(best)
    expect((await loadBackend('gpu')).name).toBe(`gpu:${best}`)
    expect((await loadBackend('gpu:cpu')).name).toBe('gpu:cpu')
  })

  it.skipIf(hasGl)('should say in one line what a mode needs', async () => {
    const missing = (await missingMode('headlessgl'))!
    const refused = await loadBackend('gpu:headlessgl').catch((error: Error) => error.message)
    expect(refused).toBe(`${missing.what}; ${missing.remedy}`)
    expect(refused).toMatch(/^backend gpu:headlessgl: the mode is not present, it needs .*npm package .*; use gpu:webasm/)
    expect(refused).not.toContain('\n')
  })
})
