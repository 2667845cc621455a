import { ops, stopGradient, type Tensor, tensor, tidy } from '../../core/index.ts'
import type { Look } from './look.ts'
import { type AttackResult, takeRows } from './problem.ts'

/** A column of per-image numbers that broadcasts over images: [batch, 1, 1, 1]. */
export const perImage = (values: ArrayLike<number>): Tensor => tensor(values, [values.length, 1, 1, 1])

/** Images of a where `takesA`, else of b. */
export const chooseImages = (takesA: readonly boolean[], a: Tensor, b: Tensor): Tensor =>
  tidy(() => ops.where(perImage(takesA.map(Number)), a, b))

/** The result of an attack that has seen x and nothing else. */
export const firstSeen = (x: Tensor, { loss, wrongShare }: Look): AttackResult => ({
  xAdv: stopGradient(x),
  loss: loss.slice(),
  wrongShare: wrongShare.slice(),
  found: [...wrongShare].map(share => share > 0),
})

/**
 * The stronger of two images by what an attack saw of them: misclassified on more samples, and among equals with the larger
 * loss. So a larger loss never replaces an image that fools the defence by one that does not.
 */
export const stronger = (best: AttackResult, x: Tensor, seen: Look): AttackResult => {
  const better = [...seen.loss].map((loss, i) => {
    const [share, before] = [seen.wrongShare[i]!, best.wrongShare[i]!]
    return share > before || (share === before && loss > best.loss[i]!)
  })
  const pick = (own: Float64Array, other: Float64Array): Float64Array => own.map((value, i) => (better[i] ? value : other[i]!))
  const found = best.found.map((before, i) => before || seen.wrongShare[i]! > 0)
  if (!better.includes(true)) return { ...best, found }
  const xAdv = chooseImages(better, x, best.xAdv)
  best.xAdv.dispose()
  return { xAdv, loss: pick(seen.loss, best.loss), wrongShare: pick(seen.wrongShare, best.wrongShare), found }
}

/** `other`, which knows the images at `rows` only, joined into `best`: the stronger of the two there. Takes over both. */
export const joinRows = (best: AttackResult, other: AttackResult, rows: readonly number[]): AttackResult => {
  const place = new Map(rows.map((row, i) => [row, i]))
  const spread = (values: Float64Array, own: Float64Array): Float64Array =>
    own.map((value, row) => (place.has(row) ? values[place.get(row)!]! : value))
  const x = tidy(() => {
    const images = best.found.map((_, row) => takeRows(place.has(row) ? other.xAdv : best.xAdv, [place.get(row) ?? row]))
    return ops.concat(images, 0)
  })
  const joined = stronger(best, x, { loss: spread(other.loss, best.loss), wrongShare: spread(other.wrongShare, best.wrongShare) })
  x.dispose()
  other.xAdv.dispose()
  return { ...joined, found: joined.found.map((before, row) => before || (place.has(row) && other.found[place.get(row)!]!)) }
}
