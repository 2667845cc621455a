import { keep, stopGradient, type Tensor, tidy } from '../../core/index.ts'
import { eotGradient, halvesCosine } from './eot.ts'
import { type Norm, projectImage, steepestDirection } from './projections.ts'
import { chooseImages } from './strongest.ts'

export interface PgdOptions {
  readonly norm: Norm
  /** Radius of the ball and length of a step, pixel units ([0,1]). The paper: 8/255 and 2/255, or 0.5 and 0.1 for l_2. */
  readonly epsilon: number
  readonly stepSize: number
  readonly steps: number
  readonly eotSamples: number
}

/** What an attack step saw, per image, before it moved. */
export interface PgdTrace {
  /** Mean loss over the EoT samples. */
  readonly loss: Float64Array
  /** Cosine of the gradients of two halves of the EoT samples; 1 when there is one sample, 0 where a half is zero. */
  readonly cosine: Float64Array
}

export interface PgdResult {
  readonly xAdv: Tensor
  /** One entry per step. */
  readonly trace: readonly PgdTrace[]
}

/** Loss of every image at an attack step, in the random world of an EoT sample: [batch]. */
export type AttackLoss = (x: Tensor, attackStep: number, eotSample: number) => Tensor

/**
 * Projected gradient ascent (Madry et al. 2018) with expectation over transformation: PGD + EoT.
 *
 * @paper E13 (the noises are in `loss`: locked or drawn anew by attack step and EoT sample)
 *
 *   delta <- project(delta + stepSize * direction(g)),   g = EoT gradient at x + delta
 *
 * x: [batch, channels, height, width], pixels in [0,1]; `start` is the first image of the trajectory (default x itself).
 * Every iterate is in the ball and in the box. `iterate` says which is returned: the last, as in the published scripts
 * (default), or the one of largest mean loss, which costs one more look, at attack step `steps`. `onStep` sees every iterate;
 * it may read it but must not keep it. Throws RangeError on negative epsilon, step size or steps, and Error
 * on a gradient that is not finite.
 */
export const pgd = async (
  loss: AttackLoss,
  x: Tensor,
  o: PgdOptions & {
    readonly start?: Tensor
    readonly iterate?: 'last' | 'best'
    readonly onStep?: (xAdv: Tensor, attackStep: number) => Promise<void> | void
  },
): Promise<PgdResult> => {
  assertBudget(o)
  const ball = { norm: o.norm, epsilon: o.epsilon }
  const trace: PgdTrace[] = []
  let xAdv = tidy(() => projectImage(x, (o.start ?? x).sub(x), ball))
  let best: BestSeen | undefined
  for (let k = 0; k < o.steps; k++) {
    const { next, seen } = tidy(() => {
      const estimate = eotGradient((input, eotSample) => loss(input, k, eotSample), xAdv, o)
      const moved = xAdv.add(steepestDirection(estimate.gradient, o.norm).mul(o.stepSize))
      return { next: projectImage(x, moved.sub(x), ball), seen: { loss: estimate.loss, cosine: halvesCosine(estimate.halves) } }
    })
    trace.push({ loss: await values(seen.loss), cosine: await values(seen.cosine) })
    if (o.iterate === 'best') best = betterSeen(best, xAdv, trace[k]!.loss)
    xAdv.dispose()
    xAdv = next
    assertFinite(trace[k]!, k)
    await o.onStep?.(xAdv, k)
  }
  if (best) {
    const last = tidy(() => meanLoss((input, eotSample) => loss(input, o.steps, eotSample), xAdv, o.eotSamples))
    const chosen = betterSeen(best, xAdv, await values(last)).x
    xAdv.dispose()
    return { xAdv: keep(chosen), trace }
  }
  return { xAdv: keep(xAdv), trace }
}

interface BestSeen {
  readonly x: Tensor
  readonly loss: Float64Array
}

/** The image of larger loss; the first at a tie. Takes over `before`. */
const betterSeen = (before: BestSeen | undefined, x: Tensor, loss: Float64Array): BestSeen => {
  if (!before) return { x: stopGradient(x), loss }
  const better = [...loss].map((value, i) => value > before.loss[i]!)
  const chosen = chooseImages(better, x, before.x)
  before.x.dispose()
  return { x: chosen, loss: loss.map((value, i) => (better[i] ? value : before.loss[i]!)) }
}

const meanLoss = (loss: (x: Tensor, eotSample: number) => Tensor, x: Tensor, eotSamples: number): Tensor => {
  let total = tidy(() => loss(x, 0))
  for (let k = 1; k < eotSamples; k++) total = total.add(tidy(() => loss(x, k)))
  return total.mul(1 / eotSamples)
}

const values = async (t: Tensor): Promise<Float64Array> => {
  const result = Float64Array.from(await t.data())
  t.dispose()
  return result
}

/** A sign step hides a NaN (its sign is 0), so the loss and the gradient's cosine are watched instead. */
const assertFinite = ({ loss, cosine }: PgdTrace, step: number): void => {
  const bad = loss.findIndex((value, i) => !Number.isFinite(value) || Number.isNaN(cosine[i]))
  if (bad >= 0)
    throw new Error(
      `pgd: image ${bad} of the batch has a loss of ${loss[bad]} or a gradient that is not finite at step ${step}; check the model's weights`,
    )
}

const assertBudget = ({ epsilon, stepSize, steps }: PgdOptions): void => {
  if (!(epsilon >= 0)) throw new RangeError(`pgd: epsilon must be >= 0, got ${epsilon}; give the radius in pixel units, such as 8/255`)
  if (!(stepSize >= 0)) throw new RangeError(`pgd: stepSize must be >= 0, got ${stepSize}; a quarter of epsilon is usual`)
  if (!(Number.isInteger(steps) && steps >= 0))
    throw new RangeError(`pgd: steps must be a whole number >= 0, got ${steps}; the paper uses 20`)
}
