import type { DrawContext, DrawPlace, Source } from '../../algorithms/randomness/drawName.ts'
import type { Draws } from '../../algorithms/randomness/draws.ts'
import { sizeOf, tensor } from '../../core/index.ts'

/** The full name of a draw for a whole batch. */
export interface GivenName extends DrawContext, DrawPlace {
  readonly source: Source
}

/** The values of a draw for the whole batch, row-major; undefined when there are none. */
export type GivenValues = (name: GivenName) => ArrayLike<number> | undefined

/**
 * Draws that are looked up instead of drawn, so that our algorithms meet the very noise that another implementation met.
 * Throws on a draw without values and on values of another size; `integers` takes them as they are. It has no keys and
 * serves its one batch only.
 */
export const givenDraws = (batch: number, values: GivenValues): Draws => {
  const images = Array.from({ length: batch }, (_, i) => i)
  const unavailable = (what: string) => (): never => {
    throw new Error(`givenDraws: ${what} is not available, only the values given for this batch; draw with createDraws instead`)
  }

  const inContext = (context: DrawContext): Draws => {
    const find = (source: Source, count: number, { diffusionStep = 0, part = '' }: Partial<DrawPlace> = {}): Float64Array => {
      const name = { ...context, source, diffusionStep, part }
      const found = values(name)
      if (found?.length !== batch * count) {
        throw new Error(
          `givenDraws: needs ${batch * count} values for ${JSON.stringify(name)}, got ${found?.length ?? 'none'}; give them with the golden file`,
        )
      }
      return Float64Array.from(found)
    }
    const valuesOf: Draws['normalValues'] = (source, shape, place) => find(source, sizeOf(shape), place)
    const tensorOf: Draws['normal'] = (source, shape, place) => tensor(valuesOf(source, shape, place), [batch, ...shape])
    return {
      images,
      context,
      at: change => inContext({ ...context, ...change }),
      forImages: unavailable('another batch'),
      key: unavailable('a key'),
      normal: tensorOf,
      uniform: tensorOf,
      normalValues: valuesOf,
      uniformValues: valuesOf,
      integers: (source, _range, place) => Int32Array.from(find(source, 1, place)),
    }
  }
  return inContext({ purpose: 'report', repetition: 0, attackStep: 0, eotSample: 0 })
}
