import { tidy } from '../../core/index.ts'
import { hostImages, uploadImages } from './hostImages.ts'
import { inRuns } from './inRuns.ts'
import { marginLoss } from './logitLosses.ts'
import { type Look, lookAt, withoutExtraLoss } from './look.ts'
import type { Attack, AttackProblem, AttackResult } from './problem.ts'
import { projectImage } from './projections.ts'
import { type ImageShape, l2Grid, type ProposalContext, squareL2, squareLinf, stripes } from './squareProposals.ts'
import { squareShare, squareSide } from './squareSchedule.ts'
import { firstSeen, stronger } from './strongest.ts'

export interface SquareOptions {
  /** Looks at the defence after the clean image. AutoAttack takes 5,000. */
  readonly queries: number
  /** Share of pixels changed at first. Default 0.8, as in AutoAttack. */
  readonly initialShare?: number
  readonly restarts?: number
}

/**
 * Square attack (Andriushchenko et al. 2020): random search without gradients. Each query changes one square window of the
 * image to the edge of the ball and keeps the change where the margin loss rises; the squares shrink (squareSchedule.ts).
 *
 * `kept` is the margin of the kept image after each query, [query][image], which never falls. Draws `search` by the number of the
 * query. Ends early when every image is misclassified on all samples. Throws RangeError when `queries` is not a whole number >= 1.
 * Deviations: the published code decides by one draw of the defence; here by the mean over EoT samples, so that one lucky noise does not
 * end the search. Windows reach the last row and column, which there they do not, and those of l_2, which may coincide, have sides of two
 * pixels at least, there odd ones of three at least.
 */
export const squareRun = async (
  given: AttackProblem,
  { queries, initialShare = 0.8 }: Omit<SquareOptions, 'restarts'>,
): Promise<{ readonly result: AttackResult; readonly kept: readonly Float64Array[] }> => {
  if (!(Number.isInteger(queries) && queries >= 1)) {
    throw new RangeError(`square: queries must be a whole number >= 1, got ${queries}; 5000 is usual`)
  }
  const problem = withoutExtraLoss(given)
  const { images, draws, epsilon, norm } = problem
  const [, channels, height, width] = images.shape as [number, number, number, number]
  const shape: ImageShape = [channels, height, width]
  const clean = await hostImages(images)
  const propose = (query: number, make: (i: number, context: ProposalContext) => Float64Array): Float64Array[] => {
    // Enough for two windows with a sign for each channel, and at first for a sign of each stripe or grid cell.
    const perImage = query === 1 ? (channels + 1) * height * width : 8 + channels
    const uniforms = draws.at({ attackStep: query, eotSample: 0 }).uniformValues('search', [perImage])
    return clean.map((own, i) => {
      let used = i * perImage
      return make(i, { clean: own, shape, epsilon, next: () => uniforms[used++]! })
    })
  }
  const look = async (x: readonly Float64Array[], query: number): Promise<{ seen: Look; image: AttackProblem['images'] }> => {
    const uploaded = uploadImages(x, images.shape)
    const image = tidy(() => projectImage(images, uploaded.sub(images), problem))
    uploaded.dispose()
    return { seen: await lookAt(problem, marginLoss, image, query), image }
  }

  const gridSide = Math.min(Math.max(2, Math.floor(Math.min(height, width) / 5)), height, width)
  let result = firstSeen(images, await lookAt(problem, marginLoss, images, 0))
  let current = clean
  let margin = new Float64Array(clean.length).fill(-Infinity)
  const kept: Float64Array[] = []
  for (let query = 1; query <= queries; query++) {
    if (result.wrongShare.every(share => share === 1)) break
    const p = squareShare(query - 1, { queries, initial: initialShare })
    // An l_2 pattern has two halves, which need two rows at least.
    const side = squareSide(p, { height, width, least: norm === 'linf' ? 1 : 2 })
    const proposed = propose(query, (i, context) => {
      if (query === 1) return norm === 'linf' ? stripes(context) : l2Grid(gridSide, context)
      return norm === 'linf' ? squareLinf(current[i]!, side, context) : squareL2(current[i]!, side, context)
    })
    const { seen, image } = await look(proposed, query)
    result = stronger(result, image, seen)
    image.dispose()
    current = current.map((own, i) => (seen.loss[i]! > margin[i]! ? proposed[i]! : own))
    margin = margin.map((own, i) => Math.max(own, seen.loss[i]!))
    kept.push(margin)
  }
  return { result, kept }
}

/** Square attack with restarts. */
export const square = ({ restarts = 1, ...o }: SquareOptions): Attack =>
  inRuns(restarts, async problem => (await squareRun(problem, o)).result)
