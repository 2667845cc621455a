import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { dwBoxSettings, type ThreatSetting } from '../../../algorithms/attacks/dwBox.ts'
import { type Defence, purifiedClassifier } from '../../../algorithms/evaluation/defence.ts'
import { type BatchOutcome, evaluateBatch } from '../../../algorithms/evaluation/robustAccuracy.ts'
import { type Purifier, purify, type ReverseProcess } from '../../../algorithms/purification/purify.ts'
import { paperTimesteps } from '../../../algorithms/purification/timesteps.ts'
import { createDraws, type Draws } from '../../../algorithms/randomness/draws.ts'
import { dwBoth, dwForward, dwReverse, type LockSetName, lockSets, white } from '../../../algorithms/randomness/lockSets.ts'
import { tensor, useBackend } from '../../../core/index.ts'
import { backendsUnderTest } from '../../support/backends.ts'
import { runs } from '../../support/replay.ts'
import { bits, gaussian, linearClassifier, pixels, purifierOf, schedule, smallEpsilon } from '../fixtures.ts'

const shape = [2, 1, 3, 3]
const ids = [4, 9]
const attack = { norm: 'linf', epsilon: 0.1, stepSize: 0.03, steps: 4 } as const

const setup = (seed: number, reverse: ReverseProcess): { purifier: Purifier; defence: Defence } => {
  const purifier = purifierOf(smallEpsilon(seed, 1), { reverse })
  return { purifier, defence: purifiedClassifier(purifier, linearClassifier(gaussian(seed, 'w', [9, 3]))) }
}

const evaluate = (defence: Defence, seed: number, setting: ThreatSetting) =>
  evaluateBatch(defence, { images: pixels(seed, shape), labels: [0, 2], ids }, { seed, setting, attack, reportDraws: 3 })

/** All that an evaluation says, in bits. */
const fingerprint = async ({ xAdv, ...said }: BatchOutcome): Promise<string> =>
  JSON.stringify({ ...said, trace: said.trace.map(step => [[...step.loss], [...step.cosine]]), xAdv: await bits(xAdv) })

const setting = (name: LockSetName, eotSamples = 1): ThreatSetting => ({ name, locks: lockSets[name], eotSamples })

/** Noises fixed by hand: whatever name is drawn, in whatever context, comes from one tape with an entry per source and diffusion step. */
const tapeOf = (draws: Draws): Draws => {
  const tape = new Map<string, Float64Array>()
  const replay: Draws = {
    ...draws,
    at: () => replay,
    normal: (source, perImageShape, place) => {
      const name = `${source}/${place?.diffusionStep ?? 0}`
      const values = tape.get(name) ?? draws.normalValues(source, perImageShape, place)
      tape.set(name, values)
      return tensor(values, [draws.images.length, ...perImageShape])
    },
  }
  return replay
}

describe.each(backendsUnderTest)('DW-box settings (E13) on %s', backend => {
  const stochastic = fc.constantFrom<ReverseProcess>({ kind: 'ddpm', variance: 'fixedLarge' }, { kind: 'ddim', eta: 0.8 })

  it('should be bitwise equal under White with locked streams and DW_Both over a whole PGD run (P47)', async () => {
    await useBackend(backend)
    await fc.assert(
      fc.asyncProperty(fc.nat(1e6), stochastic, async (seed, reverse) => {
        const { defence } = setup(seed, reverse)
        const tape = tapeOf(createDraws({ seed, images: ids, locks: dwBoth }))
        const locked = await fingerprint(await evaluate(defence, seed, setting('DW_Both')))
        expect(await fingerprint(await evaluate(x => defence(x, tape), seed, setting('White')))).toBe(locked)
        expect(await fingerprint(await evaluate(defence, seed, setting('White')))).not.toBe(locked)
      }),
      { numRuns: runs(4) },
    )
  })

  it('should meet in the report the very noises that the attack met, and under White others every time (P47)', async () => {
    await useBackend(backend)
    const worlds = new Set<string>()
    const classifier = linearClassifier(gaussian(1, 'w', [9, 3]))
    const watched: Defence = (x, draws) => {
      worlds.add([draws.normalValues('forward', [3]), draws.normalValues('reverse', [3], { diffusionStep: 1 })].join())
      return classifier(x)
    }
    await evaluate(watched, 1, setting('DW_Both'))
    expect(worlds.size).toBe(1)
    worlds.clear()
    await evaluate(watched, 1, setting('White', 2))
    // 4 attack steps of 2 EoT samples, and 3 report draws shared by the clean and the adversarial image.
    expect(worlds.size).toBe(4 * 2 + 3)
  })

  it('should be bitwise equal for a deterministic reverse process under DW_Fwd and DW_Both, and under DW_Rev and White (P50)', async () => {
    await useBackend(backend)
    await fc.assert(
      fc.asyncProperty(fc.nat(1e6), async seed => {
        const { defence } = setup(seed, { kind: 'ddim', eta: 0 })
        const of = async (name: LockSetName) => fingerprint(await evaluate(defence, seed, setting(name, 2)))
        const [forward, both, reverse, nothing] = [await of('DW_Fwd'), await of('DW_Both'), await of('DW_Rev'), await of('White')]
        expect(forward).toBe(both)
        expect(reverse).toBe(nothing)
        expect(nothing).not.toBe(both)
      }),
      { numRuns: runs(3) },
    )
  })

  it('should purify alike in different contexts exactly when all noise that is drawn is locked (P50)', async () => {
    await useBackend(backend)
    const contexts = [
      { purpose: 'attack', attackStep: 3, eotSample: 2 },
      { purpose: 'report', repetition: 5 },
    ] as const
    await fc.assert(
      fc.asyncProperty(fc.nat(1e6), fc.boolean(), async (seed, deterministic) => {
        const { purifier } = setup(seed, deterministic ? { kind: 'ddim', eta: 0 } : { kind: 'ddpm', variance: 'fixedSmall' })
        for (const [locks, alike] of [
          [white, false],
          [dwReverse, false],
          [dwForward, deterministic],
          [dwBoth, true],
        ] as const) {
          const draws = createDraws({ seed, images: ids, locks })
          const [a, b] = await Promise.all(contexts.map(context => bits(purify(purifier, pixels(seed, shape), draws.at(context)))))
          expect(a === b).toBe(alike)
        }
      }),
      { numRuns: runs(8) },
    )
  })
})

describe('dwBoxSettings', () => {
  beforeAll(() => useBackend('reference'))

  it('should keep EoT over whatever stays random and use one sample where nothing does', () => {
    expect(dwBoxSettings(purifierOf(smallEpsilon(1, 1)), { eotSamples: 10 })).toEqual([
      { name: 'White', locks: white, eotSamples: 10 },
      { name: 'DW_Fwd', locks: dwForward, eotSamples: 10 },
      { name: 'DW_Rev', locks: dwReverse, eotSamples: 10 },
      { name: 'DW_Both', locks: dwBoth, eotSamples: 1 },
    ])
  })

  it('should name only the two settings that differ when the reverse process is deterministic (P50)', () => {
    const names = (eta: number, steps = 3) =>
      dwBoxSettings({ schedule, intervals: paperTimesteps({ tStar: 0.1, steps }), reverse: { kind: 'ddim', eta } }, { eotSamples: 10 }).map(
        ({ name }) => name,
      )
    expect(names(0)).toEqual(['White', 'DW_Both'])
    expect(names(0.1)).toEqual(['White', 'DW_Fwd', 'DW_Rev', 'DW_Both'])
    expect(names(0.1, 1)).toEqual(['White', 'DW_Both'])
  })
})
