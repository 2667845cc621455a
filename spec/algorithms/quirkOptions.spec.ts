import { describe, expect, it } from 'vitest'
import { dwBoxSettings } from '../../algorithms/attacks/dwBox.ts'
import { ddimStep } from '../../algorithms/diffusion/ddim.ts'
import { alphaCumprod, predictXStartFromEpsilon } from '../../algorithms/diffusion/schedule.ts'
import { purifiedClassifier } from '../../algorithms/evaluation/defence.ts'
import { evaluateBatch } from '../../algorithms/evaluation/robustAccuracy.ts'
import type { EpsilonModel } from '../../algorithms/models/types.ts'
import { createUnet2d } from '../../algorithms/models/unet2d.ts'
import { purify } from '../../algorithms/purification/purify.ts'
import { purifyVpsde } from '../../algorithms/purification/purifyVpsde.ts'
import { paperVpsdeTimes } from '../../algorithms/purification/vpsdeTimes.ts'
import { evaluationSources, trainingSources } from '../../algorithms/randomness/drawName.ts'
import { createDraws, type Draws } from '../../algorithms/randomness/draws.ts'
import { dwBoth, lockSets } from '../../algorithms/randomness/lockSets.ts'
import { cgpo } from '../../algorithms/training/cgpo.ts'
import { ddpmProcess } from '../../algorithms/training/noiseProcess.ts'
import { type Tensor, tensor, useBackend, zeros } from '../../core/index.ts'
import { dropout } from '../../core/nn/index.ts'
import { foldIn, key } from '../../core/random/key.ts'
import { bits, gaussian, linearClassifier, pixels, purifierOf, schedule, smallEpsilon } from './fixtures.ts'

/** What the published scripts do and the paper does not say: each is an option, off by default. */

const withDropout = [...evaluationSources, 'dropout'] as const

/** A small network with dropout 0.5, off without a key. */
const droppingEpsilon = (): EpsilonModel => {
  const network = createUnet2d({
    in_channels: 1,
    out_channels: 1,
    block_out_channels: [4],
    down_block_types: ['DownBlock2D'],
    up_block_types: ['UpBlock2D'],
    layers_per_block: 1,
    norm_num_groups: 2,
    attention_head_dim: null,
    dropout: 0.5,
  })
  const parameters = network.init(foldIn(key(1), 'unet'))
  return (xT, t, o) => network.apply(parameters, xT, t, o)
}

