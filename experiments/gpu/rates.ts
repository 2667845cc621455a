import { type Backend, ops, type Tensor, tensor, tidy } from '../../core/index.ts'
import { uniform } from '../../core/random/distributions.ts'
import { foldIn, key } from '../../core/random/key.ts'

export interface Rate {
  readonly name: string
  /** Median time of one call with its result read back. */
  readonly milliseconds: number
  readonly perSecond: number
  readonly unit: 'GFLOP/s' | 'M elements/s'
}

export interface RateSizes {
  /** Rows and columns of the square matrices. */
  readonly gemm: number
  /** Image [batch, channels, side, side], convolved 3x3 to as many channels. */
  readonly conv: readonly [batch: number, channels: number, side: number]
  readonly chain: number
}

/** Small enough for the slowest mode: about a second for all of it. */
const defaultSizes: RateSizes = { gemm: 256, conv: [4, 32, 16], chain: 2 ** 18 }

const repeats = 3

const random = (name: string, shape: readonly number[], backend: Backend): Tensor => {
  const size = shape.reduce((product, n) => product * n, 1)
  return tensor(
    uniform(foldIn(key(0), name), size).map(u => u - 0.5),
    shape,
    { backend },
  )
}

/** Median milliseconds of a call, the first one (which compiles) left out. */
const time = async (call: () => Tensor): Promise<number> => {
  const times: number[] = []
  for (let i = 0; i <= repeats; i++) {
    const start = performance.now()
    const result = tidy(call)
    await result.data()
    times.push(performance.now() - start)
    result.dispose()
  }
  return times.slice(1).sort((a, b) => a - b)[Math.floor(repeats / 2)]!
}

/** How fast a backend multiplies matrices, convolves, and runs a chain of elementwise ops (silu(x y + x) - y, four ops). */
export const measureRates = async (backend: Backend, sizes: RateSizes = defaultSizes): Promise<Rate[]> => {
  const { gemm: n, conv, chain } = sizes
  const [batch, channels, side] = conv
  const a = random('a', [n, n], backend)
  const b = random('b', [n, n], backend)
  const image = random('image', [batch, channels, side, side], backend)
  const weight = random('weight', [channels, channels, 3, 3], backend)
  const x = random('x', [chain], backend)
  const y = random('y', [chain], backend)
  const gemmTime = await time(() => a.matmul(b))
  const convTime = await time(() => ops.conv2d(image, weight, { padding: 1 }))
  const chainTime = await time(() => ops.silu(x.mul(y).add(x)).sub(y))
  for (const each of [a, b, image, weight, x, y]) each.dispose()
  const convFlops = 2 * 9 * channels * channels * batch * side * side
  return [
    { name: `gemm ${n}`, milliseconds: gemmTime, perSecond: (2 * n ** 3) / gemmTime / 1e6, unit: 'GFLOP/s' },
    {
      name: `conv 3x3 ${channels}->${channels}, ${batch}x${side}x${side}`,
      milliseconds: convTime,
      perSecond: convFlops / convTime / 1e6,
      unit: 'GFLOP/s',
    },
    { name: `4 elementwise ops of ${chain}`, milliseconds: chainTime, perSecond: (4 * chain) / chainTime / 1e3, unit: 'M elements/s' },
  ]
}
