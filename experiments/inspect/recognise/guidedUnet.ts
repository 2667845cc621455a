import { createGuidedUnet, type GuidedUnetConfig } from '../../../algorithms/models/guidedUnet.ts'
import type { Recogniser } from '../candidate.ts'
import { extent, hasPrefix, hasTensor, numbered, type Shapes } from '../shapes.ts'

/** The largest number of blocks under a prefix; blocks without parameters leave a gap. */
const lastBlock = (found: Shapes, prefix: string): number =>
  Object.keys(found).reduce(
    (last, name) => (name.startsWith(prefix) ? Math.max(last, Number.parseInt(name.slice(prefix.length), 10)) : last),
    0,
  )

/** Levels of the network: every halving but the one of resampling blocks shows on its way down, those show on the way up. */
const levelsOf = (found: Shapes, blocks: number): number => {
  const halvings = numbered(blocks, i => `input_blocks.${i}.`).filter(
    (block, i) => i > 0 && (!hasPrefix(found, block) || hasTensor(found, `${block}0.op.weight`)),
  )
  const doublings = new Set(Object.keys(found).map(name => /^(output_blocks\.\d+)\.[1-9]\.in_layers\./.exec(name)?.[1]))
  doublings.delete(undefined)
  return 1 + Math.max(halvings.length, doublings.size)
}

/** The UNet of guided-diffusion and improved-diffusion. */
export const guidedUnet: Recogniser = found => {
  if (!hasTensor(found, 'time_embed.0.weight') || !hasTensor(found, 'input_blocks.0.0.weight')) return null
  const blocks = lastBlock(found, 'input_blocks.') + 1
  const levels = levelsOf(found, blocks)
  const perLevel = blocks / levels
  const firstOf = (level: number): string => `input_blocks.${1 + level * perLevel}`
  const channels = extent(found, 'time_embed.0.weight', 1) ?? 0
  const outputs = (block: string): number => extent(found, `${block}.0.out_layers.3.weight`, 0) ?? 0
  const firstHalving = `input_blocks.${perLevel}.0`
  const config: Partial<GuidedUnetConfig> = {
    in_channels: extent(found, 'input_blocks.0.0.weight', 1)!,
    model_channels: channels,
    out_channels: extent(found, 'out.2.weight', 0)!,
    num_res_blocks: perLevel - 1,
    attention_resolutions: numbered(levels, level => level)
      .filter(level => hasTensor(found, `${firstOf(level)}.1.qkv.weight`))
      .map(level => 2 ** level),
    channel_mult: numbered(levels, level => outputs(firstOf(level)) / channels),
    conv_resample: levels === 1 || hasPrefix(found, firstHalving),
    num_classes: extent(found, 'label_emb.weight', 0) ?? null,
    use_scale_shift_norm: extent(found, `${firstOf(0)}.0.emb_layers.1.weight`, 0) === 2 * outputs(firstOf(0)),
    resblock_updown: levels > 1 && hasPrefix(found, `${firstHalving}.in_layers.`),
  }
  const unknown = ['num_heads', 'num_head_channels', 'num_heads_upsample', 'use_new_attention_order', 'dropout']
  return { network: 'GuidedUNet', config, unknown, found, expected: () => createGuidedUnet(config).parameterShapes() }
}
