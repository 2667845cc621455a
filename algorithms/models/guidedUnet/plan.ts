import { attendsAt, type GuidedUnetConfig, headsOf } from './config.ts'

/** One layer of the origin's numbered blocks. */
export type Layer =
  | { readonly kind: 'convolution'; readonly inputs: number; readonly outputs: number }
  | { readonly kind: 'residual'; readonly inputs: number; readonly outputs: number; readonly resample?: 'down' | 'up' }
  | { readonly kind: 'attention'; readonly channels: number; readonly heads: number }
  | { readonly kind: 'resampling'; readonly channels: number; readonly resample: 'down' | 'up' }

/** The network's structure: layers by block. The output of each input block is a skip that one output block consumes. */
export interface GuidedUnetPlan {
  readonly input: readonly (readonly Layer[])[]
  readonly middle: readonly Layer[]
  readonly output: readonly (readonly Layer[])[]
}

export const guidedUnetPlan = (config: GuidedUnetConfig): GuidedUnetPlan => {
  const widths = config.channel_mult.map(multiple => multiple * config.model_channels)
  const attention = (channels: number, way: 'down' | 'up'): Layer => ({
    kind: 'attention',
    channels,
    heads: headsOf(config, channels, way),
  })
  const resampling = (channels: number, resample: 'down' | 'up'): Layer =>
    config.resblock_updown
      ? { kind: 'residual', inputs: channels, outputs: channels, resample }
      : { kind: 'resampling', channels, resample }

  let channels = widths[0]!
  const input: Layer[][] = [[{ kind: 'convolution', inputs: config.in_channels, outputs: channels }]]
  const skips = [channels]
  widths.forEach((outputs, level) => {
    for (let i = 0; i < config.num_res_blocks; i++) {
      input.push([{ kind: 'residual', inputs: channels, outputs }, ...(attendsAt(config, level) ? [attention(outputs, 'down')] : [])])
      channels = outputs
      skips.push(channels)
    }
    if (level === widths.length - 1) return
    input.push([resampling(channels, 'down')])
    skips.push(channels)
  })

  const same: Layer = { kind: 'residual', inputs: channels, outputs: channels }
  const middle = [same, attention(channels, 'down'), same]

  const output = [...widths.entries()].reverse().flatMap(([level, outputs]) =>
    Array.from({ length: config.num_res_blocks + 1 }, (_, i) => {
      const layers: Layer[] = [{ kind: 'residual', inputs: channels + skips.pop()!, outputs }]
      channels = outputs
      if (attendsAt(config, level)) layers.push(attention(outputs, 'up'))
      if (level > 0 && i === config.num_res_blocks) layers.push(resampling(outputs, 'up'))
      return layers
    }),
  )
  return { input, middle, output }
}

/** Every layer under the prefix of its parameters, in the order of the state dict. */
export const namedLayers = ({ input, middle, output }: GuidedUnetPlan): [name: string, layer: Layer][] => [
  ...input.flatMap((layers, block) => layers.map((layer, i): [string, Layer] => [`input_blocks.${block}.${i}`, layer])),
  ...middle.map((layer, i): [string, Layer] => [`middle_block.${i}`, layer]),
  ...output.flatMap((layers, block) => layers.map((layer, i): [string, Layer] => [`output_blocks.${block}.${i}`, layer])),
]
