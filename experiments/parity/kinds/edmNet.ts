import { createEdmNet, type EdmNet } from '../../../algorithms/models/edmNet.ts'
import { dispose } from '../../../core/index.ts'
import { checkParameters } from '../../../core/nn/index.ts'
import { compareNetwork } from '../compareNetwork.ts'
import type { GoldenFile } from '../goldenFolder.ts'
import type { ParityKind } from '../kind.ts'
import { allTensors, fromConfig, uploadAll } from '../tensors.ts'

/** The network of a weights file with its parameters on the current backend. @throws FileError when they do not fit */
export const loadEdmNet = (weights: GoldenFile): { network: EdmNet; params: ReturnType<typeof uploadAll> } => {
  const network = fromConfig(weights, createEdmNet)
  const tensors = allTensors(weights)
  checkParameters(network.parameterShapes(), tensors, weights.path)
  return { network, params: uploadAll(tensors) }
}

/** Preconditioned EDM networks: denoised images and gradients. `vp` and `ve` in a name mean the architecture, told by the config. */
export const edmNet: ParityKind = {
  name: 'edm',
  stem: /^(tiny_)?edm(_|$)/,
  run: async golden => {
    const { network, params } = loadEdmNet(golden.get('weights'))
    const io = golden.find('io')
    const comparisons = io
      ? await compareNetwork(io, params, (p, x) => ({ output: network.apply(p, x, Array.from(io.get('sigma').values)) }))
      : []
    dispose(params)
    return comparisons
  },
}
