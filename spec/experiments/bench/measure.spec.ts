import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Client, createClient } from '../../../experiments/bench/client.ts'
import { type Entrant, measure } from '../../../experiments/bench/measure.ts'
import { processes } from '../../../experiments/bench/processes.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bench-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const clients: Client[] = []
afterEach(() => {
  for (const client of clients.splice(0)) client.close()
})

/** A contestant whose answers are given; see fakePeer.mjs. */
const fake = (script: object = {}): Client => {
  const peer = fileURLToPath(new URL('./fakePeer.mjs', import.meta.url))
  const client = createClient({ command: process.execPath, args: [peer, JSON.stringify(script)] })
  clients.push(client)
  return client
}
const entrant = (name: string, script: object = {}): Entrant => ({ name, threads: 1, client: fake({ name, ...script }) })

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const work = { kind: 'matmul', size: 4 } as const
const options = { rounds: 3, leastMs: 1, limitMs: 5000, warmMs: 0 }

describe('createClient', () => {
  it('should start the contestant when first asked, and again after it ended', async () => {
    const client = fake({ on: { sample: 'die' } })
    expect(await client.version()).toMatch(/^\d+$/)
    await expect(client.ask({ sample: { leastMs: 1 } }, 5000)).rejects.toThrow('ended with code 3: SomeError: out of luck')
    expect(await client.ask({ prepare: work }, 5000)).toEqual({ prepared: { checksum: 3 } })
  })

  it('should end one that is too slow, and not take its late answer for that of a new one', async () => {
    const client = fake({ on: { sample: 'late' } })
    const pid = Number(await client.version())
    expect(await client.ask({ sample: { leastMs: 1 } }, 50)).toBeUndefined()
    expect(await client.ask({ prepare: work }, 5000)).toEqual({ prepared: { checksum: 3 } })
    await expect.poll(() => isAlive(pid), { timeout: 5000 }).toBe(false)
  })

  it('should refuse what is no answer, no greeting and no program', async () => {
    await expect(fake({ on: { prepare: 'Hello!' } }).ask({ prepare: work }, 5000)).rejects.toThrow('not an answer: Hello!')
    await expect(fake({ hello: { released: true } }).version()).rejects.toThrow('does not say hello first')
    const nothing = createClient({ command: join(folder, 'nothing'), args: [] })
    await expect(nothing.version()).rejects.toThrow('ENOENT')
  })
})

describe('processes', () => {
  const sampled = (wallMs: number, cpuMs: number): object => ({ on: { sample: { sample: { wallMs, cpuMs, repetitions: 2 } } } })
  const sample = { sample: { leastMs: 1 } }

  it('should take the time per work when all work at once: one of 6 ms and one of 3 ms do three works in 6 ms', async () => {
    const both = processes([fake(sampled(6, 4)), fake(sampled(3, 1))])
    expect(await both.ask(sample, 5000)).toEqual({ sample: { wallMs: 2, cpuMs: 2, repetitions: 4 } })
    expect(await both.ask({ prepare: work }, 5000)).toEqual({ prepared: { checksum: 3 } })
  })

  it('should be unable, late and dead when one is', async () => {
    const unable = { cannot: 'no such op' }
    expect(await processes([fake(), fake({ on: { sample: unable } })]).ask(sample, 5000)).toEqual(unable)
    const slow = processes([fake(), fake({ on: { sample: 'hang' } })])
    await slow.version()
    expect(await slow.ask(sample, 100)).toBeUndefined()
    await expect(processes([fake(), fake({ on: { sample: 'die' } })]).ask(sample, 5000)).rejects.toThrow('out of luck')
  })
})

describe('measure', () => {
  it('should take one sample of each entrant per round, beginning each round with another', async () => {
    const log = join(folder, 'log')
    const entrants = ['a', 'b', 'c'].map(name => entrant(name, { log }))
    const measurements = await measure(work, entrants, options)
    const lines = readFileSync(log, 'utf8').trim().split('\n')
    const rounds = lines
      .filter(line => line.endsWith('sample'))
      .map(line => line[0])
      .slice(3)
    expect(rounds.join('')).toBe('abcbcacab')
    expect(measurements.map(({ name, samples, checksum }) => [name, samples.length, checksum])).toEqual([
      ['a', 3, 3],
      ['b', 3, 3],
      ['c', 3, 3],
    ])
    expect(lines.filter(line => line.endsWith('release'))).toHaveLength(3)
  })

  it('should go on without one that cannot, dies or hangs, and say why', async () => {
    const entrants = [
      entrant('good'),
      entrant('unable', { on: { prepare: { cannot: 'no such op' } } }),
      entrant('mortal', { on: { sample: 'die' } }),
      entrant('slow', { on: { sample: 'hang' } }),
    ]
    for (const { client } of entrants) await client.version()
    const measurements = await measure(work, entrants, { ...options, limitMs: 500 })
    expect(measurements.map(({ samples, missing }) => [samples.length, missing])).toEqual([
      [3, undefined],
      [0, 'no such op'],
      [0, 'ended with code 3: SomeError: out of luck'],
      [0, 'over 1 s'],
    ])
  })

  it('should take one sample from whoever has used up its time, and no more', async () => {
    const turns: string[] = []
    const late = entrant('late', { on: { sample: 'late' } })
    await late.client.version()
    const [measurement] = await measure(work, [late], { ...options, limitMs: 500, onTurn: ({ name }) => turns.push(name) })
    expect(turns).toHaveLength(4)
    expect(measurement).toMatchObject({ samples: [{ cpuMs: 1 }], missing: undefined })
  })

  it('should warm an entrant up before each sample', async () => {
    const log = join(folder, 'warm')
    const [measurement] = await measure(work, [entrant('a', { log })], { ...options, warmMs: 1 })
    expect(readFileSync(log, 'utf8').match(/sample/g)).toHaveLength(1 + 2 * 3)
    expect(measurement!.samples).toHaveLength(3)
  })

  it('should not count preparation as time used up', async () => {
    const slowStart = entrant('slow start', { on: { prepare: 'late' } })
    await slowStart.client.version()
    const [measurement] = await measure(work, [slowStart], { ...options, limitMs: 500 })
    expect(measurement!.samples).toHaveLength(3)
  })
})
