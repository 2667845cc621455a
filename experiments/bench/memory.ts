import { linearSchedule } from '../../algorithms/diffusion/schedule.ts'
import { type Unet2dConfig, unet2dConfig } from '../../algorithms/models/unet2d/config.ts'
import { createUnet2d, UNET2D_PRESETS } from '../../algorithms/models/unet2d.ts'
import { purify } from '../../algorithms/purification/purify.ts'
import { paperTimesteps } from '../../algorithms/purification/timesteps.ts'
import { createDraws } from '../../algorithms/randomness/draws.ts'
import { dispose, full, grad, type Tensor, useBackend } from '../../core/index.ts'
import { countParameters } from '../../core/nn/index.ts'
import { key } from '../../core/random/key.ts'
import { grid } from '../report/grid.ts'

/** What a machine of 4 GiB can spare. */
const barBytes = 3 * 2 ** 30

/** Of a CIFAR-10 image. */
const side = 32

/** Memory of the exact gradient through a purifier, for each number of its reverse steps. */
export interface MemoryResults {
  readonly parameters: number
  readonly rows: readonly { readonly steps: number; readonly bytesPeak: number }[]
}

export interface MemoryOptions {
  readonly backend: string
  /** Numbers of reverse steps, at most 1,000 each. */
  readonly steps: readonly number[]
  /** Default: the network of `google/ddpm-cifar10-32`. */
  readonly config?: Unet2dConfig
  readonly onSteps?: (steps: number) => void
}

/**
 * The most bytes that a backend held at one time for the exact gradient to one image through DDPM purification with
 * `checkpointing`, parameters included. Values do not matter: fresh parameters, a grey image. The mark of a backend never falls,
 * so numbers of steps are taken in rising order, and a backend that has done other work shows that work's.
 */
export const measureMemory = async ({ steps, ...o }: MemoryOptions): Promise<MemoryResults> => {
  const backend = await useBackend(o.backend)
  const config = o.config ?? unet2dConfig(UNET2D_PRESETS['google/ddpm-cifar10-32'])
  const network = createUnet2d({ ...config })
  const parameters = network.init(key(0))
  const x = full([1, config.in_channels, side, side], 0.5)
  const draws = createDraws({ seed: 0, images: [0] })
  const purified = (count: number) => (image: Tensor) =>
    purify(
      {
        epsilonTheta: (xT, t) => network.apply(parameters, xT, t),
        schedule: linearSchedule(),
        intervals: paperTimesteps({ tStar: count / 1000, steps: count }),
        reverse: { kind: 'ddpm', variance: 'fixedLarge' },
        checkpointing: true,
      },
      image,
      draws,
    ).sum()
  const rows: { steps: number; bytesPeak: number }[] = []
  for (const count of [...new Set(steps)].sort((a, b) => a - b)) {
    const gradient = grad(purified(count))(x)
    await gradient.data()
    gradient.dispose()
    rows.push({ steps: count, bytesPeak: backend.memory().bytesPeak })
    o.onSteps?.(count)
  }
  dispose([parameters, x])
  return { parameters: countParameters(network.parameterShapes()), rows }
}

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`

/** The table of `bench --memory`, and what each further step costs. */
export const formatMemory = ({ parameters, rows }: MemoryResults): string => {
  const [first, last] = [rows[0]!, rows.at(-1)!]
  const perStep = (last.bytesPeak - first.bytesPeak) / (last.steps - first.steps)
  return [
    `exact gradient to one image through DDPM purification with checkpointing, UNet of ${(parameters / 1e6).toFixed(1)} M parameters\n`,
    grid([
      ['reverse steps', 'at most live', 'bar: 3 GiB'],
      ...rows.map(({ steps, bytesPeak }) => [String(steps), mebibytes(bytesPeak), bytesPeak <= barBytes ? '✔ bar' : '✘ miss']),
    ]),
    rows.length > 1 ? `each further step takes ${(perStep / 1024).toFixed(1)} KiB more\n` : '',
  ].join('')
}
