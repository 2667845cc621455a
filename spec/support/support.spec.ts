import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { chooseFrom, chosen } from './choose.ts'
import { replayCommand, runs, specSeed } from './replay.ts'
import { readSources } from './sources.ts'

afterEach(() => vi.unstubAllEnvs())

describe('chooseFrom', () => {
  it('should reach every integer between its bounds and no other, and the least when the stream has ended', () => {
    const stream = Array.from({ length: 700 }, (_, i) => Math.floor((i / 700) * 2 ** 30))
    const choose = chooseFrom(stream)
    expect([...new Set(stream.map(() => choose.integer(-2, 4)))].sort((a, b) => a - b)).toEqual([-2, -1, 0, 1, 2, 3, 4])
    expect([choose.integer(-2, 4), choose.pick(['a', 'b'])]).toEqual([-2, 'a'])
  })

  it('should shrink to the least choices that still fail', () => {
    const shape = chosen(choose => Array.from({ length: choose.integer(1, 4) }, () => choose.integer(1, 9)))
    const failing = fc.property(shape, lengths => lengths.reduce((a, b) => a + b, 0) < 8)
    // From other seeds shrinking may end at another case that cannot be made smaller.
    expect(() => fc.assert(failing, { numRuns: 1000, seed: 1 })).toThrow('\ncounterexample: [[8]]\n')
  })
})

describe('replay', () => {
  it('should take seed and number of runs from the environment', () => {
    vi.stubEnv('SPEC_SEED', '')
    vi.stubEnv('SPEC_RUNS', '')
    expect([specSeed(), runs(20)]).toEqual([20250424, 20])
    vi.stubEnv('SPEC_SEED', '7')
    vi.stubEnv('SPEC_RUNS', '0.01')
    expect([specSeed(), runs(20)]).toEqual([7, 1])
    vi.stubEnv('SPEC_RUNS', 'many')
    expect(() => runs(20)).toThrow('SPEC_RUNS: must be a number, got "many"; unset it or give a number')
  })

  it('should give one command that a shell can run as it stands', () => {
    vi.stubEnv('SPEC_RUNS', '5')
    expect(replayCommand(7, { file: 'spec/a.spec.ts', title: "rbgm (P1) isn't a.b" })).toBe(
      "SPEC_SEED=7 SPEC_RUNS=5 npx vitest run spec/a.spec.ts -t 'rbgm \\(P1\\) isn'\\''t a\\.b'",
    )
  })

  it('should say in a failure what was found, how far it was shrunk, and how to see it again', () => {
    vi.stubEnv('SPEC_RUNS', '')
    const assertion = () => fc.assert(fc.property(fc.nat(1000), n => n < 100))
    expect(assertion).toThrow(/^property failed after \d+ runs and \d+ shrinks: /)
    expect(assertion).toThrow(
      /\ncounterexample: \[100\]\nseed: \d+, path: [\d:]+\nreplay: SPEC_SEED=\d+ npx vitest run spec\/support\/support\.spec\.ts -t '/,
    )
  })
})

describe.each([{ name: 'a (b)' }])('replay in group $name', () => {
  it.each([[3, "it's *"]])('should name test %i, %s, as the runner matches it', () => {
    const message = (): string => {
      try {
        fc.assert(fc.property(fc.nat(1000), n => n < 100))
        return ''
      } catch (error) {
        return (error as Error).message
      }
    }
    const [, quoted] = /replay: .* -t '(.*)'$/.exec(message()) ?? []
    const pattern = new RegExp(quoted!.replaceAll("'\\''", "'"))
    const title = expect.getState().currentTestName!.split(' > ').slice(-2).join(' ')
    expect(title).toContain("a (b)' should name test 3, it's *,")
    expect(title).toMatch(pattern)
  })
})

describe('property specs', () => {
  it('should multiply their runs and begin from the common seed, so that they can be repeated deeper and otherwise', () => {
    const odd = readSources('spec')
      .filter(({ path }) => path !== 'spec/support/support.spec.ts')
      .filter(({ text }) => /numRuns: \d|\bfc\.assert\([^;]*?\n\s*\{ seed: \d+[ ,]/.test(text))
    expect(odd.map(({ path }) => path)).toEqual([])
  })
})
