import fc from 'fast-check'
import { rbgm } from '../../algorithms/training/rbgm.ts'
import { dispose, tensor } from '../../core/index.ts'
import { normal, permutation, uniform } from '../../core/random/distributions.ts'
import { foldIn, key } from '../../core/random/key.ts'
import { sizeOf } from '../../core/shape.ts'

export type ImageShape = readonly [batch: number, channels: number, height: number, width: number]

/** Shape and seed of the values of one random call, so that a failure shrinks to a small shape. */
export interface RbgmCase {
  readonly shape: ImageShape
  readonly seed: number
}

export const rbgmCases: fc.Arbitrary<RbgmCase> = fc.record({
  shape: fc.tuple(
    fc.integer({ min: 1, max: 3 }),
    fc.integer({ min: 1, max: 3 }),
    fc.integer({ min: 1, max: 8 }),
    fc.integer({ min: 1, max: 8 }),
  ),
  seed: fc.nat(2 ** 30),
})

const keyOf = ({ seed }: RbgmCase, name: string) => foldIn(key(seed), name)

/** Distinct values in random order, none of them 0, within [-9, 9]: odd multiples of 1/128, so float32 has them exactly. */
export const distinct = (given: RbgmCase, name: string): Float64Array => {
  const n = sizeOf(given.shape)
  return Float64Array.from(permutation(keyOf(given, name), n), k => (4 * k + 3 - 2 * n) / 128)
}

/** Values of five levels only, so that most are tied. */
export const tied = (given: RbgmCase, name: string): Float64Array =>
  uniform(keyOf(given, name), sizeOf(given.shape)).map(u => Math.floor(5 * u) / 4 - 0.5)

/** Standard normal values that float32 has exactly. */
export const gaussian = (given: RbgmCase, name: string): Float64Array => normal(keyOf(given, name), sizeOf(given.shape)).map(Math.fround)

export const tieBreakOf = (given: RbgmCase, name = 'ties'): Float64Array => uniform(keyOf(given, name), sizeOf(given.shape))

/** The values of RBGM(delta, z) on the current backend. */
export const mapped = async (
  shape: ImageShape,
  o: { readonly delta: ArrayLike<number>; readonly z: ArrayLike<number>; readonly tieBreak: ArrayLike<number> },
): Promise<number[]> => {
  const [delta, z] = [tensor(o.delta, shape), tensor(o.z, shape)]
  try {
    const result = await rbgm(delta, z, { tieBreak: o.tieBreak })
    const values = Array.from(await result.data())
    result.dispose()
    return values
  } finally {
    dispose([delta, z])
  }
}

/** The values of each (image, channel), in order. */
export const planesOf = (values: ArrayLike<number>, [batch, channels, height, width]: ImageShape): number[][] => {
  const area = height * width
  return Array.from({ length: batch * channels }, (_, plane) => Array.from({ length: area }, (_, i) => values[plane * area + i]!))
}

export const ascending = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b)

/** Positions in the order of their values. */
export const argsort = (values: readonly number[]): number[] => values.map((_, i) => i).sort((i, j) => values[i]! - values[j]!)

/** Whether `values` follow the order of `by`: strictly where `strict`, else equal values may have different ranks. */
export const followsOrder = (values: readonly number[], by: readonly number[], { strict }: { readonly strict: boolean }): boolean =>
  by.every((a, i) => by.every((b, j) => !(a < b) || (strict ? values[i]! < values[j]! : values[i]! <= values[j]!)))
