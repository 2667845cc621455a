import { type AttackerView, type AttackProblem, viewOf } from '../../../algorithms/attacks/problem.ts'
import type { Norm } from '../../../algorithms/attacks/projections.ts'
import { attackSources } from '../../../algorithms/randomness/drawName.ts'
import { createDraws } from '../../../algorithms/randomness/draws.ts'
import { type Tensor, tensor } from '../../../core/index.ts'
import { gaussian, linearClassifier } from '../fixtures.ts'

/** Problems whose answers are known, for every attack. */

export const shape = [2, 1, 3, 3]
export const features = 9

export const problemOf = (
  images: Tensor,
  labels: readonly number[],
  view: AttackerView,
  more: Partial<AttackProblem> = {},
): AttackProblem => ({
  images,
  labels,
  view,
  draws: createDraws({ seed: 3, images: labels.map((_, i) => i), registered: attackSources }).at({ purpose: 'attack' }),
  eotSamples: 1,
  norm: 'linf',
  epsilon: 0.1,
  ...more,
})

/** Random weights of a linear classifier of `classes` classes, [features, classes], and its view. */
export const linearView = (seed: number, classes: number): { weights: Tensor; view: AttackerView } => {
  const weights = gaussian(seed, 'weights', [features, classes])
  return { weights, view: viewOf(linearClassifier(weights)) }
}

/** Two classes: 0 as long as w . x + b > 0. */
export const twoClasses = (w: Tensor, b: number): AttackerView =>
  viewOf(x =>
    linearClassifier(w.reshape([features, 1]))(x)
      .add(b)
      .matmul(tensor([1, 0], [1, 2])),
  )

/** The labels that a view gives to images. */
export const predictions = async (view: AttackerView, x: Tensor): Promise<number[]> => {
  const { logits } = view(x, problemOf(x, [0, 0], view).draws)
  const [batch, classes] = logits.shape as [number, number]
  const values = await logits.data()
  return Array.from({ length: batch }, (_, i) => {
    const row = values.subarray(i * classes, (i + 1) * classes)
    return row.indexOf(Math.max(...row))
  })
}

/** Length of each image's perturbation. */
export const lengths = (xAdv: ArrayLike<number>, x: ArrayLike<number>, norm: Norm): number[] => {
  const delta = Float64Array.from(xAdv, (value, i) => value - x[i]!)
  return [0, 1].map(i => {
    const own = delta.subarray(i * features, (i + 1) * features)
    return norm === 'linf' ? Math.max(...own.map(Math.abs)) : Math.hypot(...own)
  })
}
