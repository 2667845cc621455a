import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { DrawContext, Purpose, Source } from '../../../algorithms/randomness/drawName.ts'
import { createDraws } from '../../../algorithms/randomness/draws.ts'
import { type LockSetName, lockSets } from '../../../algorithms/randomness/lockSets.ts'
import { runs } from '../../support/replay.ts'

const lockedSources: Record<LockSetName, readonly Source[]> = {
  White: [],
  DW_Fwd: ['forward'],
  DW_Rev: ['reverse'],
  DW_Both: ['forward', 'reverse'],
}
const lockSetName = fc.constantFrom(...(Object.keys(lockedSources) as LockSetName[]))
const context: fc.Arbitrary<DrawContext> = fc.record({
  purpose: fc.constantFrom<Purpose>('attack', 'select', 'report'),
  repetition: fc.nat(3),
  attackStep: fc.nat(200),
  eotSample: fc.nat(20),
})

describe('lock sets (E13)', () => {
  it('should repeat a locked draw in every context, and an unlocked draw in none other than its own', () => {
    fc.assert(
      fc.property(
        lockSetName,
        fc.constantFrom<Source>('forward', 'reverse', 'init'),
        context,
        context,
        fc.nat(99),
        (name, from, a, b, diffusionStep) => {
          fc.pre(JSON.stringify(a) !== JSON.stringify(b))
          const draws = createDraws({ seed: 3, images: [5, 6], locks: lockSets[name] })
          const drawnAt = (where: DrawContext) => draws.at(where).normalValues(from, [2], { diffusionStep }).join()
          expect(drawnAt(a) === drawnAt(b)).toBe(lockedSources[name].includes(from))
        },
      ),
      { numRuns: runs(300) },
    )
  })

  it('should keep a draw of its own for each image, diffusion step and part of a locked source', () => {
    const draws = createDraws({ seed: 3, images: [5, 6], locks: lockSets.DW_Both })
    const keys = [5, 6].flatMap(image =>
      [0, 1].flatMap(diffusionStep => ['', 'x'].map(part => draws.key('reverse', image, { diffusionStep, part }).join())),
    )
    expect(new Set(keys).size).toBe(8)
  })

  it('should lock the same draws under DW_Both as under DW_Fwd and DW_Rev, and leave the others as under White', () => {
    fc.assert(
      fc.property(context, fc.maxSafeNat(), (where, seed) => {
        const drawn = (name: LockSetName, from: Source) =>
          createDraws({ seed, images: [0], locks: lockSets[name] })
            .at(where)
            .key(from, 0)
        expect(drawn('DW_Both', 'forward')).toEqual(drawn('DW_Fwd', 'forward'))
        expect(drawn('DW_Both', 'reverse')).toEqual(drawn('DW_Rev', 'reverse'))
        expect(drawn('DW_Fwd', 'reverse')).toEqual(drawn('White', 'reverse'))
        expect(drawn('DW_Rev', 'forward')).toEqual(drawn('White', 'forward'))
        expect(drawn('DW_Both', 'init')).toEqual(drawn('White', 'init'))
        expect(drawn('White', 'forward')).not.toEqual(drawn('DW_Fwd', 'forward'))
      }),
    )
  })
})