describe('a purifier left in training mode (H1)', () => {
  const drawsOf = (images: readonly number[]) => createDraws({ seed: 4, images, locks: dwBoth, registered: withDropout })
  type Purified = (x: Tensor, draws: Draws, trainMode: boolean, o?: { checkpointing?: boolean; epsilonTheta?: EpsilonModel }) => Tensor
  const purifiers: Readonly<Record<string, Purified>> = {
    DDPM: (x, draws, trainMode, { checkpointing = false, epsilonTheta = droppingEpsilon() } = {}) =>
      purify(purifierOf(epsilonTheta, { trainMode, checkpointing }), x, draws),
    VPSDE: (x, draws, trainMode, { checkpointing = false, epsilonTheta = droppingEpsilon() } = {}) =>
      purifyVpsde(
        {
          epsilonTheta,
          intervals: paperVpsdeTimes({ tStar: 0.1, steps: 2 }),
          reverse: { kind: 'sde', corrector: { snr: 0.16 } },
          trainMode,
          checkpointing,
        },
        x,
        draws,
      ),
  }

  it.each(Object.entries(purifiers))(
    'should not be deterministic under DW_Both, unlike one in evaluation mode: %s',
    async (_, purified) => {
      await useBackend('reference')
      const [x, draws] = [pixels(1, [1, 1, 4, 4]), drawsOf([3])]
      const twice = async (trainMode: boolean) => [
        await bits(purified(x, draws.at({ eotSample: 0 }), trainMode)),
        await bits(purified(x, draws.at({ eotSample: 1 }), trainMode)),
      ]
      const [train, evaluation] = [await twice(true), await twice(false)]
      expect(train[0]).not.toBe(train[1])
      expect(evaluation[0]).toBe(evaluation[1])
      expect(await bits(purified(x, draws.at({ eotSample: 1 }), true))).toBe(train[1])
    },
  )

  it.each(Object.entries(purifiers))('should give an image its own masks in any batch, checkpointed or not: %s', async (_, purified) => {
    await useBackend('reference')
    const x = pixels(2, [2, 1, 4, 4])
    const both = Buffer.from(await bits(purified(x, drawsOf([8, 3]), true)), 'hex')
    const one = Buffer.from(await bits(purified(x.slice([1, 0, 0, 0], [1, 1, 4, 4]), drawsOf([3]), true, { checkpointing: true })), 'hex')
    expect(both.subarray(both.length / 2).equals(one)).toBe(true)
  })

  it.each(Object.entries(purifiers))('should drop by masks of its own at every evaluation of the network: %s', async (name, purified) => {
    await useBackend('reference')
    const keys: string[] = []
    const watched: EpsilonModel = (xT, _, o) => {
      keys.push(String(o?.dropoutKey))
      return xT.mul(0.1)
    }
    purified(pixels(1, [1, 1, 4, 4]), drawsOf([3]), true, { epsilonTheta: watched })
    // Three steps of DDPM; two of the SDE, each with its corrector.
    expect(keys).toHaveLength(name === 'DDPM' ? 3 : 4)
    expect(new Set(keys).size).toBe(keys.length)
  })

  it('should be refused where dropout is not registered, and run where the evaluation registers it', async () => {
    await useBackend('reference')
    const defence = purifiedClassifier(purifierOf(droppingEpsilon(), { trainMode: true }), linearClassifier(gaussian(1, 'w', [16, 3])))
    const batch = { images: pixels(3, [2, 1, 4, 4]), labels: [0, 1], ids: [5, 6] }
    const o = {
      seed: 1,
      setting: { name: 'White', locks: lockSets.White, eotSamples: 1 } as const,
      attack: { norm: 'linf', epsilon: 0.1, stepSize: 0.1, steps: 1 } as const,
      reportDraws: 2,
    }
    await expect(evaluateBatch(defence, batch, o)).rejects.toThrow('source "dropout" is not registered')
    const { advCorrect } = await evaluateBatch(defence, batch, { ...o, registered: withDropout })
    expect(advCorrect.map(({ length }) => length)).toEqual([2, 2])
  })

  it('should refuse another number of dropout keys than images', () => {
    expect(() => dropout(zeros([2, 1]), 0.5, [key(1)])).toThrow('dropout: 2 images but 1 keys; give one key per image')
  })
})

describe('the noise of a clipped DDIM step (M2)', () => {
  const [t, s] = [400, 200]
  const step = (xT: ReturnType<typeof tensor>, epsilon: ReturnType<typeof tensor>, clippedEpsilon?: 'predicted' | 'rederived') =>
    ddimStep(schedule, xT, { t, s, epsilon, clippedEpsilon, z: () => epsilon }).dataSync()

  it('should be what clip(P) implies when rederived, so that x_s is the noising of clip(P) that x_t was', async () => {
    await useBackend('reference')
    const [xT, epsilon] = [gaussian(1, 'x', [1, 1, 4, 4]).mul(2), gaussian(1, 'e', [1, 1, 4, 4])]
    const clipped = predictXStartFromEpsilon(schedule, xT, { t, epsilon }).clamp(-1, 1).dataSync()
    const implied = step(xT, epsilon, 'rederived')
    const [abarT, abarS] = [alphaCumprod(schedule, t), alphaCumprod(schedule, s)]
    xT.dataSync().forEach((x, i) => {
      const noise = (x - Math.sqrt(abarT) * clipped[i]!) / Math.sqrt(1 - abarT)
      expect(Math.abs(implied[i]! - (Math.sqrt(abarS) * clipped[i]! + Math.sqrt(1 - abarS) * noise))).toBeLessThan(1e-12)
    })
    expect([...clipped].some(p => Math.abs(p) === 1)).toBe(true)
    expect(Math.max(...step(xT, epsilon).map((x, i) => Math.abs(x - implied[i]!)))).toBeGreaterThan(0.1)
  })

  it('should be the predicted noise either way where nothing is clipped', async () => {
    await useBackend('reference')
    const [xT, epsilon] = [gaussian(2, 'x', [1, 1, 4, 4]).mul(0.1), gaussian(2, 'e', [1, 1, 4, 4]).mul(0.1)]
    const [predicted, rederived] = [step(xT, epsilon), step(xT, epsilon, 'rederived')]
    predicted.forEach((x, i) => {
      expect(Math.abs(x - rederived[i]!)).toBeLessThan(1e-12)
    })
  })
})

