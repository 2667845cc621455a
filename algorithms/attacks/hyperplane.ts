import type { Norm } from './projections.ts'

/**
 * The point of the box [0,1]^d nearest to x, in the norm, on the hyperplane <w, z> = c: what FAB steps to.
 *
 *   z_i = x_i + s sign(w_i) min(t u_i, r_i),   u_i = 1 for l_inf and |w_i| for l_2
 *
 * with s = sign(c - <w, x>), r_i the room of pixel i in that direction, and t >= 0 the smallest for which z is on the plane. Where the
 * box does not reach the plane, every pixel goes as far as it can. x must lie in the box. Exact, by sorting the t at which pixels
 * reach the box: O(d log d).
 */
export const projectHyperplane = (
  x: Float64Array,
  { w, c, norm }: { readonly w: Float64Array; readonly c: number; readonly norm: Norm },
): Float64Array => {
  let missing = c
  for (let i = 0; i < x.length; i++) missing -= w[i]! * x[i]!
  const side = Math.sign(missing)
  missing = Math.abs(missing)
  const pace = (i: number): number => (norm === 'linf' ? 1 : Math.abs(w[i]!))
  const room = x.map((value, i) => (side * w[i]! > 0 ? 1 - value : value))
  const moving = Array.from(x.keys())
    .filter(i => w[i] !== 0)
    .sort((a, b) => room[a]! / pace(a) - room[b]! / pace(b))

  // Below the next pixel's limit, <w, z> - <w, x> = reached + t * slope: those at their limit, and those on the way.
  let reached = 0
  let slope = moving.reduce((sum, i) => sum + Math.abs(w[i]!) * pace(i), 0)
  let t = Infinity
  for (const i of moving) {
    const limit = room[i]! / pace(i)
    if (reached + limit * slope >= missing) {
      t = (missing - reached) / slope
      break
    }
    reached += Math.abs(w[i]!) * room[i]!
    slope -= Math.abs(w[i]!) * pace(i)
  }
  return x.map((value, i) => (w[i] === 0 ? value : value + side * Math.sign(w[i]!) * Math.min(t * pace(i), room[i]!)))
}

/** Length of a perturbation: largest absolute value, or Euclidean. */
export const normOf = (delta: ArrayLike<number>, norm: Norm): number => {
  let total = 0
  for (let i = 0; i < delta.length; i++) total = norm === 'linf' ? Math.max(total, Math.abs(delta[i]!)) : total + delta[i]! ** 2
  return norm === 'linf' ? total : Math.sqrt(total)
}
