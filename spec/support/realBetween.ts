import fc from 'fast-check'

const cells = 2 ** 20

/** Numbers evenly spread from `low` to `high`, both included. fc.double is even over representations, so almost all of it is next to 0. */
export const realBetween = (low: number, high: number): fc.Arbitrary<number> =>
  fc.integer({ min: 0, max: cells }).map(k => (k === cells ? high : low + ((high - low) * k) / cells))
