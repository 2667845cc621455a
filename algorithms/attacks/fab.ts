import { tidy } from '../../core/index.ts'
import { hostImages, splitImages, uploadImages } from './hostImages.ts'
import { normOf, projectHyperplane } from './hyperplane.ts'
import { inRuns } from './inRuns.ts'
import { type LogitLoss, targetedMarginLoss } from './logitLosses.ts'
import { gradientAt, type Look, lookAt, withoutExtraLoss } from './look.ts'
import type { Attack, AttackProblem, AttackResult } from './problem.ts'
import { projectImage } from './projections.ts'
import { firstSeen, stronger } from './strongest.ts'
import { rankTargets } from './targets.ts'

export interface FabOptions {
  /** Iterations for each target; one gradient and one look each. AutoAttack takes 100. */
  readonly steps: number
  /** Halvings of the last segment. Default 10. */
  readonly finalSteps?: number
}

/** Largest weight of the projection of the clean image; overshoot beyond the boundary; how far an adversarial image goes back. */
const alphaMax = 0.1
const eta = 1.05
const beta = 0.9

/**
 * Fast Adaptive Boundary attack towards one class per image (FAB-T; Croce & Hein 2020, arXiv 1907.02044 and 2003.01690): looks for the
 * nearest adversarial image, whatever epsilon. With h the boundary z_t = z_y linearised at x_k, proj its projection in the box,
 *
 *   d = proj_h(x_k) - x_k,   d0 = proj_h(x) - x,   alpha = min(||d|| / (||d|| + ||d0||), 0.1)
 *   x_{k+1} = clip((1 - alpha) (x_k + 1.05 d) + alpha (x + 1.05 d0))
 *
 * and, where x_{k+1} is misclassified, x_{k+1} <- x + 0.9 (x_{k+1} - x). At the end the segment from x to the nearest adversarial image is
 * halved `finalSteps` times. `distance`: of the nearest adversarial image, Infinity where none was met, 0 where the clean image
 * is one; only images within epsilon end in the result unprojected. Throws RangeError when `steps` is not a whole number >= 0.
 * Deviations: the paper's final search is a secant method of 3 steps. With several EoT samples gradients and differences of logits are
 * means, and an image counts as adversarial when more than half of the samples are misclassified; the published code draws once.
 */
export const fabRun = async (
  given: AttackProblem,
  targets: readonly number[],
  { steps, finalSteps = 10 }: FabOptions,
): Promise<{ readonly result: AttackResult; readonly distance: Float64Array }> => {
  if (!(Number.isInteger(steps) && steps >= 0)) throw new RangeError(`fab: steps must be a whole number >= 0, got ${steps}; 100 is usual`)
  const problem = withoutExtraLoss(given)
  const { images, norm } = problem
  const loss: LogitLoss = (logits, labels) => targetedMarginLoss(logits, labels, targets)
  const clean = await hostImages(images)
  const rows = clean.map((_, i) => i)
  const look = async (x: readonly Float64Array[], step: number): Promise<Look> => {
    const uploaded = uploadImages(x, images.shape)
    const seen = await lookAt(problem, loss, uploaded, step)
    uploaded.dispose()
    return seen
  }
  const distanceOf = (i: number, x: Float64Array): number =>
    normOf(
      x.map((value, j) => value - clean[i]![j]!),
      norm,
    )

  const cleanLook = await look(clean, 0)
  const nearest = clean.slice()
  const distance = Float64Array.from(rows, (_, i) => (isAdversarial(cleanLook, i) ? 0 : Infinity))
  let x = clean.slice()
  for (let k = 0; k < steps; k++) {
    const uploaded = uploadImages(x, images.shape)
    const { loss: margin, gradient } = await gradientAt(problem, loss, uploaded, k)
    uploaded.dispose()
    const w = splitImages(await gradient.data(), x.length)
    gradient.dispose()
    x = x.map((current, i) => boundaryStep(current, clean[i]!, { w: w[i]!, margin: margin[i]!, norm }))
    const seen = await look(x, k)
    x = x.map((next, i) => {
      if (!isAdversarial(seen, i)) return next
      const reached = distanceOf(i, next)
      if (reached < distance[i]!) {
        distance[i] = reached
        nearest[i] = next
      }
      return between(clean[i]!, next, beta)
    })
  }

  // The share of the way from the clean to the nearest adversarial image that is known to be correct, and known to be adversarial.
  const low = new Float64Array(x.length)
  const high = new Float64Array(x.length).fill(1)
  for (let k = 0; k < finalSteps; k++) {
    const middle = low.map((share, i) => (share + high[i]!) / 2)
    const seen = await look(
      nearest.map((end, i) => between(clean[i]!, end, middle[i]!)),
      steps + k,
    )
    middle.forEach((share, i) => {
      ;(isAdversarial(seen, i) ? high : low)[i] = share
    })
  }
  const ends = nearest.map((end, i) => (distance[i] === Infinity ? end : between(clean[i]!, end, high[i]!)))
  ends.forEach((end, i) => {
    if (distance[i] !== Infinity) distance[i] = distanceOf(i, end)
  })

  const uploaded = uploadImages(ends, images.shape)
  const xAdv = tidy(() => projectImage(images, uploaded.sub(images), problem))
  const last = steps + finalSteps
  const result = stronger(firstSeen(images, cleanLook), xAdv, await lookAt(problem, loss, xAdv, last))
  uploaded.dispose()
  xAdv.dispose()
  return { result, distance }
}

/** FAB-T: one run towards each of the `targets` classes that the model finds likeliest (default 9). */
export const fabTargeted =
  ({ targets = 9, ...o }: FabOptions & { readonly targets?: number }): Attack =>
  async problem => {
    const wanted = await rankTargets(problem, targets)
    return inRuns(wanted.length, async (part, run, rows) => {
      const classes = rows.map(row => wanted[run]![row]!)
      return (await fabRun(part, classes, o)).result
    })(problem)
  }

const isAdversarial = ({ wrongShare }: Look, i: number): boolean => wrongShare[i]! > 0.5

/** One iteration for one image. margin = z_t - z_y at `current`, w its gradient. */
const boundaryStep = (
  current: Float64Array,
  clean: Float64Array,
  { w, margin, norm }: { readonly w: Float64Array; readonly margin: number; readonly norm: AttackProblem['norm'] },
): Float64Array => {
  let c = -margin
  for (let j = 0; j < w.length; j++) c += w[j]! * current[j]!
  const towards = (x: Float64Array): Float64Array => projectHyperplane(x, { w, c, norm }).map((value, j) => value - x[j]!)
  const [d, d0] = [towards(current), towards(clean)]
  const [length, length0] = [normOf(d, norm), normOf(d0, norm)]
  const alpha = length === 0 ? 0 : Math.min(length / (length + length0), alphaMax)
  return current.map((value, j) => {
    const mixed = (1 - alpha) * (value + eta * d[j]!) + alpha * (clean[j]! + eta * d0[j]!)
    return Math.min(1, Math.max(0, mixed))
  })
}

const between = (from: Float64Array, to: Float64Array, share: number): Float64Array =>
  from.map((value, j) => value + share * (to[j]! - value))
