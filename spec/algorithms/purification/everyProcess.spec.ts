import { describe, expect, it } from 'vitest'
import { bpdaView } from '../../../algorithms/attacks/bpda.ts'
import { dwBoxSettings } from '../../../algorithms/attacks/dwBox.ts'
import { surrogatePurifier } from '../../../algorithms/attacks/surrogate.ts'
import { paperVpSde, vpsdeBeta, vpsdeMarginal } from '../../../algorithms/diffusion/vpsde.ts'
import { purifiedClassifier } from '../../../algorithms/evaluation/defence.ts'
import { type BatchOutcome, evaluateBatch } from '../../../algorithms/evaluation/robustAccuracy.ts'
import type { EpsilonModel } from '../../../algorithms/models/types.ts'
import { type AnyPurifier, isStochastic, networkEvaluations, purifyAny } from '../../../algorithms/purification/anyPurifier.ts'
import { createDraws, type Draws } from '../../../algorithms/randomness/draws.ts'
import { dwBoth, type LockSetName, lockSets } from '../../../algorithms/randomness/lockSets.ts'
import { grad, type Tensor, tensor, tidy, useBackend } from '../../../core/index.ts'
import { expectAllNear, expectNear } from '../../support/numbers.ts'
import { bits, gaussian, linearClassifier, pixels, recording, smallEpsilon } from '../fixtures.ts'
import { processes } from './processes.ts'

const shape = [2, 1, 3, 3]
const ids = [4, 9]
const attack = { norm: 'linf', epsilon: 0.1, stepSize: 0.05, steps: 2 } as const
const classifier = (images: Tensor): Tensor => linearClassifier(gaussian(1, 'w', [9, 3]))(images)

const evaluate = (purifier: AnyPurifier | ((x: Tensor, draws: Draws) => Tensor), name: LockSetName, eotSamples = 1) =>
  evaluateBatch(
    typeof purifier === 'function' ? purifier : purifiedClassifier(purifier, classifier),
    { images: pixels(3, shape), labels: [0, 2], ids },
    { seed: 3, setting: { name, locks: lockSets[name], eotSamples }, attack, reportDraws: 2 },
  )

/** All that an evaluation says, in bits. */
const fingerprint = async ({ xAdv, ...said }: BatchOutcome): Promise<string> =>
  JSON.stringify({ ...said, trace: said.trace.map(step => [[...step.loss], [...step.cosine]]), xAdv: await bits(xAdv) })

/** Whatever is drawn comes from the locked names, in whatever context. */
const locked = createDraws({ seed: 3, images: ids, locks: dwBoth })

/** Which processes draw reverse noise, with one step and with three. */
const stochastic: Readonly<Record<string, readonly [one: boolean, three: boolean]>> = {
  DDPM: [false, true],
  DDIM: [false, false],
  'DDIM, eta 0.5': [false, true],
  VPSDE: [false, true],
  'VPSDE flow': [false, false],
  'VPSDE with corrector': [true, true],
  EDM: [false, false],
  'EDM with churn': [true, true],
  'EDM with churn below its levels': [false, false],
}

