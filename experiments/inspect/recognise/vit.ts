import { createVit, type VitConfig } from '../../../algorithms/models/vit.ts'
import type { Recogniser } from '../candidate.ts'
import { countNumbered, extent, hasTensor } from '../shapes.ts'

/** Vision transformers as Hugging Face's transformers names them. */
export const vit: Recogniser = found => {
  if (!hasTensor(found, 'vit.embeddings.cls_token')) return null
  const projection = 'vit.embeddings.patch_embeddings.projection.weight'
  const patchSize = extent(found, projection, 2) ?? 0
  const config: VitConfig = {
    imageSize: patchSize * Math.sqrt((extent(found, 'vit.embeddings.position_embeddings', 1) ?? 1) - 1),
    patchSize,
    hiddenSize: extent(found, 'vit.embeddings.cls_token', 2)!,
    layers: countNumbered(found, 'vit.encoder.layer.'),
    mlpSize: extent(found, 'vit.encoder.layer.0.intermediate.dense.weight', 0)!,
    inChannels: extent(found, projection, 1)!,
    classes: extent(found, 'classifier.weight', 0)!,
  }
  return {
    network: 'ViT',
    config: { ...config },
    unknown: ['heads', 'epsilon'],
    found,
    expected: () => createVit({ ...config, heads: 1 }).parameterShapes(),
  }
}
