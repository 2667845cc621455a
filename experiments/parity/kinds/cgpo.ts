import { linearSchedule } from '../../../algorithms/diffusion/schedule.ts'
import type { Draws } from '../../../algorithms/randomness/draws.ts'
import { cgpo as runCgpo } from '../../../algorithms/training/cgpo.ts'
import { denoisingLoss } from '../../../algorithms/training/denoisingLoss.ts'
import { mixNoise } from '../../../algorithms/training/mixNoise.ts'
import { ddpmProcess, lambdas } from '../../../algorithms/training/noiseProcess.ts'
import { rbgm } from '../../../algorithms/training/rbgm.ts'
import { dispose, type Tensor, tensor, tidy, valueAndGrad } from '../../../core/index.ts'
import type { Comparison } from '../comparison.ts'
import { givenDraws } from '../givenDraws.ts'
import type { GoldenFile } from '../goldenFolder.ts'
import type { ParityKind } from '../kind.ts'
import { shareDiffering } from '../shareDiffering.ts'
import { compareWith, upload } from '../tensors.ts'
import { loadTinyNetworks, type TinyNetworks } from '../tinyNetworks.ts'

const process = ddpmProcess(linearSchedule())
const GRADIENT = 'final_grad.'

interface Recorded {
  readonly file: GoldenFile
  readonly x0: Tensor
  readonly labels: readonly number[]
  readonly t: readonly number[]
  /** CGPO iterations in the file. */
  readonly steps: number
  readonly networks: TinyNetworks
  /** Names of the gradients of the loss; see `gradientNames`. */
  readonly recordedGradients: readonly string[]
}

/**
 * The gradients that were saved. A script that saves them after the optimiser has cleared them leaves zeros, which nothing
 * can be compared with while the norm it saved before is positive. `file` is a handle of its own, so that those stay
 * listed as not compared.
 */
const gradientNames = (file: GoldenFile): string[] =>
  file.tensorNames.filter(name => name.startsWith(GRADIENT) && file.get(name).values.some(value => value !== 0))

/** The recorded noises under the names by which `cgpo` draws them. No two recorded gradients are equal, so ties do not matter. */
const recordedDraws = ({ file, x0, steps }: Recorded): Draws =>
  givenDraws(x0.shape[0]!, ({ source, part, attackStep }) => {
    if (part === 'ties') return new Float64Array(x0.size)
    if (source === 'rbgm') return file.get(attackStep === 0 ? 'delta0' : `rank_noise.${attackStep - 1}`).values
    return attackStep <= steps && part === 'cgpo' ? file.get(`noise.${attackStep - 1}`).values : undefined
  })

/** Every iteration of one whole run, and RBGM on the recorded gradients, whose ranks no rounding of ours has touched. */
const compareIterations = async (recorded: Recorded): Promise<Comparison[]> => {
  const { file, x0, labels, t, steps, networks } = recorded
  const comparisons: Comparison[] = []
  const mean = 1 / x0.shape[0]!
  const epsilonDelta = await runCgpo(
    { x0, labels, t, draws: recordedDraws(recorded) },
    {
      process,
      network: networks.epsilonTheta,
      classifier: networks.classifier,
      steps,
      onStep: async ({ loss, gradient, delta }, k) => {
        const scaled = tidy(() => [loss.mean(), gradient.mul(mean), delta.mul(mean)] as const)
        comparisons.push(...(await compareWith(file, `loss.${k}`, scaled[0], 'output')))
        comparisons.push(...(await compareWith(file, `grad.${k}`, scaled[1], 'gradient')))
        comparisons.push(...(await compareWith(file, `eot.${k}`, scaled[2], 'gradient')))
        dispose(scaled)
      },
    },
  )
  comparisons.push(...(await shareDiffering(file, `delta.${steps}`, epsilonDelta)))
  dispose(epsilonDelta)
  for (let k = 0; k < steps; k++) {
    const sum = upload(file.get(`eot.${k}`))
    const noise = upload(file.get(`rank_noise.${k}`))
    const mapped = await rbgm(sum, noise, { tieBreak: new Float64Array(sum.size) })
    comparisons.push(...(await compareWith(file, `delta.${k + 1}`, mapped, 'exact')))
    dispose([sum, noise, mapped])
  }
  return comparisons
}

/** The ADDT loss on the recorded noise order, and its gradient to the network. */
const compareLoss = async ({ file, x0, t, steps, networks, recordedGradients }: Recorded): Promise<Comparison[]> => {
  const epsilonDelta = upload(file.get(`delta.${steps}`))
  const epsilon = upload(file.get('final_noise'))
  const { parameters, model } = networks
  const { value, gradient, aux } = valueAndGrad((theta: typeof parameters) => {
    const n = mixNoise(epsilon, { epsilonDelta, lambdas: lambdas(process, t) })
    const xT = process.noised(x0, { t, n })
    const loss = denoisingLoss(process, x0, { n, t, network: (noisy, times) => model(theta, noisy, times) })
    return [loss, { xT, prediction: networks.epsilonTheta(xT, t) }] as const
  })(parameters)
  const norm = tidy(() =>
    Object.values(gradient)
      .map(part => part.square().sum())
      .reduce((a, b) => a.add(b))
      .sqrt(),
  )
  const comparisons = [
    ...(await compareWith(file, 'final_xt', aux.xT, 'output')),
    ...(await compareWith(file, 'final_pred', aux.prediction, 'output')),
    ...(await compareWith(file, 'final_loss', value, 'output')),
    ...(await compareWith(file, 'final_grad_norm', norm, 'gradient')),
  ]
  for (const name of recordedGradients) {
    const computed = gradient[name.slice(GRADIENT.length)]
    if (computed) comparisons.push(...(await compareWith(file, name, computed, 'gradient')))
  }
  dispose([epsilonDelta, epsilon, value, gradient, aux, norm])
  return comparisons
}

/**
 * CGPO of E10 on two networks and one ADDT loss (E9, E11), with all noises given.
 *
 * The origin differentiates the mean loss over the batch and we the sum, so our losses, gradients and their sums are divided
 * by the batch size before they are compared; RBGM sees only ranks. In the whole run two gradients that differ by less than
 * rounding may change places, which moves two values of the resulting noise: it is compared by the share of its elements
 * that differ.
 */
export const cgpo: ParityKind = {
  name: 'cgpo',
  stem: /^cgpo/,
  run: async golden => {
    const file = golden.get('')
    const t = Array.from(file.get('timesteps').values)
    const recorded: Recorded = {
      file,
      x0: upload(file.get('clean')),
      labels: Array.from(file.get('labels').values),
      t,
      steps: file.tensorNames.filter(name => /^rank_noise\.\d+$/.test(name)).length,
      networks: loadTinyNetworks(golden.folder),
      recordedGradients: gradientNames(golden.folder.load(file.name)),
    }
    const ratio = tensor(lambdas(process, t), [t.length, 1, 1, 1])
    const comparisons = [
      ...(await compareWith(file, 'ratio', ratio, 'output')),
      ...(await compareIterations(recorded)),
      ...(await compareLoss(recorded)),
    ]
    dispose([ratio, recorded.x0, ...recorded.networks.tensors])
    return comparisons
  },
}
