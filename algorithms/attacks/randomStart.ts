import { type Tensor, tidy } from '../../core/index.ts'
import type { Draws } from '../randomness/draws.ts'

/** x plus uniform noise over the l_inf ball of radius epsilon; the projection onto the attack's ball and the box is the attack's. */
export const randomStart = (x: Tensor, draws: Draws, { epsilon }: { readonly epsilon: number }): Tensor =>
  tidy(() =>
    x.add(
      draws
        .uniform('init', x.shape.slice(1))
        .mul(2 * epsilon)
        .sub(epsilon),
    ),
  )
