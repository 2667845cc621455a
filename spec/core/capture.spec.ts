import { expect, it } from 'vitest'
import { createReference } from '../../core/backends/reference/reference.ts'
import { type Backend, capture, liveTensors, tensor } from '../../core/index.ts'

it('should keep no tensor of the run that it captures, and free the replay once', async () => {
  let freed = 0
  const backend: Backend = {
    ...createReference(),
    capture: async (inputs, step) => {
      step(inputs.map(({ storage, shape }) => ({ storage: { ...storage }, shape })))
      return { kernels: 1, run: () => [], dispose: () => void freed++ }
    },
  }
  const x = tensor([1, 2], [2], { backend })
  const before = liveTensors()
  const captured = await capture(backend, ([x]) => [x!.mul(2)], [x])
  expect(liveTensors()).toBe(before)
  captured.dispose()
  captured.dispose()
  expect(freed).toBe(1)
  x.dispose()
})
