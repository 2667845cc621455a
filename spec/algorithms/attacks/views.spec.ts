import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bpdaView, identityBackward } from '../../../algorithms/attacks/bpda.ts'
import { diffAttackView } from '../../../algorithms/attacks/diffAttack.ts'
import { viewOf } from '../../../algorithms/attacks/problem.ts'
import { surrogatePurifier } from '../../../algorithms/attacks/surrogate.ts'
import { qSample } from '../../../algorithms/diffusion/schedule.ts'
import type { EpsilonModel } from '../../../algorithms/models/types.ts'
import { purify } from '../../../algorithms/purification/purify.ts'
import { paperTimesteps } from '../../../algorithms/purification/timesteps.ts'
import { faithfulVpsdeTimes } from '../../../algorithms/purification/vpsdeTimes.ts'
import { evaluationSources } from '../../../algorithms/randomness/drawName.ts'
import { createDraws } from '../../../algorithms/randomness/draws.ts'
import { grad, type Tensor, useBackend } from '../../../core/index.ts'
import { crossEntropy } from '../../../core/nn/crossEntropy.ts'
import { layerDropout } from '../../../core/nn/dropout.ts'
import { backendsUnderTest, isFloat32 } from '../../support/backends.ts'
import { expectAllNear, expectNear } from '../../support/numbers.ts'
import { runs } from '../../support/replay.ts'
import { gaussian, linearClassifier, pixels, purifierOf, smallEpsilon } from '../fixtures.ts'
import { features, shape } from './attackFixtures.ts'

const labels = [0, 2]
const drawsOf = (seed: number) => createDraws({ seed, images: [0, 1] })
const setup = (seed: number) => ({
  purifier: purifierOf(smallEpsilon(seed, 1)),
  classifier: linearClassifier(gaussian(seed, 'w', [features, 3])),
  draws: drawsOf(seed),
  x: pixels(seed, shape),
})
const gradientOf = (f: (x: Tensor) => Tensor, x: Tensor) => grad((input: Tensor) => f(input).sum())(x)

describe.each(backendsUnderTest)('views of a defence on %s', backend => {
  const tolerance = isFloat32(backend) ? 1e-5 : 1e-10

  it('should have under BPDA the values of the defence and the gradient of the classifier at the purified image', async () => {
    await useBackend(backend)
    await fc.assert(
      fc.asyncProperty(fc.nat(1e6), async seed => {
        const { purifier, classifier, draws, x } = setup(seed)
        const view = bpdaView((input, world) => purify(purifier, input, world), classifier)
        const loss = (input: Tensor) => crossEntropy(view(input, draws).logits, labels)
        const purified = purify(purifier, x, draws)
        expectAllNear(await view(x, draws).logits.data(), await classifier(purified).data(), tolerance)
        const atPurified = await gradientOf(input => crossEntropy(classifier(input), labels), purified).data()
        expectAllNear(await gradientOf(loss, x).data(), atPurified, tolerance)
      }),
      { numRuns: runs(6) },
    )
  })

  it('should not trace the purifier under BPDA, so that it takes no memory', async () => {
    await useBackend(backend)
    const traced: boolean[] = []
    const watched = identityBackward(input => {
      traced.push(input.mul(2).node !== undefined)
      return input
    })
    gradientOf(watched, pixels(1, shape))
    expect(traced).toEqual([false])
  })

  it('should give BPDA the full gradient where purification is the identity (P60)', async () => {
    await useBackend(backend)
    const { classifier, draws, x } = setup(4)
    const nothing = bpdaView(input => input, classifier)
    const full = await gradientOf(input => crossEntropy(classifier(input), labels), x).data()
    expect([...(await gradientOf(input => crossEntropy(nothing(input, draws).logits, labels), x).data())]).toEqual([...full])
    expect([
      ...(await gradientOf(
        identityBackward(input => input.mul(0).add(7)),
        x,
      ).data()),
    ]).toEqual(new Array(2 * features).fill(1))
  })

  it('should add under DiffAttack the mean squared distance of forward and reverse images at the chosen steps', async () => {
    await useBackend(backend)
    const { purifier, classifier, draws, x } = setup(5)
    const shown: { t: number; xT: Tensor }[] = []
    purify(
      {
        ...purifier,
        epsilonTheta: (xT, t) => {
          shown.push({ t: t[0]!, xT })
          return purifier.epsilonTheta(xT, t)
        },
      },
      x,
      draws,
    )
    const epsilon = draws.normal('forward', [1, 3, 3])
    const distances = await Promise.all(
      shown.map(async ({ t, xT }) => [
        ...(await qSample(purifier.schedule, x.mul(2).sub(1), { t, epsilon }).sub(xT).square().mean([1, 2, 3]).data()),
      ]),
    )
    const [, second, third] = shown.map(({ t }) => t) as [number, number, number]
    const extraOf = async (o: Parameters<typeof diffAttackView>[2]) => [
      ...(await diffAttackView(purifier, classifier, o)(x, draws).extraLoss!.data()),
    ]
    expectAllNear(
      await extraOf({}),
      distances[1]!.map((d, i) => (d + distances[2]![i]!) / 2),
      tolerance,
    )
    expectAllNear(
      await extraOf({ timesteps: [third], weight: 3 }),
      distances[2]!.map(d => 3 * d),
      tolerance,
    )
    expectAllNear(
      await extraOf({ timesteps: [second], weightAt: t => t }),
      distances[1]!.map(d => second * d),
      tolerance,
    )
    expect(distances[0]!.every(d => d < tolerance)).toBe(true)
    expect(distances[2]!.every(d => d > 1e-3)).toBe(true)
    expectAllNear(
      await diffAttackView(purifier, classifier)(x, draws).logits.data(),
      await classifier(purify(purifier, x, draws)).data(),
      0,
    )
    expect(() => diffAttackView(purifier, classifier, { timesteps: [99] })).toThrow('diffAttackView: timestep 99 is not one at which')
  })
})

