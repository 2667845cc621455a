import type { GuidedUnetConfig } from '../../algorithms/models/guidedUnet.ts'
import {
  attend,
  concat,
  conv,
  enlarged,
  fullyConnected,
  groupNorm,
  type Image,
  layerOf,
  map,
  shrunk,
  silu,
  siluOf,
  sum,
  type Values,
} from './plainLayers.ts'

/**
 * The guided-diffusion UNet with two levels of 32 and 64 channels, one residual block each, attention on the second, layer
 * by layer as its state dict lists them, in loops.
 */
export const plainGuidedUnet = (image: Image, t: number, { values, config }: { values: Values; config: GuidedUnetConfig }): Image => {
  const layer = (name: string) => layerOf(values, name)
  const norm = (h: Image, name: string): Image => groupNorm(h, layer(name), { groups: 32, epsilon: 1e-5 })

  const frequencies = Array.from({ length: 16 }, (_, i) => 10000 ** (-i / 16))
  const raw = [...frequencies.map(f => Math.cos(t * f)), ...frequencies.map(f => Math.sin(t * f))]
  const time = siluOf(fullyConnected(siluOf(fullyConnected(raw, layer('time_embed.0'))), layer('time_embed.2')))

  const residual = (x: Image, name: string, resample: (h: Image) => Image = h => h): Image => {
    const h = conv(resample(silu(norm(x, `${name}.in_layers.0`))), layer(`${name}.in_layers.2`), { kernel: 3 })
    const e = fullyConnected(time, layer(`${name}.emb_layers.1`))
    const conditioned = config.use_scale_shift_norm
      ? map(norm(h, `${name}.out_layers.0`), (value, c) => value * (1 + e[c]!) + e[h.length + c]!)
      : norm(
          map(h, (value, c) => value + e[c]!),
          `${name}.out_layers.0`,
        )
    const straight = resample(x)
    const shortcut = x.length === h.length ? straight : conv(straight, layer(`${name}.skip_connection`), { kernel: 1 })
    return sum(shortcut, conv(silu(conditioned), layer(`${name}.out_layers.3`), { kernel: 3 }))
  }

  const attention = (x: Image, name: string): Image => {
    const perHead = config.num_head_channels
    const mixed = conv(norm(x, `${name}.norm`), layer(`${name}.qkv`), { kernel: 1 })
    const part = (index: number): Image =>
      x.map((_, c) => {
        const byHead = 3 * perHead * Math.floor(c / perHead) + index * perHead + (c % perHead)
        return mixed[config.use_new_attention_order ? index * x.length + c : byHead]!
      })
    return sum(x, conv(attend(part(0), part(1), part(2), x.length / perHead), layer(`${name}.proj_out`), { kernel: 1 }))
  }

  const down = (x: Image, name: string): Image => {
    if (config.resblock_updown) return residual(x, name, shrunk)
    return config.conv_resample ? conv(x, layer(`${name}.op`), { kernel: 3, stride: 2 }) : shrunk(x)
  }
  const up = (x: Image, name: string): Image => {
    if (config.resblock_updown) return residual(x, name, enlarged)
    return config.conv_resample ? conv(enlarged(x), layer(`${name}.conv`), { kernel: 3 }) : enlarged(x)
  }

  const in0 = conv(image, layer('input_blocks.0.0'), { kernel: 3 })
  const in1 = residual(in0, 'input_blocks.1.0')
  const in2 = down(in1, 'input_blocks.2.0')
  const in3 = attention(residual(in2, 'input_blocks.3.0'), 'input_blocks.3.1')
  const middle = residual(attention(residual(in3, 'middle_block.0'), 'middle_block.1'), 'middle_block.2')
  const out0 = attention(residual(concat(middle, in3), 'output_blocks.0.0'), 'output_blocks.0.1')
  const out1 = up(attention(residual(concat(out0, in2), 'output_blocks.1.0'), 'output_blocks.1.1'), 'output_blocks.1.2')
  const out3 = residual(concat(residual(concat(out1, in1), 'output_blocks.2.0'), in0), 'output_blocks.3.0')
  return conv(silu(norm(out3, 'out.0')), layer('out.2'), { kernel: 3 })
}
