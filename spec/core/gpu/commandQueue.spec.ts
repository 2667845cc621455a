import { describe, expect, it } from 'vitest'
import { createCommandQueue } from '../../../core/backends/gpu/webgpu/commandQueue.ts'
import type { Command, WebgpuArray } from '../../../core/backends/gpu/webgpu/commands.ts'
import { carryFailures } from '../../../core/backends/gpu/webgpu/failures.ts'

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

const array = (): WebgpuArray => ({ length: 1, buffer: {} as never, source: {} as never })

const copying = (from: WebgpuArray, to: WebgpuArray): Command => ({ kind: 'copies', copies: [{ from, to }] })

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

  /** A queue whose first submission is refused as soon as `refuse` is called, others never. */
  const refusing = () => {
    const answers: ((error: { message: string } | null) => void)[] = []
    const device = {
      pushErrorScope: () => undefined,
      popErrorScope: () => new Promise(resolve => void answers.push(resolve)),
      queue: { submit: () => undefined },
    }
    const encoder = {
      encode(batch: readonly Command[]) {
        for (const each of batch) carryFailures(each)
        return { buffer: {}, reads: [] }
      },
      findRefused: async () => undefined,
    }
    const queue = createCommandQueue(device as never, { beginSubmission: () => () => undefined } as never, encoder as never)
    return { queue, answer: (at: number, message?: string) => answers[at]!(message === undefined ? null : { message }) }
  }

  it('should fail what later submissions computed from a refused one, but not what they wrote anew', async () => {
    const { queue, answer } = refusing()
    const [x, a, b, c, own] = [array(), array(), array(), array(), array()]
    const batches = [[copying(x, a), copying(x, own)], [copying(a, b), copying(x, own)], [copying(b, c)]]
    for (const batch of batches) {
      for (const each of batch) queue.add(each)
      await queue.flush()
    }
    answer(1)
    answer(2)
    answer(0, 'no room\nfor it')
    await queue.checked()
    for (const each of [a, b, c]) expect(each.failure?.message).toBe('webgpu: a submission was refused, no room; use --backend cpu')
    for (const each of [x, own]) expect(each.failure).toBeUndefined()
  })

  it('should keep the errors of two refused submissions apart, whichever is known first', async () => {
    for (const order of [
      [0, 1],
      [1, 0],
    ]) {
      const { queue, answer } = refusing()
      const [x, a, b, c] = [array(), array(), array(), array()]
      queue.add(copying(x, a))
      await queue.flush()
      queue.add(copying(x, b))
      queue.add(copying(a, c))
      await queue.flush()
      for (const at of order) answer(at, `fault ${at}`)
      await queue.checked()
      for (const [each, at] of [
        [a, 0],
        [b, 1],
        [c, 0],
      ] as const)
        expect(each.failure?.message).toContain(`fault ${at}`)
    }
  })

  it('should reject the reads of what cannot be encoded, and go on', async () => {
    let scopes = 0
    const device = {
      pushErrorScope: () => void scopes++,
      popErrorScope: async () => {
        scopes--
        return null
      },
      queue: { submit: () => undefined },
    }
    let broken = true
    const encoder = {
      encode() {
        if (broken) throw new TypeError('not of type u32')
        return { buffer: {}, reads: [] }
      },
      findRefused: async () => {
        throw new Error('lost')
      },
    }
    const queue = createCommandQueue(device as never, { beginSubmission: () => () => undefined } as never, encoder as never)
    const read = new Promise((resolve, reject) => queue.add({ kind: 'read', array: array(), size: 1, resolve, reject }))
    await queue.flush()
    await expect(read).rejects.toThrow('lost')
    broken = false
    queue.add(command)
    await queue.flush()
    await queue.checked()
    expect(scopes).toBe(0)
  })
})
