import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { useBackend } from '../../../core/index.ts'
import { loadSafetensors } from '../../../core/io/files.ts'
import { cos32, exp32, fusedMultiplyAdd, sin32 } from '../../../core/nn/float32Math.ts'
import { timestepEmbedding } from '../../../core/nn/index.ts'
import { runs } from '../../support/replay.ts'

const f32 = Math.fround

/** A finite float64 as an integer times 2^-200, exactly; of magnitude above 2^-148. */
const scaled = (x: number): bigint => BigInt(x * 2 ** 148) << 52n

/** Distance of a float32 to the next one away from zero. */
const spacing = (x: number): number => 2 ** (Math.floor(Math.log2(Math.abs(x))) - 23)

const ordinary = fc.float({ min: -1000, max: 1000, noNaN: true }).filter(x => x === 0 || Math.abs(x) > 1e-6)

describe('fusedMultiplyAdd', () => {
  it('should round a b + c once, to the nearest float32', () => {
    fc.assert(
      fc.property(ordinary, ordinary, ordinary, (a, b, c) => {
        const result = fusedMultiplyAdd(a, b, c)
        expect(f32(result)).toBe(result)
        // a b is exact in float64, so the exact sum is one of integers.
        const exact = scaled(a * b) + scaled(c)
        const miss = exact - scaled(result)
        const magnitude = miss < 0n ? -miss : miss
        if (result !== 0) expect(2n * magnitude <= scaled(spacing(result))).toBe(true)
        else expect(magnitude).toBe(0n)
      }),
      { numRuns: runs(2000) },
    )
  })

  it('should see past a float64 sum that lies between two float32', () => {
    // (1 + 2^-12)^2 = 1 + 2^-11 + 2^-24: beside the even neighbour 1 + 2^-11, which plain rounding takes; the far small term decides.
    const a = 1 + 2 ** -12
    expect(fusedMultiplyAdd(a, a, 2 ** -80)).toBe(1 + 2 ** -11 + 2 ** -23)
    expect(fusedMultiplyAdd(a, a, -(2 ** -80))).toBe(1 + 2 ** -11)
    expect(fusedMultiplyAdd(-a, a, -(2 ** -80))).toBe(-(1 + 2 ** -11 + 2 ** -23))
    expect(fusedMultiplyAdd(a, a, 0)).toBe(f32(a * a))
  })
})

describe('exp32, sin32 and cos32', () => {
  it('should be within one unit in the last place of the true value, which for sines is at most 2^-24', () => {
    fc.assert(
      fc.property(fc.float({ min: -87, max: 87, noNaN: true }), fc.float({ min: -1000, max: 1000, noNaN: true }), (exponent, angle) => {
        const power = exp32(exponent)
        expect(Math.abs(power - Math.exp(exponent))).toBeLessThanOrEqual(spacing(power))
        expect(Math.abs(sin32(angle) - Math.sin(angle))).toBeLessThanOrEqual(2 ** -24)
        expect(Math.abs(cos32(angle) - Math.cos(angle))).toBeLessThanOrEqual(2 ** -24)
        for (const value of [power, sin32(angle), cos32(angle)]) expect(f32(value)).toBe(value)
      }),
      { numRuns: runs(2000) },
    )
  })

  it('should give the embeddings that PyTorch gives, bit for bit', async () => {
    await useBackend('reference')
    const { tensors } = loadSafetensors(new URL('../../golden/timestep_embedding.safetensors', import.meta.url).pathname)
    const t = Array.from(tensors.t!.values)
    for (const name of ['ddpm_dim128', 'dim16']) {
      const computed = await timestepEmbedding(t, tensors[name]!.shape[1]!).data()
      expect(Array.from(computed)).toEqual(Array.from(tensors[name]!.values))
    }
  })
})
