import { createWideResNet, type WideResNet, type WideResNetConfig } from '../../../algorithms/models/wideResNet.ts'
import { dispose, type Tensor, valueAndGrad } from '../../../core/index.ts'
import { checkParameters, meanCrossEntropy } from '../../../core/nn/index.ts'
import { compareNetwork } from '../compareNetwork.ts'
import type { Comparison } from '../comparison.ts'
import type { GoldenFile } from '../goldenFolder.ts'
import type { GoldenCase, ParityKind } from '../kind.ts'
import { allTensors, compareWith, fromConfig, upload, uploadAll } from '../tensors.ts'

type Params = Readonly<Record<string, Tensor>>

const classifierOf = { wrn: 'fc', wide: 'linear' } as const

const numberIn = (config: Readonly<Record<string, unknown>>, name: string): number => {
  const value = config[name]
  if (typeof value !== 'number') throw new Error(`config "${name}" is ${JSON.stringify(value)}, not a number`)
  return value
}

/** The network of a weights file with its parameters on the current backend. @throws FileError when they do not fit */
export const loadWideResNet = (
  weights: GoldenFile,
  implementation: WideResNetConfig['implementation'],
): { network: WideResNet; params: Record<string, Tensor> } => {
  const network = fromConfig(weights, config =>
    createWideResNet({
      implementation,
      depth: numberIn(config, 'depth'),
      widenFactor: numberIn(config, 'widen_factor'),
      // Neither origin saves these with every configuration; the file's own first and last layer have them.
      inChannels: weights.get('conv1.weight').shape[1]!,
      classes: weights.get(`${classifierOf[implementation]}.bias`).shape[0]!,
    }),
  )
  const tensors = allTensors(weights)
  checkParameters({ ...network.parameterShapes(), ...network.bufferShapes() }, tensors, weights.path)
  return { network, params: uploadAll(tensors) }
}

/** `ce` and `ce_grad_x`: the mean cross-entropy of x against the labels y, and its gradient. */
const compareCrossEntropy = async (io: GoldenFile, network: WideResNet, params: Params): Promise<Comparison[]> => {
  const labels = io.find('y')
  if (!labels) return []
  const x = upload(io.get('x'))
  const { value, gradient } = valueAndGrad((images: Tensor) => meanCrossEntropy(network.apply(params, images).logits, labels.values))(x)
  const comparisons = [...(await compareWith(io, 'ce', value, 'output')), ...(await compareWith(io, 'ce_grad_x', gradient, 'gradient'))]
  dispose([x, value, gradient])
  return comparisons
}

const compareModes = async (golden: GoldenCase, network: WideResNet, params: Params): Promise<Comparison[]> => {
  const comparisons: Comparison[] = []
  for (const [role, train] of [
    ['eval', false],
    ['io', false],
    ['train', true],
  ] as const) {
    const io = golden.find(role)
    if (!io) continue
    comparisons.push(
      ...(await compareNetwork(io, params, (p, x) => {
        const { logits, runningStatistics } = network.apply(p, x, { train })
        const extra = Object.fromEntries(Object.entries(runningStatistics).map(([name, moved]) => [`after.${name}`, moved]))
        return { output: logits, extra }
      })),
    )
    if (!train) comparisons.push(...(await compareCrossEntropy(io, network, params)))
  }
  return comparisons
}

const kindOf = (implementation: WideResNetConfig['implementation']): ParityKind => ({
  name: implementation,
  stem: new RegExp(`^(tiny_)?${implementation}(\\d|_|$)`),
  run: async golden => {
    const { network, params } = loadWideResNet(golden.get('weights'), implementation)
    const comparisons = await compareModes(golden, network, params)
    dispose(params)
    return comparisons
  },
})

/** The two wide residual networks: outputs and gradients in eval and train mode, and the running statistics after a step. */
export const wrn: ParityKind = kindOf('wrn')
export const wide: ParityKind = kindOf('wide')
