import { createResNet, type ResNetConfig } from '../../../algorithms/models/resNet.ts'
import type { Recogniser } from '../candidate.ts'
import { countNumbered, extent, hasPrefix, type Shapes } from '../shapes.ts'

const DEPTHS: Readonly<Record<string, number>> = { '2,2,2,2': 18, '3,4,6,3': 34, '3,4,23,3': 101, '3,8,36,3': 152 }

/** Residual networks: three stages for small images, else four; 50 layers are the 34 with blocks of three convolutions. */
export const resNet: Recogniser = found => {
  if (!Object.hasOwn(found, 'layer1.0.conv1.weight') || Object.hasOwn(found, 'layer1.0.conv1.bias')) return null
  const blocks = [1, 2, 3, 4].map(stage => countNumbered(found, `layer${stage}.`))
  const small = blocks[3] === 0
  const bottleneck = Object.hasOwn(found, 'layer1.0.conv3.weight')
  const deep = DEPTHS[blocks.join()]
  const projects = hasPrefix(found, 'layer2.0.shortcut.') || hasPrefix(found, 'layer2.0.downsample.')
  const config: ResNetConfig = {
    implementation: small ? 'heCifar' : Object.hasOwn(found, 'fc.weight') ? 'imagenet' : 'cifar',
    depth: small ? 6 * blocks[0]! + 2 : deep === 34 && bottleneck ? 50 : (deep ?? 0),
    shortcut: projects ? 'B' : 'A',
    inChannels: extent(found, 'conv1.weight', 1),
    classes: extent(found, 'linear.weight', 0) ?? extent(found, 'fc.weight', 0),
    widths: blocks.slice(0, small ? 3 : 4).map((_, i) => extent(found, `layer${i + 1}.0.conv1.weight`, 0) ?? 0),
  }
  const expected = (): Shapes => {
    const network = createResNet(config)
    return { ...network.parameterShapes(), ...network.bufferShapes() }
  }
  return { network: 'ResNet', config: { ...config }, unknown: [], found, expected }
}