describe('ties ranked by position (M8)', () => {
  it('should turn the zero gradient of a constant guide into a raster-order ramp, where random ties make none', async () => {
    await useBackend('reference')
    const images = [1, 2]
    const draws = createDraws({ seed: 9, images, registered: trainingSources })
    const found = (ties?: 'random' | 'position') =>
      cgpo(
        { x0: zeros([2, 1, 4, 4]), labels: [0, 1], t: [50, 900], draws },
        {
          process: ddpmProcess(schedule),
          network: smallEpsilon(1, 1),
          classifier: x =>
            x
              .sum([1, 2, 3])
              .mul(0)
              .reshape([-1, 1])
              .matmul(zeros([1, 2])),
          steps: 1,
          ...(ties && { ties }),
        },
      )
    const rising = (values: ArrayLike<number>) =>
      images.map((_, i) => Array.from(values).slice(16 * i, 16 * (i + 1))).map(own => own.every((x, k) => k === 0 || own[k - 1]! <= x))
    expect(rising((await found('position')).dataSync())).toEqual([true, true])
    expect(rising((await found()).dataSync())).toEqual([false, false])
  })
})

describe('EoT of DW_Fwd (H5)', () => {
  it('should follow White unless told otherwise, and then be its own alone', async () => {
    await useBackend('reference')
    const ddpm = purifierOf(smallEpsilon(1, 1))
    const samples = (o: Parameters<typeof dwBoxSettings>[1]) => dwBoxSettings(ddpm, o).map(({ eotSamples }) => eotSamples)
    expect(samples({ eotSamples: 10 })).toEqual([10, 10, 10, 1])
    expect(samples({ eotSamples: 10, forwardEotSamples: 1 })).toEqual([10, 1, 10, 1])
  })
})

describe('start and iterate of the evaluated attack (M3)', () => {
  it('should start at the image, or at a point of the ball when asked', async () => {
    await useBackend('reference')
    const defence = linearClassifier(gaussian(6, 'w', [4, 3]))
    const batch = { images: pixels(6, [2, 1, 2, 2], { low: 0.4, high: 0.6 }), labels: [0, 1], ids: [0, 1] }
    const run = (init?: 'random') =>
      evaluateBatch(x => defence(x), batch, {
        seed: 1,
        setting: { name: 'White', locks: lockSets.White, eotSamples: 1 },
        attack: { norm: 'linf', epsilon: 0.1, stepSize: 0, steps: 1, ...(init && { init }) },
        reportDraws: 1,
      })
    const [zero, random] = [await run(), await run('random')]
    expect(await bits(zero.xAdv)).toBe(await bits(batch.images))
    expect(await bits(random.xAdv)).not.toBe(await bits(batch.images))
  })

  it('should tell of each step of the first run alone', async () => {
    await useBackend('reference')
    const defence = linearClassifier(gaussian(6, 'w', [4, 3]))
    const steps: number[] = []
    const { trace } = await evaluateBatch(
      x => defence(x),
      { images: pixels(6, [2, 1, 2, 2]), labels: [0, 1], ids: [0, 1] },
      {
        seed: 1,
        setting: { name: 'White', locks: lockSets.White, eotSamples: 1 },
        attack: { norm: 'linf', epsilon: 0.1, stepSize: 0.05, steps: 3, restarts: 2 },
        reportDraws: 1,
        onStep: (_, attackStep) => void steps.push(attackStep),
      },
    )
    expect(steps).toEqual([0, 1, 2])
    expect(trace).toHaveLength(3)
  })

  it('should return the last iterate, or the one of largest loss when asked', async () => {
    await useBackend('reference')
    // The loss is largest at 0.5, and a step of 0.11 from 0.55 goes beyond it, to where the loss is less.
    const peaked = (x: ReturnType<typeof tensor>) => {
      const edge = x.sub(0.5).square().sum([1, 2, 3]).reshape([-1, 1])
      return edge.matmul(tensor([-1, 0], [1, 2]))
    }
    const center = { images: tensor(new Array<number>(4).fill(0.55), [1, 1, 2, 2]), labels: [1], ids: [0] }
    const edge = (iterate: 'last' | 'best') =>
      evaluateBatch(peaked, center, {
        seed: 1,
        setting: { name: 'White', locks: lockSets.White, eotSamples: 1 },
        attack: { norm: 'linf', epsilon: 0.2, stepSize: 0.11, steps: 1, iterate },
        reportDraws: 1,
      })
    const value = async (iterate: 'last' | 'best') => (await edge(iterate)).xAdv.dataSync()[0]!
    expect(await value('last')).toBeCloseTo(0.44, 10)
    expect(await value('best')).toBeCloseTo(0.55, 10)
  })
})
