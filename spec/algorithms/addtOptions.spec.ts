import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { type AddtOptions, addtStep } from '../../algorithms/training/addt.ts'
import { type CgpoStep, cgpo, guideLoss } from '../../algorithms/training/cgpo.ts'
import { mixNoise } from '../../algorithms/training/mixNoise.ts'
import { edmProcess, lambdas } from '../../algorithms/training/noiseProcess.ts'
import { dispose, liveTensors, type Tensor, tidy, useBackend, valueAndGrad } from '../../core/index.ts'
import { sizeOf } from '../../core/shape.ts'
import { backendsUnderTest, isFloat32 } from '../support/backends.ts'
import { expectAllNear, expectNear } from '../support/numbers.ts'
import { runs } from '../support/replay.ts'
import { type AddtCase as Case, addtCases as cases, perImageShape, addtProcess as process, addtSetUp as setUp } from './addtCase.ts'

describe.each(backendsUnderTest)('options of CGPO and ADDT on %s', backend => {
  beforeAll(() => useBackend(backend))
  const tolerance = isFloat32(backend) ? 1e-5 : 1e-10

  const seenBy = async (
    given: Case,
    options: Partial<AddtOptions & { steps: number }>,
  ): Promise<{ gradients: number[][]; deltas: number[][] }> => {
    const { batch, o, release } = setUp(given)
    const gradients: number[][] = []
    const deltas: number[][] = []
    const onStep = async ({ gradient, delta }: CgpoStep) => {
      gradients.push(Array.from(await gradient.data()))
      deltas.push(Array.from(await delta.data()))
    }
    const result = await cgpo(batch, { ...o, ...options, onStep })
    dispose(result)
    release()
    return { gradients, deltas }
  }

  it('should rank only the last gradient when it does not accumulate (finding M6)', () =>
    fc.assert(
      fc.asyncProperty(cases, async given => {
        const { gradients, deltas } = await seenBy(given, { accumulate: false })
        expect(deltas).toEqual(gradients)
        const summed = await seenBy(given, {})
        expect(summed.deltas.at(-1)).not.toEqual(summed.gradients.at(-1))
      }),
      { numRuns: runs(4) },
    ))

  it('should add up the gradients of several noises, the first that of one alone', () =>
    fc.assert(
      fc.asyncProperty(cases, async given => {
        const [three, one] = [await seenBy(given, { eotSamples: 3, steps: 1 }), await seenBy(given, { steps: 1 })]
        expect(three.gradients).toHaveLength(3)
        expect(three.gradients[0]).toEqual(one.gradients[0])
        expect(three.gradients[1]).not.toEqual(three.gradients[0])
        const scale = Math.max(...three.gradients.flat().map(Math.abs))
        const sums = three.gradients[0]!.map((_, i) => three.gradients.reduce((sum, g) => sum + g[i]!, 0))
        expectAllNear(
          three.deltas[2]!.map(d => d / scale),
          sums.map(d => d / scale),
          tolerance,
        )
      }),
      { numRuns: runs(4) },
    ))

  it('should learn eps alone where asked, which differs from the paper by the known cross term (finding M7)', () =>
    fc.assert(
      fc.asyncProperty(cases, async given => {
        const { parameters, batch, o, release } = setUp(given)
        const step = (target: 'mixed' | 'epsilon') => addtStep(parameters, batch, { ...o, target })
        const [mixed, plain] = [await step('mixed'), await step('epsilon')]
        const t = process.drawTimes(batch.draws)
        const epsilonDelta = await cgpo({ ...batch, t }, o)
        const expected = tidy(() => {
          const epsilon = batch.draws.normal('epsilon', perImageShape)
          const n = mixNoise(epsilon, { epsilonDelta, lambdas: lambdas(process, t) })
          return o.network(process.noised(batch.x0, { t, n }), t).sub(epsilon).square().mean()
        })
        expectNear(await plain.loss.item(), await expected.item(), tolerance * (1 + (await expected.item())))
        expect(await mixed.loss.item()).not.toBe(await plain.loss.item())
        dispose([mixed, plain, epsilonDelta, expected])
        release()
      }),
      { numRuns: runs(4) },
    ))

  it('should search with the model it is given for that, and train the other', async () => {
    const { parameters, batch, o, release } = setUp({ seed: 3, t: [4, 5], labels: [0, 1] })
    let [searched, trained] = [0, 0]
    const counted =
      (count: () => void): AddtOptions['model'] =>
      (...given) => {
        count()
        return o.model(...given)
      }
    const result = await addtStep(parameters, batch, {
      ...o,
      model: counted(() => trained++),
      searchModel: counted(() => searched++),
    })
    expect([searched, trained]).toEqual([5, 1])
    dispose(result)
    release()
  })

  it.each([
    ['DDPM', process],
    ['EDM', edmProcess()],
  ])("should leak the guide's gradients into the training of %s only where asked (finding H3)", (_, leaking) =>
    fc.assert(
      fc.asyncProperty(cases, async given => {
        const { parameters, batch, o, release } = setUp(given)
        const modulation = { lambdaUnit: 0.2, lambdaMin: 0.1, lambdaMax: 0.7 }
        const searchModel: AddtOptions['model'] = (...at) => o.model(...at).mul(0.5)
        const options = { ...o, process: leaking, modulation, searchModel, cgpoSteps: 2 }
        const live = liveTensors()
        const clean = await addtStep(parameters, batch, options)
        const leaked = await addtStep(parameters, batch, { ...options, leakGuideGradient: true })
        expect(liveTensors() - live).toBe(6)
        const t = leaking.drawTimes(batch.draws)
        const sums = [0, 0]
        const frozen = await cgpo(
          { ...batch, t },
          {
            ...options,
            network: (xT, times) => searchModel(parameters, xT, times),
            steps: 2,
            onStep: async ({ epsilonDelta, epsilon }) => {
              const { gradient, value } = valueAndGrad((theta: Readonly<Record<string, Tensor>>) => {
                const n = mixNoise(epsilon, { epsilonDelta, lambdas: lambdas(leaking, t, modulation) })
                return guideLoss({ ...batch, t }, { ...options, network: (xT, times) => searchModel(theta, xT, times) }, n).mean()
              })(parameters)
              sums[0] += (await gradient.weight!.data())[0]!
              sums[1] += (await gradient.bias!.data())[1]!
              dispose([gradient, value])
            },
          },
        )
        const difference = async (name: string, i: number) =>
          (await leaked.gradient[name]!.data())[i]! - (await clean.gradient[name]!.data())[i]!
        const scale = 1 + Math.abs((await clean.gradient.weight!.data())[0]!) + Math.abs((await clean.gradient.bias!.data())[1]!)
        // The scripts' denoising loss is the sum over an image of which ours is the mean.
        const elements = sizeOf(perImageShape)
        expectNear(elements * (await difference('weight', 0)), sums[0]!, elements * tolerance * scale)
        expectNear(elements * (await difference('bias', 1)), sums[1]!, elements * tolerance * scale)
        expect(await leaked.loss.item()).toBe(await clean.loss.item())
        dispose([clean, leaked, frozen])
        release()
      }),
      { numRuns: runs(4) },
    ),
  )
})
