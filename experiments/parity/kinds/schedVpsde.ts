import { paperVpSde, vpsdeLogMeanCoefficient, vpsdeMarginal, vpsdeReverseStep, vpsdeSample } from '../../../algorithms/diffusion/vpsde.ts'
import { faithfulVpsdeTimes } from '../../../algorithms/purification/vpsdeTimes.ts'
import { dispose, type Tensor, tensor, tidy } from '../../../core/index.ts'
import type { Comparison } from '../comparison.ts'
import type { GoldenFile } from '../goldenFolder.ts'
import type { ParityKind } from '../kind.ts'
import { compareWith, upload } from '../tensors.ts'

/** Steps that the recorded scheduler divides time into. */
const SCALES = 1000
const TIME = /^t\.(\d+)$/
const PURIFY_TIMES = /^purify_timesteps\.([\d.]+)$/

const compareTensor = async (file: GoldenFile, name: string, make: () => Tensor): Promise<Comparison[]> => {
  const computed = tidy(make)
  const comparisons = await compareWith(file, name, computed, 'output')
  dispose(computed)
  return comparisons
}

const times = (tStar: number): Tensor => {
  const list = faithfulVpsdeTimes({ tStar, inferenceSteps: SCALES }).map(({ t }) => t)
  return tensor(list, [list.length])
}

/** Forward process, marginal and reverse step at the time `t.<index>`; a step gives its mean and its sample. */
const compareAtTime = async (file: GoldenFile, index: string, o: { x: Tensor; epsilon: Tensor; noise: Tensor }): Promise<Comparison[]> => {
  const t = file.get(`t.${index}`).values[0] as number
  const step = (): { xMean: Tensor; x(): Tensor } =>
    vpsdeReverseStep(paperVpSde, o.x, { t, dt: 1 / SCALES, epsilon: o.epsilon, z: () => o.noise })
  const { mean, std } = vpsdeMarginal(paperVpSde, t)
  return [
    ...(await compareTensor(file, `step.${index}.x_mean`, () => step().xMean)),
    ...(await compareTensor(file, `step.${index}.x`, () => step().x())),
    ...(await compareTensor(file, `add_noise.${index}`, () => vpsdeSample(paperVpSde, o.x, { t, epsilon: o.noise }))),
    ...(await compareTensor(file, `marginal.${index}`, () => tensor([mean, std, vpsdeLogMeanCoefficient(paperVpSde, t)]))),
  ]
}

/** The VP SDE as a scheduler: times, marginals, forward process and single reverse steps of length 1/1000. */
export const schedVpsde: ParityKind = {
  name: 'sched_vpsde',
  stem: /^sched_vpsde/,
  run: async golden => {
    const file = golden.get('')
    const inputs = { x: upload(file.get('x')), epsilon: upload(file.get('eps')), noise: upload(file.get('noise')) }
    const comparisons = await compareTensor(file, 'timesteps', () => times(1))
    for (const name of file.tensorNames) {
      const purify = name.match(PURIFY_TIMES)
      if (purify) comparisons.push(...(await compareTensor(file, name, () => times(Number(purify[1])))))
      const time = name.match(TIME)
      if (time) comparisons.push(...(await compareAtTime(file, time[1]!, inputs)))
    }
    dispose(inputs)
    return comparisons
  },
}
