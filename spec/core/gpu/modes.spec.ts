import { describe, expect, it } from 'vitest'
import { chooseMode, gpuModes, missingMode } from '../../../core/backends/gpu/modes.ts'
import { backendNames, loadBackend } from '../../../core/index.ts'

describe('the gpu backend', () => {
  it('should be there by every name', () => {
    expect(backendNames).toEqual(expect.arrayContaining(['gpu', ...gpuModes.map(mode => `gpu:${mode}`)]))
  })

  it('should be the best mode present, and say which', async () => {
    expect((await loadBackend('gpu')).name).toBe('gpu:webasm')
    expect(chooseMode('best')).toBe('webasm')
    expect((await loadBackend('gpu:cpu')).name).toBe('gpu:cpu')
  })

  it.each(['webgpu', 'headlessgl'] as const)('should say in one line what %s needs', async mode => {
    const refused = await loadBackend(`gpu:${mode}`).catch((error: Error) => error.message)
    expect(refused).toBe(`${missingMode(mode)!.what}; ${missingMode(mode)!.remedy}`)
    expect(refused).toMatch(new RegExp(`^backend gpu:${mode}: the mode is not present, it needs .*npm package .*; use gpu:webasm`))
    expect(refused).not.toContain('\n')
  })
})
