import { createNcsnpp, type Ncsnpp, renameNcsnppParameters } from '../../../algorithms/models/ncsnpp.ts'
import { dispose } from '../../../core/index.ts'
import { checkParameters } from '../../../core/nn/index.ts'
import { compareNetwork } from '../compareNetwork.ts'
import type { GoldenFile } from '../goldenFolder.ts'
import type { ParityKind } from '../kind.ts'
import { allTensors, fromConfig, uploadAll } from '../tensors.ts'

/** The network of a weights file with its parameters on the current backend. @throws FileError when they do not fit */
export const loadNcsnpp = (weights: GoldenFile): { network: Ncsnpp; params: ReturnType<typeof uploadAll> } => {
  const network = fromConfig(weights, createNcsnpp)
  const tensors = renameNcsnppParameters(allTensors(weights))
  checkParameters(network.parameterShapes(), tensors, weights.path)
  return { network, params: uploadAll(tensors) }
}

/** NCSN++ and DDPM++ of score_sde: output and gradients. Weights without an io file are checked by loading. */
export const ncsnpp: ParityKind = {
  name: 'ncsnpp',
  stem: /^(tiny_)?ncsnpp(_|$)/,
  run: async golden => {
    const { network, params } = loadNcsnpp(golden.get('weights'))
    const io = golden.find('io')
    const comparisons = io
      ? await compareNetwork(io, params, (p, x) => ({ output: network.apply(p, x, Array.from(io.get('t').values)) }))
      : []
    dispose(params)
    return comparisons
  },
}
