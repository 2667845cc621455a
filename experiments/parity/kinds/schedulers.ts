import { ddimStep } from '../../../algorithms/diffusion/ddim.ts'
import { ddpmPosterior, ddpmStep } from '../../../algorithms/diffusion/ddpm.ts'
import { linearSchedule, predictXStartFromEpsilon, qSample, type Schedule } from '../../../algorithms/diffusion/schedule.ts'
import { faithfulTimesteps } from '../../../algorithms/purification/timesteps.ts'
import { dispose, type Tensor, tensor, tidy } from '../../../core/index.ts'
import type { Comparison } from '../comparison.ts'
import { float32Schedule } from '../float32Schedule.ts'
import type { GoldenFile } from '../goldenFolder.ts'
import type { ParityKind } from '../kind.ts'
import { compareWith, upload } from '../tensors.ts'

/** `ddpm.50.fixed_large.t100`, `ddim.50.t100`: process, step count N, variance, t. */
const STEP = /^(ddpm|ddim)\.(\d+)(?:\.(fixed_small|fixed_large))?\.t(\d+)\.prev$/
const TIMESTEPS = /^timesteps\.(\d+)$/
const PURIFY_TIMESTEPS = /^purify_timesteps\.(\d+)\.([\d.]+)$/
const ADD_NOISE = /^add_noise\.t(\d+)$/

/** The origin keeps the variance above this, so that its logarithm is finite; a last step adds no noise either way. */
const LEAST_VARIANCE = 1e-20

interface Inputs {
  readonly schedule: Schedule
  readonly sample: Tensor
  readonly epsilon: Tensor
  readonly noise: Tensor | undefined
}

const compareTensor = async (
  file: GoldenFile,
  name: string,
  make: () => Tensor,
  quantity: Comparison['quantity'],
): Promise<Comparison[]> => {
  const computed = tidy(make)
  const comparisons = await compareWith(file, name, computed, quantity)
  dispose(computed)
  return comparisons
}

/** One reverse step from `sample` and the network's `model_output`, with the image estimate clipped. */
const compareStep = async (file: GoldenFile, [name, process, count, kind, time]: RegExpMatchArray, o: Inputs): Promise<Comparison[]> => {
  const stem = name!.slice(0, -'.prev'.length)
  const t = Number(time)
  const s = t - Math.floor(o.schedule.timesteps / Number(count))
  const variance = kind === 'fixed_small' ? 'fixedSmall' : 'fixedLarge'
  const options = { t, s, epsilon: o.epsilon, z: () => o.noise! }
  const { schedule, sample, epsilon } = o
  const comparisons = [
    ...(await compareTensor(
      file,
      name!,
      () => (process === 'ddpm' ? ddpmStep(schedule, sample, { ...options, variance }) : ddimStep(schedule, sample, options)),
      'output',
    )),
    ...(await compareTensor(file, `${stem}.x0`, () => predictXStartFromEpsilon(schedule, sample, { t, epsilon }).clamp(-1, 1), 'output')),
  ]
  if (process === 'ddim') return comparisons
  const computed = () => tensor([Math.max(ddpmPosterior(schedule, { t, s, variance }).variance, LEAST_VARIANCE)], [])
  // At t = 1 the origin's 1 - abar_t / abar_s has four digits left, so its variance is held to the wider bound.
  return [...comparisons, ...(await compareTensor(file, `${stem}.var`, computed, 'gradient'))]
}

/** The tensor a name asks for that is no reverse step. */
const compareOther = async (file: GoldenFile, name: string, { schedule, sample, noise }: Inputs): Promise<Comparison[]> => {
  const timesteps = (tStar: number, inferenceSteps: number): Promise<Comparison[]> => {
    const list = faithfulTimesteps({ timesteps: schedule.timesteps, tStar, inferenceSteps }).map(({ t }) => t)
    return compareTensor(file, name, () => tensor(list, [list.length]), 'exact')
  }
  const all = name.match(TIMESTEPS)
  if (all) return timesteps(1, Number(all[1]))
  const purify = name.match(PURIFY_TIMESTEPS)
  if (purify) return timesteps(Number(purify[2]), Number(purify[1]))
  const forward = name.match(ADD_NOISE)
  if (forward) return compareTensor(file, name, () => qSample(schedule, sample, { t: Number(forward[1]), epsilon: noise! }), 'output')
  return []
}

/**
 * The float64 schedule against the origin's float32 one, and our account of the origin's rounding, which other kinds rely
 * on, against the same numbers bit for bit.
 */
const compareSchedule = async (file: GoldenFile, ours: Schedule, rounded: Schedule): Promise<Comparison[]> => {
  const comparisons: Comparison[] = []
  for (const [name, key] of [
    ['betas', 'betas'],
    ['alphas_cumprod', 'alphasCumprod'],
  ] as const) {
    if (!file.find(name)) continue
    const pair = [
      ...(await compareTensor(file, name, () => tensor(ours[key], [ours.timesteps]), 'output')),
      ...(await compareTensor(file, name, () => tensor(rounded[key], [ours.timesteps]), 'exact')),
    ]
    comparisons.push(...pair.map(row => (row.quantity === 'exact' ? { ...row, tensor: `${row.tensor} (float32 rounding)` } : row)))
  }
  return comparisons
}

/**
 * Schedules, timesteps and single reverse steps: of the published DDPM scheduler (variances fixed_small and fixed_large)
 * and of DDIM with eta = 0. A step leads from t to t - floor(T / N); the image estimate is clipped.
 */
export const schedulers: ParityKind = {
  name: 'sched',
  stem: /^sched_(ddpm|ddim)/,
  run: async golden => {
    const file = golden.get('')
    const timesteps = file.find('alphas_cumprod')?.shape[0] ?? 1000
    // Early in the process the origin's 1 - abar has lost three digits in float32; steps are compared on its own schedule.
    const schedule = float32Schedule({ timesteps })
    const noise = file.find('noise')
    const inputs = {
      schedule,
      sample: upload(file.get('sample')),
      epsilon: upload(file.get('model_output')),
      noise: noise && upload(noise),
    }
    const comparisons = await compareSchedule(file, linearSchedule({ timesteps }), schedule)
    for (const name of file.tensorNames) {
      const step = name.match(STEP)
      comparisons.push(...(await (step ? compareStep(file, step, inputs) : compareOther(file, name, inputs))))
    }
    dispose(inputs)
    return comparisons
  },
}
