import { createUnet2d, renameUnet2dParameters, type Unet2d } from '../../../algorithms/models/unet2d.ts'
import { dispose } from '../../../core/index.ts'
import { checkParameters } from '../../../core/nn/index.ts'
import { compareNetwork } from '../compareNetwork.ts'
import type { GoldenFile } from '../goldenFolder.ts'
import type { ParityKind } from '../kind.ts'
import { allTensors, fromConfig, uploadAll } from '../tensors.ts'

/** The network of a weights file with its parameters on the current backend. @throws FileError when they do not fit */
export const loadUnet2d = (weights: GoldenFile): { network: Unet2d; params: ReturnType<typeof uploadAll> } => {
  const network = fromConfig(weights, createUnet2d)
  const tensors = renameUnet2dParameters(allTensors(weights))
  checkParameters(network.parameterShapes(), tensors, weights.path)
  return { network, params: uploadAll(tensors) }
}

/**
 * Even in float64 the origin embeds timesteps in float32, whose exp, sin and cos are exact to one unit in the last place
 * only: 6e-8 of a frequency, 6e-5 of an angle near t = 999.
 */
const EMBEDDING_BOUND = 1e-5

/** diffusers' UNet2DModel: output and gradients. Weights without an io file are checked by loading. */
export const unet2d: ParityKind = {
  name: 'unet2d',
  stem: /^(tiny_unet|unet2d)(_|$)/,
  run: async golden => {
    const { network, params } = loadUnet2d(golden.get('weights'))
    const io = golden.find('io')
    const comparisons = io
      ? await compareNetwork(io, params, (p, x) => ({ output: network.apply(p, x, Array.from(io.get('t').values)) }))
      : []
    dispose(params)
    return comparisons.map(comparison => ({ ...comparison, float64Bound: EMBEDDING_BOUND }))
  },
}
