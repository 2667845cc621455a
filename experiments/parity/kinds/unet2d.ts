import { createUnet2d, renameUnet2dParameters, type Unet2d } from '../../../algorithms/models/unet2d.ts'
import { dispose } from '../../../core/index.ts'
import { checkParameters } from '../../../core/nn/index.ts'
import { compareNetwork } from '../compareNetwork.ts'
import type { Comparison } from '../comparison.ts'
import { compareAsOrigin } from '../float32Softmax.ts'
import type { GoldenFile } from '../goldenFolder.ts'
import type { GoldenCase, ParityKind } from '../kind.ts'
import { allTensors, fromConfig, uploadAll } from '../tensors.ts'

/** The network of a weights file with its parameters on the current backend. @throws FileError when they do not fit */
export const loadUnet2d = (weights: GoldenFile): { network: Unet2d; params: ReturnType<typeof uploadAll> } => {
  const network = fromConfig(weights, createUnet2d)
  const tensors = renameUnet2dParameters(allTensors(weights))
  checkParameters(network.parameterShapes(), tensors, weights.path)
  return { network, params: uploadAll(tensors) }
}

const compareOutput = async (golden: GoldenCase): Promise<Comparison[]> => {
  const { network, params } = loadUnet2d(golden.get('weights'))
  const io = golden.find('io')
  const comparisons = io
    ? await compareNetwork(io, params, (p, x) => ({ output: network.apply(p, x, Array.from(io.get('t').values)) }))
    : []
  dispose(params)
  return comparisons
}

/**
 * diffusers' UNet2DModel: output and gradients. Weights without an io file are checked by loading. On a float64 backend
 * the float64 references are met with the origin's softmax, everything else with ours.
 */
export const unet2d: ParityKind = {
  name: 'unet2d',
  stem: /^(tiny_unet|unet2d)(_|$)/,
  run: golden => compareAsOrigin(() => compareOutput(golden)),
}
