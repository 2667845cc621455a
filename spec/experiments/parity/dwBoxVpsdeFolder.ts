import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { createNcsnpp } from '../../../algorithms/models/ncsnpp.ts'
import { createWideResNet } from '../../../algorithms/models/wideResNet.ts'
import { type Tensor, tensor, useBackend, valueAndGrad } from '../../../core/index.ts'
import { loadSafetensors, saveSafetensors } from '../../../core/io/files.ts'
import type { HostTensor } from '../../../core/io/hostTensor.ts'
import { meanCrossEntropy } from '../../../core/nn/index.ts'
import { normal, uniform } from '../../../core/random/distributions.ts'
import { foldIn, key } from '../../../core/random/key.ts'
import { uploadAll } from '../../../experiments/parity/tensors.ts'

const GOLDEN = new URL('../../golden', import.meta.url).pathname

const SHAPE = [2, 3, 8, 8]
/** Values of a batch. */
export const SIZE = 2 * 3 * 8 * 8
/** Steps that time is divided into, and the last three of the times from 1 to 1e-3. */
const SCALES = 20
const TIMES = [17, 18, 19].map(i => Math.fround(1 - (i * 0.999) / (SCALES - 1)))
const LABELS = [3, 7]
const [EPSILON, ALPHA] = [8 / 255, 2 / 255]
const ATTACK_STEPS = 2

/** The rules of the published lock script that another implementation might get wrong. */
export interface Rules {
  /** The network is told t times this. */
  readonly labelScale: number
  /** Whether the last step adds its noise. */
  readonly noisyEnd: boolean
  readonly clamp: boolean
}

const PUBLISHED: Rules = { labelScale: SCALES - 1, noisyEnd: false, clamp: false }

const CONFIG = {
  nf: 8,
  ch_mult: [1, 1],
  num_res_blocks: 1,
  attn_resolutions: [4],
  image_size: 8,
  // With the origin's 0 the fresh network would predict nothing, and nobody would see what it is told.
  init_scale: 1,
}

type Values = Float64Array

const f32 = (values: ArrayLike<number>, shape: readonly number[] = SHAPE): HostTensor => ({
  dtype: 'F32',
  shape,
  values: Float32Array.from(values),
})

/** Random values that float32 holds exactly. */
const rounded = (values: Values): Values => values.map(Math.fround)

/** The networks as black boxes on plain arrays, with their weights written to the folder. */
const blackBoxes = (folder: string) => {
  const network = createNcsnpp(CONFIG)
  const tensors = Object.fromEntries(
    Object.entries(network.init(key(8))).map(([name, each]) => [name, f32(each.dataSync(), each.shape)] as const),
  )
  saveSafetensors(join(folder, 'tiny_ncsnpp.weights.safetensors'), tensors, { config: JSON.stringify(CONFIG) })
  cpSync(join(GOLDEN, 'tiny_wide10_1.weights.safetensors'), join(folder, 'tiny_wide10_1.weights.safetensors'))
  const params = uploadAll(tensors)
  const wide = createWideResNet({ implementation: 'wide', depth: 10, widenFactor: 1, inChannels: 3, classes: 10 })
  const wideParams = uploadAll(loadSafetensors(join(GOLDEN, 'tiny_wide10_1.weights.safetensors')).tensors)
  const perChannel = (values: number[]): Tensor => tensor(values.map(Math.fround), [1, 3, 1, 1])
  const [mean, deviation] = [perChannel([0.4914, 0.4822, 0.4465]), perChannel([0.2023, 0.1994, 0.201])]
  const logits = (pixels: Tensor): Tensor => wide.apply(wideParams, pixels.sub(mean).div(deviation)).logits
  const epsilon = (x: Tensor, label: number): Tensor => network.apply(params, x, [label, label])
  return {
    epsilon: (x: Values, label: number): ArrayLike<number> => epsilon(tensor(x, SHAPE), label).dataSync(),
    /** Transposed Jacobian of epsilon times g. */
    epsilonPullback: (x: Values, label: number, g: Values): ArrayLike<number> =>
      valueAndGrad((input: Tensor) => epsilon(input, label).mul(tensor(g, SHAPE)).sum())(tensor(x, SHAPE)).gradient.dataSync(),
    logits: (pixels: Values): ArrayLike<number> => logits(tensor(pixels, SHAPE)).dataSync(),
    loss: (pixels: Values): { loss: ArrayLike<number>; gradient: ArrayLike<number> } => {
      const { value, gradient } = valueAndGrad((input: Tensor) => meanCrossEntropy(logits(input), LABELS))(tensor(pixels, SHAPE))
      return { loss: value.dataSync(), gradient: gradient.dataSync() }
    },
  }
}

const logMean = (t: number): number => (-t * t * 19.9) / 4 - 0.05 * t
const beta = (t: number): number => 0.1 + 19.9 * t
const DT = -1 / SCALES

