import { createResNet, type ResNetConfig } from '../../algorithms/models/resNet.ts'
import { createUnet2d, renameUnet2dParameters } from '../../algorithms/models/unet2d.ts'
import { createWideResNet } from '../../algorithms/models/wideResNet.ts'
import { countNumbered, extent, hasPrefix, type Shapes } from './shapes.ts'

/** A network that a checkpoint may belong to. */
export interface Candidate {
  readonly network: 'UNet2DModel' | 'WideResNet' | 'ResNet'
  /** What the weights tell of the configuration. */
  readonly config: Readonly<Record<string, unknown>>
  /** Options on which no name and no shape depends. */
  readonly unknown: readonly string[]
  /** The file's shapes under the names of the network. */
  readonly found: Shapes
  /** What the network needs. @throws Error when there is no such network */
  readonly expected: () => Shapes
}

const numbered = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i))

/** The largest divisor of all channels up to 32; no shape depends on it, but it must divide. */
const someGroups = (channels: readonly number[]): number =>
  numbered(32, i => 32 - i).find(groups => channels.every(c => c % groups === 0)) ?? 1

/** The noise predictor of diffusers, with new or old names of its attention maps. */
const unet2d = (given: Shapes): Candidate | null => {
  if (!Object.hasOwn(given, 'conv_in.weight') || !hasPrefix(given, 'down_blocks.0.')) return null
  const found = renameUnet2dParameters(given)
  const levels = countNumbered(found, 'down_blocks.')
  const attends = (block: string): boolean => hasPrefix(found, `${block}.attentions.`)
  const channels = numbered(levels, level => extent(found, `down_blocks.${level}.resnets.0.conv1.weight`, 0) ?? 0)
  const config = {
    in_channels: extent(found, 'conv_in.weight', 1),
    out_channels: extent(found, 'conv_out.weight', 0),
    block_out_channels: channels,
    layers_per_block: countNumbered(found, 'down_blocks.0.resnets.'),
    down_block_types: numbered(levels, i => (attends(`down_blocks.${i}`) ? ('AttnDownBlock2D' as const) : ('DownBlock2D' as const))),
    up_block_types: numbered(levels, i => (attends(`up_blocks.${i}`) ? ('AttnUpBlock2D' as const) : ('UpBlock2D' as const))),
    time_embedding_type: Object.hasOwn(found, 'time_proj.weight') ? ('fourier' as const) : ('positional' as const),
    add_attention: attends('mid_block'),
    num_class_embeds: extent(found, 'class_embedding.weight', 0) ?? null,
  }
  const unknown = ['norm_num_groups', 'norm_eps', 'attention_head_dim', 'downsample_padding', 'freq_shift', 'flip_sin_to_cos']
  return {
    network: 'UNet2DModel',
    config,
    unknown,
    found,
    expected: () => createUnet2d({ ...config, norm_num_groups: someGroups(channels) }).parameterShapes(),
  }
}

/** Wide residual networks: 6 n + 4 layers with n blocks in each of three stages. */
const wideResNet = (found: Shapes): Candidate | null => {
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

const DEPTHS: Readonly<Record<string, number>> = { '2,2,2,2': 18, '3,4,6,3': 34, '3,4,23,3': 101, '3,8,36,3': 152 }

/** Residual networks: three stages for small images, else four; 50 layers are the 34 with blocks of three convolutions. */
const resNet = (found: Shapes): Candidate | null => {
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

/** The candidates by patterns of names; whether they fit is another question. */
export const candidates = (shapes: Shapes): Candidate[] =>
  [unet2d, wideResNet, resNet].map(recognise => recognise(shapes)).filter(candidate => candidate !== null)
