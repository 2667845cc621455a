import { expect, it, vi } from 'vitest'
import { chooseMode, missingMode } from '../../../core/backends/gpu/modes.ts'
import { openWebgpu } from '../../../core/backends/gpu/webgpu/open.ts'
import { presentBackend } from '../../../experiments/gpu/presentBackend.ts'
import { UserError } from '../../../experiments/support/errors.ts'

it('should name the mode that gpu stands for, and say it', async () => {
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  const best = await chooseMode('best')
  expect(await presentBackend('gpu')).toBe(`gpu:${best}`)
  expect(said.mock.calls.join()).toMatch(new RegExp(`^--backend gpu takes gpu:${best}\\b[^\\n]*\\n$`))
  const isSoftware = best !== 'webgpu' || (await openWebgpu())!.software
  expect(said.mock.calls.join().includes('computes on the processor; --backend cpu is usually faster')).toBe(isSoftware)
  said.mockRestore()
})

it('should leave other backends as they are', async () => {
  expect(await presentBackend('gpu:cpu')).toBe('gpu:cpu')
  expect(await presentBackend('cpu')).toBe('cpu')
})

it('should ask for a mode and for half precision where a name says both', async () => {
  const opened = await openWebgpu()
  const asked = presentBackend('gpu:webgpu:half')
  if (opened?.features.includes('shader-f16')) expect(await asked).toBe('gpu:webgpu:half')
  else await expect(asked).rejects.toThrow(opened ? /has no feature shader-f16/ : /^backend gpu:webgpu: the mode is not present/)
})

it.runIf(await missingMode('headlessgl'))('should refuse a mode that is missing', async () => {
  await expect(presentBackend('gpu:headlessgl')).rejects.toThrow(UserError)
})