describe('DiffAttack on a purifier that recomputes its steps', () => {
  it('should see the images of every step, and have the gradient of the purifier that stores them', async () => {
    await useBackend('reference')
    const { purifier, classifier, draws, x } = setup(3)
    const gradientWith = async (checkpointing: boolean) => {
      const view = diffAttackView({ ...purifier, checkpointing }, classifier, { weight: 5 })
      return [...(await gradientOf(input => view(input, draws).extraLoss!, x).data())]
    }
    const stored = await gradientWith(false)
    expect(await gradientWith(true)).toEqual(stored)
    expect(Math.max(...stored.map(Math.abs))).toBeGreaterThan(1e-3)
  })
})

describe('DiffAttack on a purifier left in training mode', () => {
  it('should show its predictor the dropout masks of the purifier', async () => {
    await useBackend('reference')
    const { purifier, classifier, x } = setup(1)
    const draws = createDraws({ seed: 1, images: [0, 1], registered: [...evaluationSources, 'dropout'] })
    const masked: EpsilonModel = (xT, t, o) =>
      layerDropout(purifier.epsilonTheta(xT, t), 'output', { key: o?.dropoutKey, probability: 0.5 })
    const training = { ...purifier, epsilonTheta: masked, trainMode: true }
    const logits = await diffAttackView(training, classifier)(x, draws).logits.data()
    expectAllNear(logits, await classifier(purify(training, x, draws)).data(), 0)
  })
})

describe('gradients of views', () => {
  it('should be, under DiffAttack, central differences of both parts of the loss', async () => {
    await useBackend('reference')
    for (const seed of [1, 2]) {
      const { classifier, draws } = setup(seed)
      // Without clamps there are no kinks.
      const purifier = purifierOf(smallEpsilon(seed, 1), { clip: false })
      const x = pixels(seed, shape, { low: 0.4, high: 0.6 })
      const view = diffAttackView(purifier, classifier, { weight: 5 })
      const loss = (input: Tensor) => {
        const { logits, extraLoss } = view(input, draws)
        return crossEntropy(logits, labels).add(extraLoss!).sum()
      }
      const direction = gaussian(seed, 'direction', shape)
      const slope = await grad(loss)(x).mul(direction).sum().item()
      const h = 1e-6
      const difference = ((await loss(x.add(direction.mul(h))).item()) - (await loss(x.sub(direction.mul(h))).item())) / (2 * h)
      expectNear(slope, difference, 1e-5 * Math.abs(difference))
    }
  })
})

describe('surrogatePurifier', () => {
  it('should visit some of the timesteps of the purifier, from its first to the clean image', () => {
    const purifier = purifierOf(smallEpsilon(1, 1), { intervals: paperTimesteps({ tStar: 0.1, steps: 10 }) })
    const visited = purifier.intervals.map(({ t }) => t)
    for (let steps = 1; steps <= 10; steps++) {
      const { intervals } = surrogatePurifier(purifier, { steps })
      expect(intervals).toHaveLength(steps)
      expect([intervals[0]!.t, intervals.at(-1)!.s]).toEqual([99, -1])
      intervals.forEach(({ t, s }, k) => {
        expect(visited).toContain(t)
        if (k < steps - 1) expect(s).toBe(intervals[k + 1]!.t)
      })
    }
    expect(surrogatePurifier(purifier, { steps: 10 }).intervals).toEqual(purifier.intervals)
    for (const steps of [0, 11, 1.5]) {
      expect(() => surrogatePurifier(purifier, { steps })).toThrow(
        `surrogatePurifier: steps must be a whole number from 1 to the purifier's 10, got ${steps}`,
      )
    }
  })

  it('should end where the purifier ends, which by the published times of few steps is before time 0', () => {
    const intervals = faithfulVpsdeTimes({ tStar: 0.1, inferenceSteps: 5 })
    const { epsilonTheta } = purifierOf(smallEpsilon(1, 1))
    const [only, ...more] = surrogatePurifier({ epsilonTheta, intervals, reverse: { kind: 'sde' } }, { steps: 1 }).intervals
    expect(more).toEqual([])
    expect(only!.t).toBe(intervals[0]!.t)
    expectNear(only!.t - only!.dt, 1e-3 - 1 / 5, 1e-12)
  })

  it('should be purifiable and meet the locked noise of the defender', async () => {
    await useBackend('reference')
    const { purifier, draws, x } = setup(1)
    const view = viewOf((input, world) => purify(surrogatePurifier(purifier, { steps: 3 }), input, world))
    expectAllNear(await view(x, draws).logits.data(), await purify(purifier, x, draws).data(), 0)
  })
})
