import { expect, it, vi } from 'vitest'
import { chooseMode } from '../../../core/backends/gpu/modes.ts'
import { presentBackend } from '../../../experiments/gpu/presentBackend.ts'
import { UserError } from '../../../experiments/support/errors.ts'

it('should name the mode that gpu stands for, and say it', async () => {
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  const best = await chooseMode('best')
  expect(await presentBackend('gpu')).toBe(`gpu:${best}`)
  expect(said.mock.calls.join()).toMatch(new RegExp(`^--backend gpu takes gpu:${best}\\b[^\\n]*\\n$`))
  said.mockRestore()
})

it('should leave other backends as they are and refuse a mode that is missing', async () => {
  expect(await presentBackend('gpu:cpu')).toBe('gpu:cpu')
  expect(await presentBackend('cpu')).toBe('cpu')
  await expect(presentBackend('gpu:headlessgl')).rejects.toThrow(UserError)
})
