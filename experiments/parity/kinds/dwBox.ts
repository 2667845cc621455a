import { eotGradient } from '../../../algorithms/attacks/eot.ts'
import { type PgdOptions, pgd } from '../../../algorithms/attacks/pgd.ts'
import { dispose, type Tensor, tidy } from '../../../core/index.ts'
import { crossEntropy, meanCrossEntropy } from '../../../core/nn/index.ts'
import type { Comparison } from '../comparison.ts'
import { recordedAttack } from '../dwBoxFile.ts'
import { asOrigin } from '../float32Softmax.ts'
import type { GoldenFile } from '../goldenFolder.ts'
import type { GoldenCase, ParityKind } from '../kind.ts'
import { compareNudged } from '../nudged.ts'
import { isVpsde, type RecordedPurifier, recordedPurifier } from '../recordedPurifier.ts'
import { shareDiffering } from '../shareDiffering.ts'
import { compareWith, upload } from '../tensors.ts'
import { loadTinyNetworks, type TinyNetworks } from '../tinyNetworks.ts'

interface Attack {
  readonly file: GoldenFile
  readonly networks: TinyNetworks
  readonly purify: RecordedPurifier
  readonly labels: readonly number[]
  /** The clean images, pixels in [0,1]. */
  readonly x: Tensor
  readonly options: PgdOptions
}

/** Diffusion range [-1,1] to pixels. */
const toPixels = (x: Tensor): Tensor => x.mul(0.5).add(0.5)

/** Named results of a computation against the tensors of those names. */
const compareAll = async (
  file: GoldenFile,
  quantity: Comparison['quantity'],
  compute: () => Readonly<Record<string, Tensor>>,
): Promise<Comparison[]> => {
  const computed = tidy(compute)
  const comparisons: Comparison[] = []
  for (const [name, value] of Object.entries(computed)) comparisons.push(...(await compareWith(file, name, value, quantity)))
  dispose(computed)
  return comparisons
}

const lossOf = ({ purify, networks, labels }: Attack, input: Tensor): Tensor => crossEntropy(networks.classifier(purify(input)), labels)

/** The images between the reverse steps of the first purification: what the network is asked about, and the result. */
const compareReverseSteps = ({ file, purify, x }: Attack): Promise<Comparison[]> =>
  compareAll(file, 'output', () => {
    const inputs: Tensor[] = []
    const last = purify(x, xT => inputs.push(xT))
      .mul(2)
      .sub(1)
    return Object.fromEntries([...inputs.slice(1), last].map((state, k) => [`first.xt.${k}`, state]))
  })

/**
 * The images step k sees. They are the recorded ones, so that a step's rounding is its own; only the float64 references come
 * from a run of their own, whose perturbations the file has in float32 alone, so on a float64 backend they are ours.
 */
const imagesBefore = ({ file, x }: Attack, k: number, iterates: readonly Tensor[]): Tensor => {
  if (k === 0) return x
  return x.backend.floatType === 'float64' ? iterates[k - 1]! : tidy(() => x.add(upload(file.get(`step${k - 1}.delta`)).mul(0.5)))
}

/** Everything step k sees and does with it. */
const compareSight = async (attack: Attack, k: number, input: Tensor): Promise<Comparison[]> => {
  const { file, networks, purify, x } = attack
  const mean = 1 / x.shape[0]!
  return [
    ...(await compareAll(file, 'output', () => {
      const purified = purify(input)
      const logits = networks.classifier(purified)
      const loss = meanCrossEntropy(logits, attack.labels)
      return { [`step${k}.purified`]: purified, [`step${k}.logits`]: logits, [`step${k}.loss`]: loss }
    })),
    ...(await compareNudged(nudge =>
      compareAll(file, 'gradient', () => {
        const { gradient } = eotGradient(given => lossOf(attack, given), input.add(nudge), { eotSamples: 1 })
        return { [`step${k}.grad`]: gradient.mul(0.5 * mean) }
      }),
    )),
  ]
}

/** The perturbations of one whole attack; the images after each step are added to `iterates`. */
const comparePerturbations = async (attack: Attack, iterates: Tensor[]): Promise<Comparison[]> => {
  const { file, x, options } = attack
  const comparisons: Comparison[] = []
  const compare = async (name: string, make: () => Tensor): Promise<void> => {
    const computed = tidy(make)
    comparisons.push(
      ...(options.norm === 'linf' ? await shareDiffering(file, name, computed) : await compareWith(file, name, computed, 'gradient')),
    )
    dispose(computed)
  }
  const { xAdv } = await pgd(input => lossOf(attack, input), x, {
    ...options,
    onStep: async (iterate, k) => {
      iterates.push(iterate.mul(1))
      await compare(`step${k}.delta`, () => iterate.sub(x).mul(2))
    },
  })
  await compare('adv', () => xAdv.mul(2).sub(1))
  dispose(xAdv)
  return comparisons
}

/** Logits of the clean and the recorded adversarial images, with and without the purifier. */
const compareEnd = ({ file, networks, purify, x }: Attack): Promise<Comparison[]> =>
  compareAll(file, 'output', () => {
    const adversarial = toPixels(upload(file.get('adv')))
    const purified = purify(adversarial)
    return {
      final_purified: purified,
      final_logits: networks.classifier(purified),
      clean_logits: networks.classifier(x),
      adv_logits_nopurify: networks.classifier(adversarial),
    }
  })

const compareAttack = async (golden: GoldenCase): Promise<Comparison[]> => {
  const file = golden.get('')
  const networks = loadTinyNetworks(golden.folder, isVpsde(file) ? 'tiny_ncsnpp' : 'tiny_unet')
  const x = tidy(() => toPixels(upload(file.get('x'))))
  const attack: Attack = {
    file,
    networks,
    purify: recordedPurifier(file, networks.epsilonTheta),
    labels: Array.from(file.get('y').values),
    x,
    options: recordedAttack(file),
  }
  const iterates: Tensor[] = []
  const comparisons = [...(await compareReverseSteps(attack)), ...(await comparePerturbations(attack, iterates))]
  for (let k = 0; k < attack.options.steps; k++) {
    const input = imagesBefore(attack, k, iterates)
    comparisons.push(...(await compareSight(attack, k, input)))
    dispose(input === x ? [] : input)
  }
  comparisons.push(...(await compareEnd(attack)))
  dispose([x, iterates, ...networks.tensors])
  return comparisons
}

/**
 * A whole attack of the Deterministic White-box (E13) on a purifier with recorded noise: the purified images, the loss, its
 * gradient and the perturbation of every step.
 *
 * The origin works in [-1,1] and differentiates the mean loss over the batch, we in pixels and the sum, so our gradients are
 * halved and divided by the batch size, and our perturbations doubled. The attack itself runs from beginning to end on its
 * own: a sign may flip where a gradient is near 0, so its l_inf perturbations are compared by the share of elements that
 * differ. On a float64 backend all of it runs with the origin's float32 softmax, which only diffusers' UNet has: not with VPSDE.
 */
export const dwBox: ParityKind = {
  name: 'dwbox',
  stem: /^dwbox_(dd[pi]m|vpsde)/,
  run: golden => (isVpsde({ name: golden.stem }) ? compareAttack(golden) : asOrigin(() => compareAttack(golden))),
}
