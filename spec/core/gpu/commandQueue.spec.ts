import { describe, expect, it } from 'vitest'
import { createCommandQueue } from '../../../core/backends/gpu/webgpu/commandQueue.ts'
import type { Command } from '../../../core/backends/gpu/webgpu/commands.ts'

/** A queue whose device only notes how many commands each submission has. */
const noting = () => {
  const submitted: number[] = []
  const device = { pushErrorScope: () => undefined, popErrorScope: async () => null, queue: { submit: () => undefined } }
  const pool = { beginSubmission: () => () => undefined }
  const encoder = {
    encode(batch: readonly Command[]) {
      submitted.push(batch.length)
      return { buffer: {}, reads: [] }
    },
  }
  return { queue: createCommandQueue(device as never, pool as never, encoder as never), submitted }
}

const command: Command = { kind: 'copies', copies: [] }

describe('command queue', () => {
  it.each([0, 1, 2, 3, 4, 5, 6, 7])('should submit what is flushed %i microtasks after another flush', async turns => {
    const { queue, submitted } = noting()
    void queue.flush()
    for (let i = 0; i < turns; i++) await undefined
    queue.add(command)
    await queue.flush()
    expect(submitted).toEqual([1])
  })

  it('should submit commands of flushes that come together at once, and full batches without a flush', async () => {
    const { queue, submitted } = noting()
    queue.add(command)
    void queue.flush()
    queue.add(command)
    await queue.flush()
    expect(submitted).toEqual([2])
    for (let i = 0; i < 130; i++) queue.add(command)
    expect(submitted).toEqual([2, 128])
    await queue.flush()
    expect(submitted).toEqual([2, 128, 2])
  })
})
