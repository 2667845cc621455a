import { createVgg, type VggConfig } from '../../../algorithms/models/vgg.ts'
import type { Recogniser } from '../candidate.ts'
import { extent, hasTensor, type Shapes } from '../shapes.ts'

/** VGG with batch normalisation: as many layers as convolutions and the three linear maps. */
export const vgg: Recogniser = found => {
  if (!hasTensor(found, 'features.0.weight') || !hasTensor(found, 'classifier.6.weight')) return null
  const convolutions = Object.values(found).filter(shape => shape.length === 4).length
  const config: VggConfig = {
    depth: (convolutions + 3) as VggConfig['depth'],
    inChannels: extent(found, 'features.0.weight', 1)!,
    classes: extent(found, 'classifier.6.weight', 0)!,
    hidden: extent(found, 'classifier.3.weight', 0)!,
  }
  const expected = (): Shapes => {
    const network = createVgg(config)
    return { ...network.parameterShapes(), ...network.bufferShapes() }
  }
  return { network: 'VGG', config: { ...config }, unknown: ['dropout'], found, expected }
}
