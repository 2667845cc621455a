import { createEdmNet, type EdmNetConfig } from '../../../algorithms/models/edmNet.ts'
import type { Recogniser } from '../candidate.ts'
import { countNumbered, extent, hasPrefix, hasTensor, type Shapes } from '../shapes.ts'

/** Filter taps by their number, since the weights tell only that. */
const TAPS: Readonly<Record<number, readonly number[]>> = { 2: [1, 1], 4: [1, 3, 3, 1] }

/** Sides of the levels, largest first, which stand in the names of their blocks. */
const sidesOf = (found: Shapes): number[] => {
  const sides = Object.keys(found).map(name => /^model\.enc\.(\d+)x\1_block0\./.exec(name)?.[1])
  return [...new Set(sides.filter(side => side !== undefined).map(Number))].sort((a, b) => b - a)
}

/** What only SongUNet has. */
const songOptions = (
  found: Shapes,
  { side, noise, channels }: { side: string; noise: number; channels: number },
): Partial<EdmNetConfig> => {
  const has = (part: string): boolean => Object.keys(found).some(name => name.includes(part))
  const filter = Object.keys(found).find(name => name.endsWith('.resample_filter'))
  return {
    embedding_type: hasTensor(found, 'model.map_noise.freqs') ? 'fourier' : 'positional',
    channel_mult_noise: noise / channels,
    encoder_type: has('_aux_residual.') ? 'residual' : has('_aux_skip.') ? 'skip' : 'standard',
    decoder_type: Object.keys(found).some(name => name.endsWith('_aux_norm.weight') && !name.includes(`.${side}_`)) ? 'skip' : 'standard',
    resample_filter: TAPS[(filter && extent(found, filter, 2)) || 2] ?? [],
  }
}

/** The networks of EDM, within their preconditioning or bare. */
export const edmNet: Recogniser = given => {
  const bare = hasTensor(given, 'map_layer0.weight')
  const found = bare ? Object.fromEntries(Object.entries(given).map(([name, shape]) => [`model.${name}`, shape])) : given
  const sides = sidesOf(found)
  if (!hasTensor(found, 'model.map_layer0.weight') || sides.length === 0) return null
  const dhariwal = hasTensor(found, 'model.out_conv.weight')
  const name = (side: number): string => `${side}x${side}`
  const side = name(sides[0]!)
  const noise = extent(found, 'model.map_layer0.weight', 1) ?? 0
  const channels = dhariwal ? noise : (extent(found, `model.enc.${side}_conv.weight`, 0) ?? 0)
  const config: Partial<EdmNetConfig> = {
    model_type: dhariwal ? 'DhariwalUNet' : 'SongUNet',
    img_resolution: sides[0]!,
    img_channels: extent(found, `model.enc.${side}_conv.weight`, 1)!,
    label_dim: extent(found, 'model.map_label.weight', 1) ?? 0,
    augment_dim: extent(found, 'model.map_augment.weight', 1) ?? 0,
    model_channels: channels,
    channel_mult: sides.map(s => (extent(found, `model.enc.${name(s)}_block0.conv1.weight`, 0) ?? 0) / channels),
    channel_mult_emb: (extent(found, 'model.map_layer0.weight', 0) ?? 0) / channels,
    num_blocks: countNumbered(found, `model.enc.${side}_block`),
    attn_resolutions: sides.filter(s => hasPrefix(found, `model.enc.${name(s)}_block0.qkv.`)),
    ...(dhariwal ? {} : songOptions(found, { side, noise, channels })),
  }
  const unknown = ['precond', 'dropout', ...(dhariwal ? ['channels_per_head'] : [])]
  // One channel per head, since fewer channels than a head's would leave out the attention that is there.
  const heads = dhariwal ? { channels_per_head: 1 } : {}
  return { network: 'EDM', config, unknown, found, expected: () => createEdmNet({ ...config, ...heads }).parameterShapes() }
}
