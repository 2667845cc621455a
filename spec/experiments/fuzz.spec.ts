import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { useBackend } from '../../core/index.ts'
import { FileError } from '../../core/io/fileError.ts'
import { key } from '../../core/random/key.ts'
import { FUZZ_FORMATS } from '../../experiments/fuzz/formats.ts'
import { fuzzCases } from '../../experiments/fuzz/fuzzCase.ts'
import { diceOf, mutated } from '../../experiments/fuzz/mutations.ts'
import { superviseFormat } from '../../experiments/fuzz/supervise.ts'
import { runCases } from '../../experiments/fuzz/tally.ts'
import { runs, specSeed } from '../support/replay.ts'

let folder: string
beforeAll(async () => {
  await useBackend('cpu')
  folder = mkdtempSync(join(tmpdir(), 'fuzz-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('damaged files', () => {
  it.each(Object.keys(FUZZ_FORMATS))('should load or be refused in one line, in bounded memory: %s', async format => {
    const count = runs(100)
    const tally = await runCases({ format, seed: specSeed(), from: 0, to: count, folder: join(folder, format) })
    expect(tally.violations).toEqual([])
    expect(tally.loaded + tally.refused).toBe(count)
    expect(tally.refused).toBeGreaterThan(0)
  })

  it.each(Object.keys(FUZZ_FORMATS))('should come from files that load: %s', async format => {
    const results = await fuzzCases(format, 0, join(folder, format)).undamaged()
    expect(results.map(({ outcome }) => outcome)).toEqual(results.map(() => 'loaded'))
  })

  it('should be the same for the same seed and number', () => {
    const bytes = Uint8Array.from({ length: 200 }, (_, i) => i)
    const of = (seed: number): Uint8Array => mutated(bytes, diceOf(key(seed)))
    expect(of(1)).toEqual(of(1))
    expect(new Set(Array.from({ length: 20 }, (_, seed) => of(seed).join())).size).toBeGreaterThan(15)
  })
})

describe('damage', () => {
  it('should leave the file alone that it starts from, also in a Buffer', () => {
    const original = Buffer.from(Array.from({ length: 50 }, (_, i) => i))
    const before = Uint8Array.from(original)
    for (let seed = 0; seed < 50; seed++) mutated(original, diceOf(key(seed)))
    expect(Uint8Array.from(original)).toEqual(before)
  })
})

describe('a case', () => {
  const outcome = async (read: () => unknown) =>
    (await fuzzCases('odd', 0, join(folder, 'odd'), { seeds: () => [Uint8Array.of(1)], read }).undamaged())[0]!

  it('should count errors of our own types, and no others, as refusals', async () => {
    const throwing = (error: unknown) =>
      outcome(() => {
        throw error
      })
    expect(await outcome(() => 1)).toMatchObject({ outcome: 'loaded' })
    expect(await throwing(new FileError('f', 'bad', 'mend it'))).toMatchObject({ outcome: 'refused' })
    expect(await throwing(new TypeError('x is undefined'))).toMatchObject({
      outcome: 'violation',
      rule: expect.stringContaining('x is undefined'),
    })
  })

  it('should be wrong when it takes more memory than its file allows', async () => {
    expect(await outcome(() => new Uint8Array(64 * 2 ** 20))).toMatchObject({
      outcome: 'violation',
      rule: expect.stringMatching(/^it took \d+ bytes, a file of 1 may take 33554434$/),
    })
  })
})

describe('the watchdog', () => {
  /** A worker that says it is at case 3 and then does something. */
  const worker = (action: string): string => {
    const path = join(folder, `worker-${action.length}.mjs`)
    writeFileSync(
      path,
      `import { writeFileSync } from 'node:fs'
       const { folder, from, to } = JSON.parse(process.argv[2])
       writeFileSync(folder + '/place', String(Math.max(from, 3)))
       if (from <= 3) { ${action} }
       const tally = { loaded: to - from, refused: 0, violations: [], slowest: { index: from, milliseconds: 1 }, largest: { index: from, bytes: 1 } }
       process.send(tally, () => process.disconnect())`,
    )
    return path
  }

  it.each([
    ['hangs', 'for (;;);', /^it took more than 700 ms$/],
    ['dies', 'process.abort()', /^the process died \(SIGABRT\)/],
  ])('should name the case at which a process %s, and go on behind it', async (_, action, rule) => {
    const tally = await superviseFormat('csv', { mutations: 10, seed: 1, timeoutMilliseconds: 700, worker: worker(action) })
    expect(tally.violations).toEqual([{ index: 3, rule: expect.stringMatching(rule) }])
    expect(tally.loaded).toBe(6)
  })
})
