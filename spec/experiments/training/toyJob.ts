import { type Tensor, tensor, tidy, valueAndGrad } from '../../../core/index.ts'
import { adamw, ema, type OptimizerState } from '../../../core/optim/index.ts'
import { normal } from '../../../core/random/distributions.ts'
import { foldIn, key } from '../../../core/random/key.ts'
import type { TrainingJob } from '../../../experiments/training/loop.ts'

type Params = Readonly<Record<string, Tensor>>
export type ToyState = {
  readonly params: Params
  readonly optimizer: OptimizerState
  readonly average: OptimizerState & { readonly average: Params }
}

/** A small training with everything a real one has: noise named by the step, optimizer moments, an average, counters. */
export const toyJob = ({
  steps,
  learningRate = 0.05,
  lossAt = loss => loss,
}: {
  readonly steps: number
  readonly learningRate?: number
  /** Changes the loss of a step, to plant a fault. */
  readonly lossAt?: (loss: Tensor, index: number) => Tensor
}): TrainingJob<ToyState> => {
  const optimizer = adamw({ learningRate })
  const averaging = ema()
  return {
    name: 'toy',
    steps,
    settings: { learningRate },
    init: () => {
      const params = { w: tensor([0.1, -0.2, 0.3]), b: tensor([0]) }
      return { params, optimizer: optimizer.init(params), average: averaging.init(params) }
    },
    step: async ({ params, optimizer: state, average }, index) =>
      tidy(() => {
        const x = tensor(normal(foldIn(key(3), index), 12), [4, 3])
        const { value, gradient } = valueAndGrad((theta: Params) =>
          x
            .mul(theta.w!.reshape([1, 3]))
            .sum([1])
            .add(theta.b!)
            .sub(1)
            .square()
            .mean(),
        )(params)
        const updated = optimizer.update(params, gradient, state as ReturnType<typeof optimizer.init>)
        return {
          next: { params: updated.params, optimizer: updated.state, average: averaging.update(updated.params, average) } as ToyState,
          loss: lossAt(value, index),
        }
      }),
  }
}
