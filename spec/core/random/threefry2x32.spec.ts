import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fillThreefryBlocks, threefry2x32 } from '../../../core/random/threefry2x32.ts'
import { standardErrors } from '../../support/falseFailures.ts'

const uint32 = fc.integer({ min: 0, max: 0xffffffff })
const pair = fc.tuple(uint32, uint32)
const popCount = (word: number): number => {
  let bits = 0
  for (let rest = word; rest !== 0; rest &= rest - 1) bits++
  return bits
}

describe('threefry2x32', () => {
  it('should give the published Random123 known answers for 20 rounds', () => {
    expect(threefry2x32([0, 0], [0, 0])).toEqual([0x6b200159, 0x99ba4efe])
    expect(threefry2x32([0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff])).toEqual([0x1cb996fc, 0xbb002be7])
    expect(threefry2x32([0x13198a2e, 0x03707344], [0x243f6a88, 0x85a308d3])).toEqual([0xc4923a9c, 0x483df7a0])
  })

  it('should map different counters to different blocks under one key', () => {
    fc.assert(
      fc.property(pair, pair, pair, (key, a, b) => {
        fc.pre(a[0] !== b[0] || a[1] !== b[1])
        expect(threefry2x32(key, a)).not.toEqual(threefry2x32(key, b))
      }),
    )
  })

  it('should fill consecutive blocks with a carry into the high counter word', () => {
    fc.assert(
      fc.property(pair, fc.constantFrom(0, 7, 2 ** 31 - 1, 2 ** 32 - 2, 2 ** 40 - 1), (key, first) => {
        const out = new Uint32Array(8)
        fillThreefryBlocks(key, first, out)
        const blocks = [0, 1, 2, 3].flatMap(i => threefry2x32(key, [Math.floor((first + i) / 2 ** 32), (first + i) % 2 ** 32]))
        expect([...out]).toEqual(blocks)
      }),
    )
  })

  // Per input bit 400 x 64 output bits: sd 0.5 / sqrt(25600) = 0.0031.
  it('should flip half of the output bits when one bit of key or counter flips', () => {
    const trials = 400
    const bound = (standardErrors('avalanche of threefry', 128) * 0.5) / Math.sqrt(64 * trials)
    for (let bit = 0; bit < 128; bit++) {
      let flipped = 0
      for (let trial = 0; trial < trials; trial++) {
        const words = [...threefry2x32([1, 0], [bit, trial]), ...threefry2x32([1, 1], [bit, trial])] as [number, number, number, number]
        const [a0, a1] = threefry2x32([words[0], words[1]], [words[2], words[3]])
        words[bit >> 5] = (words[bit >> 5]! ^ (1 << (bit & 31))) >>> 0
        const [b0, b1] = threefry2x32([words[0], words[1]], [words[2], words[3]])
        flipped += popCount(a0 ^ b0) + popCount(a1 ^ b1)
      }
      expect(Math.abs(flipped / (64 * trials) - 0.5), `input bit ${bit}`).toBeLessThan(bound)
    }
  })
})