describe.each(Object.entries(processes))('a purifier of %s', (name, make) => {
  for (const [k, steps] of [1, 3].entries()) {
    const says = stochastic[name]![k]!

    it(`should ${says ? '' : 'not '}be stochastic with ${steps} steps, as its draws show, and evaluate its network as often as it says (P49)`, async () => {
      await useBackend('reference')
      let evaluations = 0
      const counting: EpsilonModel = (xT, t) => {
        evaluations++
        return smallEpsilon(1, 1)(xT, t)
      }
      const purifier = make(counting, { steps })
      const drawn = new Set<string>()
      const draws = recording(createDraws({ seed: 1, images: ids }), place => drawn.add(place.split('/')[0]!))
      tidy(() => purifyAny(purifier, pixels(1, shape), draws))
      expect([...drawn]).toEqual(says ? ['forward', 'reverse'] : ['forward'])
      expect(isStochastic(purifier)).toBe(says)
      expect(evaluations).toBe(networkEvaluations(purifier))
      const settings = dwBoxSettings(purifier, { eotSamples: 4 }).map(({ name: setting, eotSamples }) => [setting, eotSamples])
      const partial = [
        ['DW_Fwd', 4],
        ['DW_Rev', 4],
      ]
      expect(settings).toEqual([['White', 4], ...(says ? partial : []), ['DW_Both', 1]])
    })

    it(`should with ${steps} steps attack alike in settings that differ in noise it does not draw, and in no others (P50)`, async () => {
      await useBackend('cpu')
      const purifier = make(smallEpsilon(2, 1), { steps })
      const of = async (setting: LockSetName) => fingerprint(await evaluate(purifier, setting, 2))
      const [forward, both, reverse, nothing] = [await of('DW_Fwd'), await of('DW_Both'), await of('DW_Rev'), await of('White')]
      expect(forward === both).toBe(!says)
      expect(reverse === nothing).toBe(!says)
      expect(nothing).not.toBe(both)
    })
  }

  it('should be bitwise equal under White with locked streams and DW_Both over a whole PGD run (P47)', async () => {
    await useBackend('cpu')
    const purifier = make(smallEpsilon(2, 1), { steps: 2 })
    const both = await fingerprint(await evaluate(purifier, 'DW_Both'))
    const taped = (x: Tensor): Tensor => classifier(purifyAny(purifier, x, locked))
    expect(await fingerprint(await evaluate(taped, 'White'))).toBe(both)
    expect(await fingerprint(await evaluate(purifier, 'White'))).not.toBe(both)
  })

  it('should be visited by a surrogate of fewer steps at its own places, from its first, and with the same noise there', async () => {
    await useBackend('reference')
    const places = (purifier: AnyPurifier): number[] =>
      'sigmas' in purifier ? purifier.sigmas.slice(0, -1) : purifier.intervals.map(({ t }) => t)
    const purifier = make(smallEpsilon(1, 1), { steps: 5 })
    const surrogate = surrogatePurifier(purifier, { steps: 2 })
    expect(places(surrogate)).toEqual([places(purifier)[0], places(purifier)[2]])
    if (!('sigmas' in surrogate || 'schedule' in surrogate)) {
      const length = surrogate.intervals.reduce((sum, { dt }) => sum + dt, 0)
      expectNear(length, 0.1, 1e-12)
    }
    if ('sigmas' in surrogate) expect(surrogate.sigmas.at(-1)).toBe(0)
    expect(places(surrogatePurifier(purifier, { steps: 5 }))).toEqual(places(purifier))
    expect((await purifyAny(surrogate, pixels(1, shape), locked).data()).every(Number.isFinite)).toBe(true)
    expect(() => surrogatePurifier(purifier, { steps: 6 })).toThrow("a whole number from 1 to the purifier's 5, got 6")
  })
})

describe('BPDA', () => {
  /** The forward noise itself, with which one step undoes the forward process: every step of DDIM and EDM, the only one of DDPM. */
  const noise = (): Tensor => locked.normal('forward', shape.slice(1))
  const knowing: EpsilonModel = noise
  const t = 0.1
  const { mean, std } = vpsdeMarginal(paperVpSde, t)
  const grown = vpsdeBeta(paperVpSde, t) * t
  /** For which one Euler step of the SDE (rate 1) or the flow (1/2) gives (x - std n) / mean. */
  const inverting =
    (rate: number): EpsilonModel =>
    xT =>
      xT
        .mul(1 + grown / 2)
        .sub(xT.sub(noise().mul(std)).mul(1 / mean))
        .mul(std / (rate * grown))

  it.each([
    ['DDPM', knowing, 1],
    ['DDIM', knowing, 3],
    ['VPSDE', inverting(1), 1],
    ['VPSDE flow', inverting(0.5), 1],
    ['EDM', knowing, 3],
  ] as const)('should be the full gradient of %s where it purifies to the identity (P60)', async (name, epsilonTheta, steps) => {
    await useBackend('reference')
    const purifier = processes[name]!(epsilonTheta, { steps })
    const x = pixels(5, shape, { low: 0.2, high: 0.8 })
    expectAllNear(await purifyAny(purifier, x, locked).data(), await x.data(), 1e-12)
    const view = bpdaView((input, draws) => purifyAny(purifier, input, draws), classifier)
    const weights = tensor([1, -2, 0.5], [1, 3])
    const gradientOf = (logits: (input: Tensor) => Tensor) => grad((input: Tensor) => logits(input).square().mul(weights).sum())(x).data()
    const full = await gradientOf(input => purifiedClassifier(purifier, classifier)(input, locked))
    expectAllNear(await gradientOf(input => view(input, locked).logits), full, 1e-11)
  })
})
