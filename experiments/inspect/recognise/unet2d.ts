import type { DownBlockType, UpBlockType } from '../../../algorithms/models/unet2d/config.ts'
import { createUnet2d, renameUnet2dParameters } from '../../../algorithms/models/unet2d.ts'
import type { Recogniser } from '../candidate.ts'
import { countNumbered, extent, hasPrefix, hasTensor, numbered } from '../shapes.ts'

/** The largest divisor of all channels up to 32; no shape depends on it, but it must divide. */
const someGroups = (channels: readonly number[]): number =>
  numbered(32, i => 32 - i).find(groups => channels.every(c => c % groups === 0)) ?? 1

const downType = (attends: boolean, resamples: boolean): DownBlockType => {
  if (attends) return 'AttnDownBlock2D'
  return resamples ? 'ResnetDownsampleBlock2D' : 'DownBlock2D'
}

const upType = (attends: boolean, resamples: boolean): UpBlockType => {
  if (attends) return 'AttnUpBlock2D'
  return resamples ? 'ResnetUpsampleBlock2D' : 'UpBlock2D'
}

/** The noise predictor of diffusers, with new or old names of its attention maps. */
export const unet2d: Recogniser = given => {
  if (!Object.hasOwn(given, 'conv_in.weight') || !hasPrefix(given, 'down_blocks.0.')) return null
  const found = renameUnet2dParameters(given)
  const levels = countNumbered(found, 'down_blocks.')
  const attends = (block: string): boolean => hasPrefix(found, `${block}.attentions.`)
  const channels = numbered(levels, level => extent(found, `down_blocks.${level}.resnets.0.conv1.weight`, 0) ?? 0)
  /** Whether a residual block changes the resolution. */
  const resamples = (name: string): boolean => hasTensor(found, `${name}.0.conv1.weight`)
  const attendingResamples = (way: string, resampler: string): 'conv' | 'resnet' =>
    numbered(levels, i => `${way}.${i}`).some(block => attends(block) && resamples(`${block}.${resampler}`)) ? 'resnet' : 'conv'
  const first = 'down_blocks.0.resnets.0'
  const scaleAndShift = extent(found, `${first}.time_emb_proj.weight`, 0) === 2 * (extent(found, `${first}.conv1.weight`, 0) ?? 0)
  const config = {
    in_channels: extent(found, 'conv_in.weight', 1),
    out_channels: extent(found, 'conv_out.weight', 0),
    block_out_channels: channels,
    layers_per_block: countNumbered(found, 'down_blocks.0.resnets.'),
    down_block_types: numbered(levels, i => downType(attends(`down_blocks.${i}`), resamples(`down_blocks.${i}.downsamplers`))),
    up_block_types: numbered(levels, i => upType(attends(`up_blocks.${i}`), resamples(`up_blocks.${i}.upsamplers`))),
    downsample_type: attendingResamples('down_blocks', 'downsamplers'),
    upsample_type: attendingResamples('up_blocks', 'upsamplers'),
    resnet_time_scale_shift: scaleAndShift ? ('scale_shift' as const) : ('default' as const),
    time_embedding_type: Object.hasOwn(found, 'time_proj.weight') ? ('fourier' as const) : ('positional' as const),
    add_attention: attends('mid_block'),
    class_embed_type: hasTensor(found, 'class_embedding.linear_1.weight') ? ('timestep' as const) : null,
    num_class_embeds: extent(found, 'class_embedding.weight', 0) ?? null,
  }
  // Under scale_shift the middle attends without a norm unless it is given groups of its own.
  const middleNorm = scaleAndShift && hasTensor(found, 'mid_block.attentions.0.group_norm.weight')
  const unknown = [
    'norm_num_groups',
    'norm_eps',
    'attention_head_dim',
    'downsample_padding',
    'freq_shift',
    'flip_sin_to_cos',
    ...(middleNorm ? ['attn_norm_num_groups'] : []),
  ]
  return {
    network: 'UNet2DModel',
    config,
    unknown,
    found,
    expected: () => {
      const groups = someGroups(channels)
      const given = { ...config, norm_num_groups: groups, attention_head_dim: null, attn_norm_num_groups: middleNorm ? groups : null }
      return createUnet2d(given).parameterShapes()
    },
  }
}
