/** Where the share of pixels is halved, out of 10,000 queries. */
const halvings = [10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000]

/**
 * Share p of an image's pixels that Square attack changes at query `query` of `queries` (Andriushchenko et al. 2020): halved after
 * 10, 50, 200, 500, 1000, 2000, 4000, 6000 and 8000 of 10,000 queries, these being scaled to the budget as in AutoAttack.
 */
export const squareShare = (query: number, { queries, initial }: { readonly queries: number; readonly initial: number }): number => {
  const scaled = Math.floor((query / queries) * 10_000)
  return initial / 2 ** halvings.filter(at => scaled > at).length
}

/** Side of the square that holds the share p of a height x width image: at least `least`, at most the image's shorter side. */
export const squareSide = (
  p: number,
  { height, width, least }: { readonly height: number; readonly width: number; readonly least: number },
): number => Math.min(Math.max(Math.round(Math.sqrt(p * height * width)), least), Math.min(height, width))
