import { createWideResNet } from '../../../algorithms/models/wideResNet.ts'
import type { Recogniser } from '../candidate.ts'
import { countNumbered, extent, hasPrefix, type Shapes } from '../shapes.ts'

/** Wide residual networks: 6 n + 4 layers with n blocks in each of three stages. */
export const wideResNet: Recogniser = found => {
  const implementation = hasPrefix(found, 'block1.layer.0.') ? 'wrn' : 'wide'
  if (implementation === 'wide' && !Object.hasOwn(found, 'layer1.0.conv1.bias')) return null
  const stage = implementation === 'wrn' ? 'block1.layer.' : 'layer1.'
  const config = {
    implementation,
    depth: 6 * countNumbered(found, stage) + 4,
    widenFactor: (extent(found, `${stage}0.conv1.weight`, 0) ?? 0) / 16,
    inChannels: extent(found, 'conv1.weight', 1),
    classes: extent(found, implementation === 'wrn' ? 'fc.weight' : 'linear.weight', 0),
  } as const
  const expected = (): Shapes => {
    const network = createWideResNet(config)
    return { ...network.parameterShapes(), ...network.bufferShapes() }
  }
  return { network: 'WideResNet', config, unknown: ['dropout'], found, expected }
}
