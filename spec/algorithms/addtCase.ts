import fc from 'fast-check'
import { trainingSources } from '../../algorithms/randomness/drawName.ts'
import { createDraws } from '../../algorithms/randomness/draws.ts'
import type { AddtOptions } from '../../algorithms/training/addt.ts'
import { ddpmProcess } from '../../algorithms/training/noiseProcess.ts'
import { dispose, type Tensor } from '../../core/index.ts'
import { gaussian, linearClassifier, pixels, schedule } from './fixtures.ts'

export const addtShape = [2, 2, 3, 2] as const
export const perImageShape = addtShape.slice(1)
export const addtProcess = ddpmProcess(schedule)
export const addtCases = fc.record({ seed: fc.nat(2 ** 30), t: fc.tuple(fc.nat(600), fc.nat(600)), labels: fc.tuple(fc.nat(2), fc.nat(2)) })
export type AddtCase = typeof addtCases extends fc.Arbitrary<infer T> ? T : never

/** Everything a training step on two small images needs, the times given; what is made is freed by `release`. */
export const addtSetUp = ({ seed, t, labels }: AddtCase) => {
  const parameters = { weight: gaussian(seed, 'weight', [2, 1, 1]), bias: gaussian(seed, 'bias', [2, 1, 1]) }
  const guide = gaussian(seed, 'guide', [12, 3])
  const x0 = pixels(seed, addtShape, { low: -1 })
  const draws = createDraws({ seed, images: [2, 5], registered: trainingSources, context: { purpose: 'train' } })
  const model: AddtOptions['model'] = ({ weight, bias }, xT) => xT.mul(weight!).add(bias!)
  const o = {
    process: addtProcess,
    model,
    classifier: linearClassifier(guide),
    network: (xT: Tensor, times: readonly number[]) => model(parameters, xT, times),
  }
  return { parameters, batch: { x0, labels, draws, t }, o, release: () => dispose([parameters, guide, x0]) }
}
