import type { Component } from '../../algorithms/attacks/presets.ts'
import { firstSeen } from '../../algorithms/attacks/strongest.ts'
import { type Defence, undefended } from '../../algorithms/evaluation/defence.ts'
import type { LabelledBatch } from '../../algorithms/evaluation/robustAccuracy.ts'
import { stopGradient, type Tensor, tensor } from '../../core/index.ts'
import { uniform } from '../../core/random/distributions.ts'
import { foldIn, key } from '../../core/random/key.ts'

/** Defences whose robust accuracy is known beforehand, for an evaluator to be tried on. */

const pixels = 16

/** Random images of 4 x 4 pixels away from the edges of the box, all of class 0, each with an id and so noise of its own. */
export const knownBatch = (count: number, seed = 0): LabelledBatch => {
  const ids = Array.from({ length: count }, (_, id) => id)
  const values = uniform(foldIn(key(seed), 'calibration'), count * pixels).map(u => 0.3 + 0.4 * u)
  return { images: tensor(values, [count, 1, 4, 4]), labels: ids.map(() => 0), ids }
}

/** Logits (value, 0) from a value per image, [batch, 1]: class 0 as long as the value is positive. */
const class0 = (value: Tensor): Tensor => value.matmul(tensor([1, 0], [1, 2]))

const flat = (x: Tensor): Tensor => x.reshape([x.shape[0]!, -1])

/** The same logits for every image: the best attack and the worst leave the share of its class. */
export const constantDefence = (classes: number): Defence =>
  undefended(x =>
    flat(x)
      .sum([1], { keepDims: true })
      .mul(0)
      .matmul(tensor(new Array<number>(classes).fill(1), [1, classes]))
      .add(tensor([1, ...new Array<number>(classes - 1).fill(0)], [1, classes])),
  )

/** A coin: right with this probability on every draw, whatever the image. No attack lowers its accuracy, and no gradient exists. */
export const coinDefence =
  (accuracy: number): Defence =>
  (_, draws) =>
    class0(draws.uniform('forward', [1]).sub(1 - accuracy))

/** Class 0 where the mean pixel is below its value in the batch's image plus `distance`: each image is fooled just beyond that l_inf radius. */
export const plantedDefence = (batch: LabelledBatch, distance: number): Defence => {
  const limit = stopGradient(flat(batch.images).mean([1], { keepDims: true }).add(distance))
  return undefended(x => class0(limit.sub(flat(x).mean([1], { keepDims: true })).mul(50)))
}

const levels = 64

/** Pixels rounded to 1/64; the derivative is 0 everywhere. */
const quantised = (x: Tensor): Tensor => {
  const thresholds = tensor(
    Array.from({ length: levels }, (_, k) => (k + 0.5) / levels),
    [1, 1, levels],
  )
  const above = flat(x).reshape([x.shape[0]!, -1, 1]).sub(thresholds).sign().add(1).mul(0.5)
  return above.sum([2]).mul(1 / levels)
}

/** The planted defence behind a quantiser of the pixels, which rounds the gradient away: it looks robust to all that needs a gradient. */
export const maskedDefence = (batch: LabelledBatch, distance: number): Defence => {
  const planted = plantedDefence(batch, distance)
  return (x, draws) => planted(quantised(x), draws)
}

/** The planted defence with logits scaled until the cross-entropy saturates: its gradient underflows to exactly 0. */
export const saturatedDefence = (batch: LabelledBatch, distance: number): Defence => {
  const planted = plantedDefence(batch, distance)
  return (x, draws) => planted(x, draws).mul(1e6)
}

/** An attack that moves nothing and looks at nothing. */
export const idleAttack: Component = {
  name: 'idle',
  attack:
    () =>
    async ({ images, labels }) =>
      firstSeen(images, { loss: new Float64Array(labels.length), wrongShare: new Float64Array(labels.length) }),
}
