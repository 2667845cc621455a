import type { Classifier, EpsilonModel } from '../../algorithms/models/types.ts'
import { tensor } from '../../core/index.ts'
import type { GoldenFolder } from './goldenFolder.ts'
import { loadNcsnpp } from './kinds/ncsnpp.ts'
import { loadUnet2d } from './kinds/unet2d.ts'
import { loadWideResNet } from './kinds/wideResNet.ts'
import type { uploadAll } from './tensors.ts'

/**
 * Per-channel statistics the published scripts normalise CIFAR-10 pixels with. The deviations are means over images of each
 * image's own, smaller than that of all pixels (.247, .244, .262); which of the two was used, the golden logits tell. In float32 as
 * there, even where the networks are float64.
 */
const MEAN = [0.4914, 0.4822, 0.4465].map(Math.fround)
const DEVIATION = [0.2023, 0.1994, 0.201].map(Math.fround)

/** The two small networks on which whole algorithms were recorded, in evaluation mode, on the current backend. */
export interface TinyNetworks {
  readonly epsilonTheta: EpsilonModel
  /** Takes pixels in [0,1]; normalises them first. */
  readonly classifier: Classifier
  /** The diffusion model's parameters, and the model as a function of them. */
  readonly parameters: ReturnType<typeof uploadAll>
  readonly model: (parameters: ReturnType<typeof uploadAll>, ...input: Parameters<EpsilonModel>) => ReturnType<EpsilonModel>
  /** Everything that is to be disposed of. */
  readonly tensors: readonly unknown[]
}

/** The diffusion model of that name, and the classifier. @throws FileError when a weights file is absent or does not fit */
export const loadTinyNetworks = (folder: GoldenFolder, diffusion: 'tiny_unet' | 'tiny_ncsnpp' = 'tiny_unet'): TinyNetworks => {
  const weights = folder.load(`${diffusion}.weights`)
  const { network, params: parameters } = diffusion === 'tiny_unet' ? loadUnet2d(weights) : loadNcsnpp(weights)
  const wide = loadWideResNet(folder.load('tiny_wide10_1.weights'), 'wide')
  const mean = tensor(MEAN, [1, 3, 1, 1])
  const deviation = tensor(DEVIATION, [1, 3, 1, 1])
  return {
    epsilonTheta: (xT, t) => network.apply(parameters, xT, t),
    classifier: images => wide.network.apply(wide.params, images.sub(mean).div(deviation)).logits,
    parameters,
    model: (given, xT, t) => network.apply(given, xT, t),
    tensors: [parameters, wide.params, mean, deviation],
  }
}
