import { describe, expect, it } from 'vitest'
import { type AttackPreset, attackPresets, type Component } from '../../../algorithms/attacks/presets.ts'
import { viewOf } from '../../../algorithms/attacks/problem.ts'
import { firstSeen } from '../../../algorithms/attacks/strongest.ts'
import { type Defence, purifiedClassifier } from '../../../algorithms/evaluation/defence.ts'
import { type EnsembleOptions, evaluateEnsemble } from '../../../algorithms/evaluation/evaluateEnsemble.ts'
import type { LabelledBatch } from '../../../algorithms/evaluation/robustAccuracy.ts'
import { type LockSetName, lockSets } from '../../../algorithms/randomness/lockSets.ts'
import { liveTensors, type Tensor, tensor, useBackend } from '../../../core/index.ts'
import { backendsUnderTest } from '../../support/backends.ts'
import { standardErrors } from '../../support/falseFailures.ts'
import { bits, gaussian, linearClassifier, pixels, purifierOf, smallEpsilon } from '../fixtures.ts'

const settingOf = (name: LockSetName, eotSamples = 1) => ({ name, locks: lockSets[name], eotSamples })

const optionsOf = (preset: AttackPreset, more: Partial<EnsembleOptions> = {}): EnsembleOptions => ({
  seed: 7,
  setting: settingOf('White'),
  preset,
  norm: 'linf',
  epsilon: 0.1,
  budget: { steps: 3 },
  ...more,
})

/** An attack that moves nothing and looks at nothing. */
const idle: Component = {
  name: 'idle',
  attack:
    () =>
    async ({ images, labels }) =>
      firstSeen(images, { loss: new Float64Array(labels.length), wrongShare: new Float64Array(labels.length) }),
}
const idleTimes = (preset: AttackPreset, times: number): AttackPreset => ({ ...preset, components: new Array<Component>(times).fill(idle) })

const batchOf = (count: number, seed = 1): LabelledBatch => ({
  images: pixels(seed, [count, 1, 2, 2]),
  labels: new Array<number>(count).fill(0),
  ids: Array.from({ length: count }, (_, i) => i),
})

/** Right on 3 of 4 draws, whatever the image. */
const coin: Defence = (_, draws) =>
  draws
    .uniform('forward', [1])
    .sub(0.25)
    .matmul(tensor([1, 0], [1, 2]))

const purified = (seed: number): Defence =>
  purifiedClassifier(purifierOf(smallEpsilon(seed, 1)), linearClassifier(gaussian(seed, 'w', [4, 5]).mul(3)))

const accuracyOf = (outcomes: readonly (readonly boolean[])[]): number => {
  const all = outcomes.flat()
  return all.filter(Boolean).length / all.length
}

describe('AutoAttack protocols on a coin of accuracy 3/4 under attacks that do nothing', () => {
  const near = (accuracy: number, expected: number, o: { n: number; errors: number }) =>
    expect(Math.abs(accuracy - expected)).toBeLessThan(o.errors * Math.sqrt((expected * (1 - expected)) / o.n))
  const images = 400

  it('should count under the published protocol only those images that win every toss, 0.75^5 for 4 attacks (P65)', async () => {
    await useBackend('reference')
    const { reported, advCorrect, components } = await evaluateEnsemble(
      coin,
      batchOf(images),
      optionsOf(idleTimes(attackPresets['autoattack-standard'], 4)),
    )
    const errors = standardErrors('published AutoAttack on a coin (P65)', 3)
    near(reported, 0.75 ** 5, { n: images, errors })
    near(accuracyOf(advCorrect), 0.75, { n: 10 * images, errors })
    near(components[0]!.attacked / images, 0.75, { n: images, errors })
    expect(components.map(({ selectionAccuracy }) => selectionAccuracy).at(-1)).toBe(reported)
  })

  it('should still report too little under the repaired protocol, the least of 5 means of 20 tosses (P66)', async () => {
    await useBackend('reference')
    const { reported, advCorrect } = await evaluateEnsemble(
      coin,
      batchOf(images),
      optionsOf(idleTimes(attackPresets['autoattack-fixed'], 4)),
    )
    // E min of 5 binomial(20, 0.75) / 20, from its distribution: sum over k >= 1 of P(all 5 >= k) / 20.
    const chance = (k: number): number => {
      let [term, total] = [0.25 ** 20, 0]
      for (let i = 0; i <= 20; i++) {
        if (i >= k) total += term
        term *= ((20 - i) / (i + 1)) * 3
      }
      return total
    }
    let least = 0
    for (let k = 1; k <= 20; k++) least += chance(k) ** 5 / 20
    expect(least).toBeLessThan(0.65)
    // The least of 5 has a standard deviation below 0.1.
    const errors = standardErrors('repaired AutoAttack on a coin (P66)', 2)
    expect(Math.abs(reported - least)).toBeLessThan((errors * 0.1) / Math.sqrt(images))
    near(accuracyOf(advCorrect), 0.75, { n: 10 * images, errors })
  })

  it('should report the accuracy itself when the number is measured afresh (P65)', async () => {
    await useBackend('reference')
    const { reported, selectionCorrect, cleanCorrect, advCorrect } = await evaluateEnsemble(
      coin,
      batchOf(images),
      optionsOf(idleTimes(attackPresets['autoattack-fresh'], 5)),
    )
    near(reported, 0.75, { n: 10 * images, errors: standardErrors('fresh AutoAttack on a coin (P65)') })
    expect(advCorrect).toEqual(cleanCorrect)
    expect(selectionCorrect.reduce((sum, value) => sum + value, 0) / images).toBeLessThan(0.65)
  })
})

