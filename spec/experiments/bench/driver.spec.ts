import { afterAll, describe, expect, it } from 'vitest'
import type { Case } from '../../../experiments/bench/cases.ts'
import { createClient } from '../../../experiments/bench/client.ts'
import { programOf } from '../../../experiments/bench/contestants.ts'

const client = createClient(programOf('dbp', { threads: 1, peers: '', python: undefined, backend: 'cpu' })!)
afterAll(() => client.close())

const checksumOf = async (work: Case): Promise<number> => {
  const answer = await client.ask({ prepare: work }, 20_000)
  if (!answer || !('prepared' in answer)) throw new Error(JSON.stringify(answer))
  await client.ask({ release: true }, 20_000)
  return answer.prepared.checksum
}

describe('this project as a contestant', () => {
  it('should compute with both what forward and the two gradients compute alone', async () => {
    for (const [kernel, stride] of [
      [3, 1],
      [3, 2],
      [1, 1],
    ] as const) {
      const work = { kind: 'conv2d', batch: 2, channels: 4, side: 6, kernel, stride } as const
      const parts = ['forward', 'inputGradient', 'weightGradient'] as const
      let sum = 0
      for (const pass of parts) sum += await checksumOf({ ...work, pass })
      expect(await checksumOf({ ...work, pass: 'both' })).toBeCloseTo(sum, 5)
    }
  })

  it('should time what is prepared, repeating it for the time asked', async () => {
    await client.ask({ prepare: { kind: 'adds', count: 3, size: 4 } }, 20_000)
    const answer = await client.ask({ sample: { leastMs: 20 } }, 20_000)
    if (!answer || !('sample' in answer)) throw new Error(JSON.stringify(answer))
    const { wallMs, repetitions } = answer.sample
    expect(repetitions).toBeGreaterThan(1)
    expect(wallMs * repetitions).toBeGreaterThanOrEqual(20)
    expect(wallMs * repetitions).toBeLessThan(2000)
  })

  it('should say in a line why it cannot', async () => {
    expect(await client.ask({ prepare: { kind: 'groupNormSilu', shape: [1, 3, 2, 2], groups: 2 } }, 20_000)).toEqual({
      cannot: expect.stringMatching(/^groupNorm: [^\n]+$/),
    })
  })

  it('should compute on the backend that is asked for, or say that there is no such one', async () => {
    const others = ['gpu:cpu', 'gpu:none'].map(backend =>
      createClient(programOf('dbp', { threads: 1, peers: '', python: undefined, backend })!),
    )
    try {
      const work = { kind: 'adds', count: 3, size: 4 } as const
      expect(await others[0]!.ask({ prepare: work }, 20_000)).toEqual({ prepared: { checksum: expect.closeTo(await checksumOf(work), 5) } })
      expect(await others[0]!.ask({ sample: { leastMs: 1 } }, 20_000)).toMatchObject({ sample: { repetitions: expect.any(Number) } })
      await expect(others[1]!.version()).rejects.toThrow(/gpu:none/)
    } finally {
      for (const each of others) each.close()
    }
  })
})
