import fc from 'fast-check'
import type { Choose } from '../../core/op.ts'

const resolution = 2 ** 30

/**
 * A source of test choices that reads `stream`, integers in [0, 2^30). A smaller number chooses a smaller integer or an
 * earlier item and a missing one the least, so shrinking the stream shrinks the choices.
 */
export const chooseFrom = (stream: readonly number[]): Choose => {
  let next = 0
  const integer = (low: number, high: number): number => low + Math.floor(((stream[next++] ?? 0) / resolution) * (high - low + 1))
  return { integer, pick: items => items[integer(0, items.length - 1)]! }
}

/** Whatever `build` makes of random choices, shrinking towards least choices. */
export const chosen = <T>(build: (choose: Choose) => T): fc.Arbitrary<T> =>
  fc.array(fc.integer({ min: 0, max: resolution - 1 }), { minLength: 32, maxLength: 32 }).map(stream => build(chooseFrom(stream)))
