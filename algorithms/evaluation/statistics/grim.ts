/** What a printed percentage says about the count behind it. */
export interface Grim {
  /** Whether any k/n is printed so. */
  readonly possible: boolean
  /** Every k for which 100 k/n rounds to the printed number, ascending. */
  readonly counts: readonly number[]
}

/**
 * The GRIM test: is a printed percentage possible as k/n at its precision?
 *
 * With d printed decimals and the integer P = printed 10^d, k fits when 100 k/n lies within half a unit of the last place:
 *
 *   2 |10^(d+2) k - P n| <= n
 *
 * in exact integers. Ties fit both ways, since tables differ in how they round them. The percentage is a string, because
 * '47.3' and '47.30' claim different things. Source: Brown and Heathers, "The GRIM test" (2017).
 * Throws RangeError on a number that is not a plain decimal or an n that is not an integer in [1, 1e7].
 */
export const grim = (printed: string, n: number): Grim => {
  const digits = /^(\d+)(?:\.(\d+))?$/.exec(printed)
  if (!digits || !Number.isInteger(n) || n < 1 || n > 1e7) {
    throw new RangeError(
      `grim: needs a percentage such as "47.27" and an integer n in [1, 1e7], got "${printed}" and ${n}; pass what the table prints`,
    )
  }
  const decimals = digits[2] ?? ''
  const scaled = BigInt(digits[1]! + decimals) * BigInt(n)
  const unit = 10n ** BigInt(decimals.length + 2)
  // Smallest and largest k with 2 scaled - n <= 2 unit k <= 2 scaled + n.
  const floorDiv = (a: bigint, b: bigint): bigint => (a >= 0n ? a / b : -((b - 1n - a) / b))
  const last = Math.min(n, Number(floorDiv(2n * scaled + BigInt(n), 2n * unit)))
  const first = Math.max(0, Number(-floorDiv(BigInt(n) - 2n * scaled, 2n * unit)))
  const counts = Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i)
  return { possible: counts.length > 0, counts }
}