/**
 * Writes a folder with one `dwbox_vpsde_linf` file: an l_inf attack on a VPSDE purifier, computed with plain loops over
 * Euler-Maruyama steps x_mean = x + (-beta x/2 - beta score) dt, dt < 0, and with their derivative by hand. `backend` computes
 * the networks: reference in float64, cpu faster.
 */
export const writeVpsdeFolder = async (folder: string, changed: Partial<Rules> & { backend?: 'reference' | 'cpu' } = {}): Promise<void> => {
  await useBackend(changed.backend ?? 'reference')
  const rules = { ...PUBLISHED, ...changed }
  const { epsilon, epsilonPullback, logits, loss } = blackBoxes(folder)
  const x = rounded(uniform(foldIn(key(5), 'x'), SIZE).map(u => 1.98 * u - 0.99))
  const noise = rounded(normal(foldIn(key(5), 'forward'), SIZE))
  const reverse = rounded(normal(foldIn(key(5), 'reverse'), SIZE * TIMES.length))
  const label = (t: number): number => t * rules.labelScale
  const std = (t: number): number => Math.sqrt(1 - Math.exp(2 * logMean(t)))

  const purify = (input: Values): { states: Values[]; purified: Values } => {
    const start = TIMES[0]!
    const states = [input.map((value, i) => Math.exp(logMean(start)) * value + std(start) * noise[i]!)]
    TIMES.forEach((t, k) => {
      const current = states[k]!
      const predicted = epsilon(current, label(t))
      const last = k === TIMES.length - 1
      states.push(
        current.map((value, i) => {
          const score = -predicted[i]! / std(t)
          const drift = (-beta(t) * value) / 2 - beta(t) * score
          const added = last && !rules.noisyEnd ? 0 : Math.sqrt(beta(t) * -DT) * reverse[k * SIZE + i]!
          return value + drift * DT + added
        }),
      )
    })
    const pixels = states.at(-1)!.map(value => (value + 1) / 2)
    return { states, purified: rules.clamp ? pixels.map(value => Math.min(1, Math.max(0, value))) : pixels }
  }

  /** Derivative by the input in [-1,1], given that by the purified pixels. */
  const pullback = (states: readonly Values[], gradient: ArrayLike<number>): Values => {
    let g = Float64Array.from(gradient, value => value / 2)
    for (let k = TIMES.length - 1; k >= 0; k--) {
      const t = TIMES[k]!
      const through = epsilonPullback(states[k]!, label(t), g)
      g = g.map((value, i) => value * (1 - (beta(t) * DT) / 2) + ((beta(t) * DT) / std(t)) * through[i]!)
    }
    return g.map(value => value * Math.exp(logMean(TIMES[0]!)))
  }

  const pixelsOf = (values: Values): Values => values.map(value => (value + 1) / 2)
  const tensors: Record<string, HostTensor> = {
    x: f32(x),
    y: { dtype: 'I64', shape: [2], values: Float64Array.from(LABELS) },
    timesteps: f32(TIMES, [TIMES.length]),
    noise_global: f32(noise),
    reverse_noise: f32(reverse, [TIMES.length, ...SHAPE]),
  }
  let delta = new Float64Array(SIZE)
  for (let k = 0; k < ATTACK_STEPS; k++) {
    const { states, purified } = purify(x.map((value, i) => value + delta[i]!))
    if (k === 0) for (const [i, state] of states.slice(1).entries()) tensors[`first.xt.${i}`] = f32(state)
    const seen = loss(purified)
    const gradient = pullback(states, seen.gradient)
    delta = delta.map((value, i) => {
      const moved = Math.min(2 * EPSILON, Math.max(-2 * EPSILON, value + 2 * ALPHA * Math.sign(gradient[i]!)))
      return Math.min(1, Math.max(-1, x[i]! + moved)) - x[i]!
    })
    tensors[`step${k}.purified`] = f32(purified)
    tensors[`step${k}.logits`] = f32(logits(purified), [2, 10])
    tensors[`step${k}.loss`] = f32(seen.loss, [])
    tensors[`step${k}.grad`] = f32(gradient)
    tensors[`step${k}.grad64`] = { dtype: 'F64', shape: SHAPE, values: gradient }
    tensors[`step${k}.delta`] = f32(delta)
  }
  const adversarial = rounded(x.map((value, i) => value + delta[i]!))
  const { purified } = purify(adversarial)
  tensors.adv = f32(adversarial)
  tensors.final_purified = f32(purified)
  tensors.final_logits = f32(logits(purified), [2, 10])
  tensors.clean_logits = f32(logits(pixelsOf(x)), [2, 10])
  tensors.adv_logits_nopurify = f32(logits(pixelsOf(adversarial)), [2, 10])
  saveSafetensors(join(folder, 'dwbox_vpsde_linf.safetensors'), tensors, { note: 'eps 8/255 alpha 2/255 in pixel units' })
}
