import { describe, expect, it } from 'vitest'
import { evaluateBatch } from '../../../algorithms/evaluation/robustAccuracy.ts'
import { createDraws } from '../../../algorithms/randomness/draws.ts'
import { lockSets } from '../../../algorithms/randomness/lockSets.ts'
import { useBackend } from '../../../core/index.ts'
import { splitDigits } from '../../../experiments/data/digits.ts'
import { shippedWeights } from '../../../experiments/digits/shippedWeights.ts'
import { loadNetworks } from '../../../experiments/dwBox/defence.ts'
import { batchOf } from '../../../experiments/dwBox/runUnit.ts'
import { gpuBackendsUnderTest } from '../../support/backends.ts'
import { expectAllNear } from '../../support/numbers.ts'

const ids = Array.from(splitDigits().test.slice(0, 3))
const seed = 0

/** The purifiers of `npm start`, with fewer reverse steps. */
const spec = (reverse: 'ddpm' | 'ddim') => ({ purifier: 'vanilla', reverse, tStar: 0.15, reverseSteps: 2 })

const logitsOn = async (backend: string, reverse: 'ddpm' | 'ddim') => {
  await useBackend(backend)
  const defence = loadNetworks([shippedWeights]).defence(spec(reverse))
  return defence(batchOf(ids).images, createDraws({ seed, images: ids })).data()
}

const attackOn = async (backend: string, name: keyof typeof lockSets) => {
  await useBackend(backend)
  const attack = { norm: 'linf', epsilon: 0.15, stepSize: 0.05, steps: 2 } as const
  const setting = { name, locks: lockSets[name], eotSamples: 1 }
  const defence = loadNetworks([shippedWeights]).defence(spec('ddpm'))
  const { xAdv, ...outcome } = await evaluateBatch(defence, batchOf(ids), { seed, setting, attack, reportDraws: 2 })
  return { ...outcome, xAdv: await xAdv.data() }
}

// Without a gpu, emulated modes take minutes for what the op laws hold already.
describe.skipIf(process.env.SPEC_BACKENDS !== 'gpu').each(gpuBackendsUnderTest)('the main job on %s', backend => {
  it.each(['ddpm', 'ddim'] as const)(
    'should classify purified digits (%s) with the logits of cpu to 1e-4 of the largest',
    async reverse => {
      expectAllNear(await logitsOn(backend, reverse), await logitsOn('cpu', reverse), 1e-4)
    },
  )

  it.each(['White', 'DW_Both'] as const)(
    'should attack in %s as cpu does: losses to 1e-4, the same outcomes, images alike but for one pixel in fifty',
    async name => {
      const [actual, expected] = [await attackOn(backend, name), await attackOn('cpu', name)]
      expectAllNear(
        actual.trace.flatMap(({ loss }) => Array.from(loss)),
        expected.trace.flatMap(({ loss }) => Array.from(loss)),
        1e-4,
      )
      expect([actual.cleanCorrect, actual.advCorrect]).toEqual([expected.cleanCorrect, expected.advCorrect])
      // A gradient next to 0 may round to the other sign: at most one pixel in fifty moves elsewhere.
      const elsewhere = actual.xAdv.filter((value, i) => Math.abs(value - expected.xAdv[i]!) > 1e-5)
      expect(elsewhere.length).toBeLessThanOrEqual(expected.xAdv.length / 50)
    },
  )
})
