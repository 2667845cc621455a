import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { classifierStep, isRunningStatistic, type TrainableClassifier } from '../../algorithms/training/classifier.ts'
import { dispose, liveTensors, useBackend } from '../../core/index.ts'
import { backendsUnderTest, isFloat32 } from '../support/backends.ts'
import { expectAllNear, expectNear } from '../support/numbers.ts'
import { runs } from '../support/replay.ts'
import { bits, gaussian, linearClassifier } from './fixtures.ts'

const [features, classes] = [6, 3]

/** A linear classifier that subtracts its batch mean and records it. */
const model: TrainableClassifier = (parameters, x) => {
  const mean = x.mean([0], { keepDims: true })
  const logits = linearClassifier(parameters.weight!, parameters.bias)(x.sub(mean))
  return { logits, runningStatistics: { 'bn.running_mean': parameters['bn.running_mean']!.mul(0.9).add(mean.mul(0.1)) } }
}

describe.each(backendsUnderTest)('classifier step on %s', backend => {
  beforeAll(() => useBackend(backend))

  it('should give the mean cross-entropy, its closed-form gradient to what is trained, and the moved statistics', () =>
    fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.nat(2 ** 30), async (batch, seed) => {
        const parameters = {
          weight: gaussian(seed, 'weight', [features, classes]),
          bias: gaussian(seed, 'bias', [classes]),
          'bn.running_mean': gaussian(seed, 'running', [1, 1, 2, 3]),
        }
        const x = gaussian(seed, 'x', [batch, 1, 2, 3])
        const labels = Array.from({ length: batch }, (_, i) => (seed + i) % classes)
        const before = await Promise.all(Object.values(parameters).map(bits))
        const live = liveTensors()
        const { loss, gradient, runningStatistics } = classifierStep(parameters, x, labels, model)
        expect(liveTensors() - live).toBe(4)

        const [images, w, b] = await Promise.all([x.data(), parameters.weight.data(), parameters.bias.data()])
        const mean = Array.from({ length: features }, (_, f) => labels.reduce((sum, _, i) => sum + images[i * features + f]!, 0) / batch)
        const centred = labels.map((_, i) => mean.map((m, f) => images[i * features + f]! - m))
        const residuals = centred.map((row, i) => {
          const logits = Array.from({ length: classes }, (_, c) => b[c]! + row.reduce((sum, v, f) => sum + v * w[f * classes + c]!, 0))
          const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0)
          return { loss: Math.log(total) - logits[labels[i]!]!, p: logits.map((l, c) => Math.exp(l) / total - (c === labels[i] ? 1 : 0)) }
        })
        const averaged = (of: (i: number) => number) => labels.reduce((sum, _, i) => sum + of(i), 0) / batch
        const tolerance = isFloat32(backend) ? 1e-5 : 1e-12
        expectNear(
          await loss.item(),
          averaged(i => residuals[i]!.loss),
          tolerance,
        )
        expect(Object.keys(gradient)).toEqual(['weight', 'bias'])
        const expectedWeight = Array.from({ length: features * classes }, (_, at) =>
          averaged(i => centred[i]![Math.floor(at / classes)]! * residuals[i]!.p[at % classes]!),
        )
        expectAllNear(await gradient.weight!.data(), expectedWeight, tolerance)
        const expectedBias = Array.from({ length: classes }, (_, c) => averaged(i => residuals[i]!.p[c]!))
        expectAllNear(await gradient.bias!.data(), expectedBias, tolerance)

        const running = await parameters['bn.running_mean'].data()
        const moved = mean.map((m, f) => 0.9 * running[f]! + 0.1 * m)
        expectAllNear(await runningStatistics['bn.running_mean']!.data(), moved, tolerance)
        expect(runningStatistics['bn.running_mean']!.node).toBeUndefined()
        expect(await Promise.all(Object.values(parameters).map(bits))).toEqual(before)
        dispose([parameters, x, loss, gradient, runningStatistics])
      }),
      { numRuns: runs(8) },
    ))
})

describe('running statistics', () => {
  it('should be told by the last part of their name', () => {
    for (const name of ['running_mean', 'bn1.running_var', 'block1.layer.0.bn1.num_batches_tracked']) {
      expect(isRunningStatistic(name)).toBe(true)
    }
    for (const name of ['bn1.weight', 'running_mean.weight', 'bn1.unrunning_mean']) expect(isRunningStatistic(name)).toBe(false)
  })
})
