import { wilson } from './wilson.ts'

/** One cell of a table: `robust` of `images` images were right under attack. */
export interface RobustCount {
  readonly robust: number
  readonly images: number
}

/**
 * Lower confidence limit of acc(a) - acc(b), from the Wilson intervals [l, u] of both: p - q - sqrt((p - l_p)^2 + (u_q - q)^2).
 * It takes a and b as independent, which is cautious where they share images.
 * Source: Newcombe, Statistics in Medicine 17 (1998), method 10. Throws RangeError as `wilson` does.
 */
export const differenceLimit = (a: RobustCount, b: RobustCount, confidence = 0.99): number => {
  const p = wilson(a.robust, a.images, confidence)
  const q = wilson(b.robust, b.images, confidence)
  return p.estimate - q.estimate - Math.hypot(p.estimate - p.low, q.high - q.estimate)
}