describe.each(backendsUnderTest)('evaluateEnsemble on %s', backend => {
  it('should be at most the least of its parts where nothing is random', async () => {
    await useBackend(backend)
    const setting = settingOf('DW_Both')
    const options = (preset: AttackPreset) => optionsOf(preset, { setting, epsilon: 0.25, reportDraws: 1, budget: { steps: 1 } })
    const ensemble = attackPresets['autoattack-rand']
    const batch = { ...batchOf(6), labels: [0, 1, 2, 3, 4, 0] }
    const whole = await evaluateEnsemble(purified(2), batch, options(ensemble))
    for (const component of ensemble.components) {
      const part = await evaluateEnsemble(purified(2), batch, options({ ...ensemble, components: [component] }))
      expect(whole.reported).toBeLessThanOrEqual(part.reported)
    }
    // Nothing is random, so that the fresh draws are the same.
    expect(whole.advCorrect.map(([correct]) => Number(correct))).toEqual([...whole.selectionCorrect])
    expect(whole.found).toEqual(whole.advCorrect.map(([correct]) => !correct))
  })

  it('should attack only images that some selection draw still finds correct, and keep their outcomes in place', async () => {
    await useBackend(backend)
    const seen: number[][] = []
    const watching = (found: readonly number[]): Component => ({
      name: 'watching',
      attack:
        () =>
        async ({ images, draws, labels }) => {
          seen.push([...draws.images])
          const wins = draws.images.map(id => found.includes(id))
          const white = tensor(
            wins.flatMap(win => new Array<number>(4).fill(win ? 1 : 0)),
            images.shape,
          )
          return firstSeen(images.mul(0).add(white), { loss: new Float64Array(labels.length), wrongShare: Float64Array.from(wins, Number) })
        },
    })
    // White images are wrong, others right.
    const defence: Defence = x =>
      x
        .reshape([-1, 4])
        .sum([1], { keepDims: true })
        .sub(3.9)
        .matmul(tensor([-1, 0], [1, 2]))
    const preset = { ...attackPresets['autoattack-rand'], components: [watching([1, 3]), watching([0])] }
    const images = tensor(new Array(16).fill(0.5), [4, 1, 2, 2])
    const { components, advCorrect, found, xAdv } = await evaluateEnsemble(defence, { ...batchOf(4), images }, optionsOf(preset))
    expect(seen).toEqual([
      [0, 1, 2, 3],
      [0, 2],
    ])
    expect(components.map(({ attacked, found: own, selectionAccuracy }) => [attacked, own, selectionAccuracy])).toEqual([
      [4, 2, 0.5],
      [2, 1, 0.25],
    ])
    expect(advCorrect.map(([correct]) => correct)).toEqual([false, false, true, false])
    expect(found).toEqual([true, true, false, true])
    expect([...(await xAdv.data())].filter((_, i) => i % 4 === 0)).toEqual([1, 1, 0.5, 1])
  })

  it('should give each attack draws of its own, and judge on draws that no attack and no selection has met', async () => {
    await useBackend(backend)
    const contexts: string[] = []
    const defence: Defence = (x, draws) => {
      const { purpose, repetition, attackStep, eotSample } = draws.context
      contexts.push(`${purpose} ${repetition} ${attackStep} ${eotSample}`)
      return purified(1)(x, draws).add(tensor([50, 0, 0, 0, 0], [1, 5]))
    }
    const preset = {
      ...attackPresets['autoattack-fixed'],
      components: [...attackPresets.none.components, ...attackPresets.none.components],
    }
    await evaluateEnsemble(defence, batchOf(2), optionsOf({ ...preset, selection: { draws: 2, tie: 'keep' } }, { reportDraws: 1 }))
    expect(contexts).toEqual([
      ...['select 0 0 0', 'select 0 0 1'],
      ...['attack 0 0 0', 'select 1 0 0', 'select 1 0 1'],
      ...['attack 1024 0 0', 'select 2 0 0', 'select 2 0 1'],
      ...['report 0 0 0', 'report 0 0 0'],
    ])
  })

  it('should attack again what is wrong on some but not all selection draws', async () => {
    await useBackend(backend)
    const mostlyWrong: Defence = (x, draws) => coin(x, draws).mul(-1)
    const { components } = await evaluateEnsemble(mostlyWrong, batchOf(30), optionsOf(idleTimes(attackPresets['autoattack-fixed'], 2)))
    // Wrong on 3 of 4 draws: all 20 are wrong with probability 0.003.
    expect(components[1]!.attacked).toBeGreaterThan(20)
  })

  it('should keep at a tie the clean image, or the image of larger margin when the preset says so', async () => {
    await useBackend(backend)
    const defence: Defence = x =>
      x
        .reshape([-1, 4])
        .sum([1], { keepDims: true })
        .add(1)
        .matmul(tensor([1, 0], [1, 2]))
    for (const [tie, moves] of [
      ['keep', false],
      ['largerMargin', true],
    ] as const) {
      const preset = { ...attackPresets.pgd, selection: { draws: 1, tie } }
      const batch = batchOf(2)
      const { xAdv, advCorrect } = await evaluateEnsemble(defence, batch, optionsOf(preset, { reportDraws: 1 }))
      expect(advCorrect).toEqual([[true], [true]])
      expect((await bits(xAdv)) !== (await bits(batch.images))).toBe(moves)
    }
  })

  it('should judge the defence itself when the attack runs on something else', async () => {
    await useBackend(backend)
    const w = gaussian(3, 'w', [4, 5])
    const other = viewOf(x => linearClassifier(w)(x).mul(-1))
    const defence: Defence = x => linearClassifier(w)(x)
    const batch = batchOf(3)
    const options = optionsOf(attackPresets.pgd, { view: other, reportDraws: 1, epsilon: 0.3 })
    const { xAdv, advCorrect } = await evaluateEnsemble(defence, batch, options)
    const judged = await evaluateEnsemble(defence, { ...batch, images: xAdv }, optionsOf(attackPresets.none, { reportDraws: 1 }))
    expect(judged.cleanCorrect).toEqual(advCorrect)
  })

  it('should select by the defence itself when the attack runs on something else', async () => {
    await useBackend(backend)
    // The defence is right and what the attacker runs is wrong about every image.
    const answer =
      (logits: readonly number[]): Defence =>
      x =>
        x
          .sum([1, 2, 3])
          .mul(0)
          .reshape([-1, 1])
          .add(tensor(logits, [1, 2]))
    const options = optionsOf(attackPresets.pgd, { view: viewOf(answer([0, 1])), reportDraws: 1 })
    const { components, selectionCorrect } = await evaluateEnsemble(answer([1, 0]), batchOf(3), options)
    expect(components[0]).toMatchObject({ attacked: 3, found: 3, selectionAccuracy: 1 })
    expect([...selectionCorrect]).toEqual([1, 1, 1])
  })

  it('should repeat itself bit for bit, take the eot of the preset where something is random, and leave only its result', async () => {
    await useBackend(backend)
    let passes = 0
    const watched: Defence = (x, draws) => {
      passes++
      // Right by a wide margin, so that no attack is spared.
      return purified(1)(x, draws).add(tensor([50, 0, 0, 0, 0], [1, 5]))
    }
    const run = (preset: AttackPreset, name: LockSetName, eotSamples: number) => {
      passes = 0
      return evaluateEnsemble(watched, batchOf(2), optionsOf(preset, { setting: settingOf(name, eotSamples), reportDraws: 1 }))
    }
    const a = await run(attackPresets.pgd, 'White', 2)
    const b = await run(attackPresets.pgd, 'White', 2)
    expect(await bits(a.xAdv)).toBe(await bits(b.xAdv))
    // 3 steps and a last look, 10 + 10 draws of selection, 1 + 1 of report.
    expect(passes).toBe(2 * 4 + 20 + 2)
    await run({ ...attackPresets.pgd, eot: 3 }, 'White', 2)
    expect(passes).toBe(3 * 4 + 20 + 2)
    await run({ ...attackPresets.pgd, eot: 3, steps: 1 }, 'DW_Both', 1)
    expect(passes).toBe(2 + 20 + 2)
  })

  it('should reach every image when the ball is the whole box', async () => {
    await useBackend(backend)
    const w = tensor([1, -1, 1, -1, 1, -1, 1, -1], [4, 2])
    const defence: Defence = x => linearClassifier(w)(x).add(tensor([-0.01, 0.01], [1, 2]))
    const { advCorrect, cleanCorrect, xAdv } = await evaluateEnsemble(
      defence,
      batchOf(3),
      optionsOf(attackPresets.unbounded, { budget: { steps: 4 } }),
    )
    expect(cleanCorrect.flat().every(Boolean)).toBe(true)
    expect(advCorrect.flat().some(Boolean)).toBe(false)
    xAdv.dispose()
  })

  it('should leave nothing behind but its result', async () => {
    await useBackend(backend)
    const defence = purified(1)
    const batch = batchOf(2)
    const before = liveTensors()
    const { xAdv } = await evaluateEnsemble(defence, batch, optionsOf(attackPresets['autoattack-rand']))
    const kept: Tensor[] = [xAdv]
    expect(liveTensors() - before).toBe(kept.length)
  })
})
