import { type Backend, ops, sizeOf, type Tensor, tensor, tidy } from '../../core/index.ts'
import { uniform } from '../../core/random/distributions.ts'
import { foldIn, key } from '../../core/random/key.ts'

export interface Rate {
  readonly name: string
  /** Median time of one call, one value of its result read back. */
  readonly milliseconds: number
  readonly perSecond: number
  readonly unit: 'GFLOP/s' | 'GB/s' | 'M elements/s'
}

/** One thing to time: a call on tensors that are made before, and how much of the unit it does. */
export interface Task {
  readonly name: string
  readonly inputs: readonly (readonly number[])[]
  readonly call: (inputs: readonly Tensor[]) => Tensor
  /** Floating-point operations, bytes or elements. */
  readonly work: number
  readonly unit: Rate['unit']
}

const perUnit: Readonly<Record<Rate['unit'], number>> = { 'GFLOP/s': 1e9, 'GB/s': 1e9, 'M elements/s': 1e6 }

/** [m, n] times [n, n]. */
export const gemm = (n: number, m = n): Task => ({
  name: m === n ? `gemm ${n}` : `gemm ${m}x${n} by ${n}`,
  inputs: [
    [m, n],
    [n, n],
  ],
  call: ([a, b]) => a!.matmul(b!),
  work: 2 * m * n ** 2,
  unit: 'GFLOP/s',
})

/** A 3x3 convolution to as many channels. */
export const conv = (batch: number, channels: number, side: number): Task => ({
  name: `conv 3x3 ${channels}->${channels}, ${batch}x${side}x${side}`,
  inputs: [
    [batch, channels, side, side],
    [channels, channels, 3, 3],
  ],
  call: ([x, w]) => ops.conv2d(x!, w!, { padding: 1 }),
  work: 2 * 9 * channels * channels * batch * side * side,
  unit: 'GFLOP/s',
})

/** GroupNorm + SiLU in one op. */
export const norm = (batch: number, channels: number, side: number): Task => ({
  name: `groupNorm + silu ${batch}x${channels}x${side}x${side}`,
  inputs: [[batch, channels, side, side], [channels], [channels]],
  call: ([x, weight, bias]) => ops.groupNorm(x!, weight!, bias!, { groups: Math.min(32, channels), silu: true }),
  work: batch * channels * side * side,
  unit: 'M elements/s',
})

/** silu(x y + x) - y: four ops, each over all elements. */
export const chain = (n: number): Task => ({
  name: `4 elementwise ops of ${n}`,
  inputs: [[n], [n]],
  call: ([x, y]) => ops.silu(x!.mul(y!).add(x!)).sub(y!),
  work: 4 * n,
  unit: 'M elements/s',
})

/** Reads and writes every element once. */
export const copy = (n: number): Task => ({
  name: `memory, negate ${n}`,
  inputs: [[n]],
  call: ([x]) => x!.neg(),
  work: 8 * n,
  unit: 'GB/s',
})

const repeats = 3

/** Milliseconds until one value of the result is read. */
export const elapsed = async (call: () => Tensor): Promise<number> => {
  const start = performance.now()
  const first = tidy(() => call().reshape([-1]).slice([0], [1]))
  await first.data()
  first.dispose()
  return performance.now() - start
}

/** Uniform values in [-1/2, 1/2). */
export const makeInputs = ({ inputs }: Task, backend: Backend): Tensor[] =>
  inputs.map((shape, i) => {
    const values = uniform(foldIn(key(0), i), sizeOf(shape)).map(u => u - 0.5)
    return tensor(values, shape, { backend })
  })

/** Median of some calls after one that compiles. */
export const measure = async (task: Task, backend: Backend): Promise<Rate> => {
  const { name, call, work, unit } = task
  const tensors = makeInputs(task, backend)
  const times: number[] = []
  for (let i = 0; i <= repeats; i++) times.push(await elapsed(() => call(tensors)))
  for (const each of tensors) each.dispose()
  const milliseconds = times.slice(1).sort((a, b) => a - b)[Math.floor(repeats / 2)]!
  return { name, milliseconds, perSecond: work / (milliseconds / 1000) / perUnit[unit], unit }
}

/** Products and convolutions of three sizes, smallest first, which tiles are measured on, too. */
export const gemms: readonly Task[] = [gemm(256), gemm(1024), gemm(4096)]
export const convolutions: readonly Task[] = [conv(4, 32, 16), conv(16, 128, 32), conv(64, 256, 32)]

/** Series of the same task, smallest first. */
export const series: readonly (readonly Task[])[] = [
  gemms,
  convolutions,
  [norm(4, 32, 16), norm(64, 256, 32)],
  [chain(2 ** 18), chain(2 ** 24)],
  [copy(2 ** 18), copy(2 ** 24)],
]

/** A larger size is tried only if by its work it takes less than this: a quarter of a second a call. */
export const patience = 250

/** How fast a backend is at each task, at the largest size that does not take long. */
export const measureRates = async (backend: Backend): Promise<Rate[]> => {
  const rates: Rate[] = []
  for (const tasks of series) {
    let best: Rate | undefined
    for (const [i, task] of tasks.entries()) {
      if (best && (best.milliseconds * task.work) / tasks[i - 1]!.work > patience) break
      best = await measure(task, backend)
    }
    rates.push(best!)
  }
  return rates
}
