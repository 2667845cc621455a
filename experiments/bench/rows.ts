import { type Case, type ConvPass, cifarUnetCase, purificationCase } from './cases.ts'

/** What is held to a bar. Rates are GFLOP/s per thread; ratios are time over the peer's time; speedup is against one thread. */
export type Measure =
  | { readonly of: 'ratio'; readonly to: string }
  | { readonly of: 'rate' }
  | { readonly of: 'microseconds'; readonly per: number }
  | { readonly of: 'speedup' }

/** A bar that must hold, and a goal beyond it. Rates and speedups are to be at least, times and ratios at most these. */
export interface Requirement {
  readonly measure: Measure
  readonly bar: number
  readonly goal: number
}

export interface Row {
  readonly title: string
  readonly work: Case
  readonly requirements: readonly Requirement[]
  /** Whether `--quick` keeps it. */
  readonly quick: boolean
}

const REFERENCE = 'pytorch'

const against = (bar: number, goal: number): Requirement => ({ measure: { of: 'ratio', to: REFERENCE }, bar, goal })
const speedup: Requirement = { measure: { of: 'speedup' }, bar: 1.8, goal: 1.95 }

/** 128-bit multiply-add units of one core at the reference machine's 3.1 GHz give 49.5 GFLOP/s; the goal is 90 % of it. */
const matmulRate: Requirement = { measure: { of: 'rate' }, bar: 40, goal: 0.9 * 49.5 }
const matmulRatio: Requirement = { measure: { of: 'ratio', to: 'tfjs-wasm' }, bar: 1 / 1.7, goal: 1 / 1.7 }

interface ConvSize {
  readonly name: string
  readonly batch: number
  readonly channels: number
  readonly side: number
}

const CONV_SIZES: readonly ConvSize[] = [
  { name: 'A 8x128x32x32', batch: 8, channels: 128, side: 32 },
  { name: 'B 16x160x32x32', batch: 16, channels: 160, side: 32 },
  { name: '16x256x16x16', batch: 16, channels: 256, side: 16 },
  { name: '32x256x8x8', batch: 32, channels: 256, side: 8 },
]

const PASSES: Readonly<Record<ConvPass, string>> = {
  forward: 'forward',
  inputGradient: 'input gradient',
  weightGradient: 'weight gradient',
  both: 'fwd+bwd',
}

const convRow = ({ name, ...size }: ConvSize, kernel: 1 | 3, stride: 1 | 2, pass: ConvPass): Row => ({
  title: `conv ${kernel}x${kernel}${stride === 2 ? ' stride 2' : ''} ${name} ${PASSES[pass]}`,
  work: { kind: 'conv2d', pass, ...size, kernel, stride },
  requirements: [pass === 'both' ? against(2, 1.5) : against(0.7, 0.5), speedup],
  quick: size.batch === 8,
})

const matmulRow = (size: number): Row => ({
  title: `matmul ${size}`,
  work: { kind: 'matmul', size },
  requirements: [matmulRate, matmulRatio, speedup],
  quick: size === 512,
})

const IMAGE = [8, 128, 32, 32] as const
const ADDS = 1000

/** The table that is held to bars. */
export const rows: readonly Row[] = [
  matmulRow(512),
  matmulRow(1024),
  ...CONV_SIZES.flatMap(size => (['forward', 'inputGradient', 'weightGradient'] as const).map(pass => convRow(size, 3, 1, pass))),
  ...CONV_SIZES.map(size => convRow(size, 1, 1, 'both')),
  ...CONV_SIZES.map(size => convRow(size, 3, 2, 'both')),
  {
    title: 'GroupNorm(32) + SiLU 8x128x32x32 fwd+bwd',
    work: { kind: 'groupNormSilu', shape: IMAGE, groups: 32 },
    requirements: [against(2, 1)],
    quick: true,
  },
  ...[true, false].map(
    (train): Row => ({
      title: `BatchNorm + ReLU 8x128x32x32 ${train ? 'batch' : 'running'} statistics fwd+bwd`,
      work: { kind: 'batchNormRelu', shape: IMAGE, train },
      requirements: [against(2, 1)],
      quick: true,
    }),
  ),
  {
    title: 'attention 8 heads x 256 x 64 fwd+bwd',
    work: { kind: 'attention', heads: 8, positions: 256, perHead: 64 },
    requirements: [against(2, 1)],
    quick: true,
  },
  { title: 'elementwise chain 8x128x32x32', work: { kind: 'chain', shape: IMAGE }, requirements: [], quick: true },
  {
    title: `${ADDS} chained adds of 64 with gradient`,
    work: { kind: 'adds', count: ADDS, size: 64 },
    requirements: [{ measure: { of: 'microseconds', per: ADDS }, bar: 2, goal: 0.5 }],
    quick: true,
  },
  {
    title: 'exact gradient, 5-step DDPM + WRN-16-2, batch 8',
    work: purificationCase,
    requirements: [against(1.2, 0.7), speedup],
    quick: false,
  },
  ...(['forward', 'both'] as const).map(
    (pass): Row => ({
      title: `UNet 35.7 M, batch 1, ${PASSES[pass]}`,
      work: cifarUnetCase(pass),
      requirements: [against(1, 0.7), speedup],
      quick: false,
    }),
  ),
]
