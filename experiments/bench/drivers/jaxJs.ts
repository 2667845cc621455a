import { pathToFileURL } from 'node:url'
import { type Case, outputSide } from '../cases.ts'
import { fill, meanAbsolute, SEEDS } from '../fill.ts'
import { peerPath, peerVersion } from './peerModule.ts'
import { serve, type Task } from './task.ts'

/** An array of jax-js. An operation consumes the references it is given; `ref` makes one more. */
interface Array_ {
  readonly ref: Array_
  reshape(shape: readonly number[]): Array_
  transpose(axes: readonly number[]): Array_
  add(other: Array_ | number): Array_
  sub(other: Array_ | number): Array_
  mul(other: Array_ | number): Array_
  div(other: Array_ | number): Array_
  data(): Promise<Float32Array>
  dispose(): void
}
type Arrays = readonly Array_[]

/** The part of jax-js that is used. */
interface Jax {
  init(device: string): Promise<readonly string[]>
  defaultDevice(device: string): void
  blockUntilReady(arrays: Arrays): Promise<Arrays>
  jit(f: (...inputs: Array_[]) => Array_[]): (...inputs: Array_[]) => Array_[]
  vjp(f: (...inputs: Array_[]) => Array_, inputs: Arrays): [Array_, (dy: Array_) => Array_[]]
  readonly numpy: {
    array(values: Float32Array): Array_
    matmul(a: Array_, b: Array_): Array_
    mean(x: Array_, axes: readonly number[], o: { readonly keepdims: boolean }): Array_
    sqrt(x: Array_): Array_
    square(x: Array_): Array_
  }
  readonly lax: { conv(x: Array_, w: Array_, strides: readonly number[], padding: readonly (readonly number[])[]): Array_ }
  readonly nn: { relu(x: Array_): Array_; sigmoid(x: Array_): Array_; silu(x: Array_): Array_; softmax(x: Array_): Array_ }
}

const jax: Jax = await import(pathToFileURL(peerPath('@jax-js/jax/dist/index.js')).href)
const { numpy: np, nn } = jax

const array = (shape: readonly number[], seed: number, offset = 0): Array_ =>
  np
    .array(
      fill(
        shape.reduce((size, n) => size * n, 1),
        seed,
      ).map(value => value + offset),
    )
    .reshape(shape)

const taskOf = (inputs: Arrays, compute: (...inputs: Array_[]) => Array_[], { jit = true } = {}): Task => {
  const compiled = jit ? jax.jit(compute) : compute
  const outputs = async (): Promise<Array_[]> => {
    const results = compiled(...inputs.map(each => each.ref))
    await jax.blockUntilReady(results)
    return results
  }
  return {
    async run() {
      for (const each of await outputs()) each.dispose()
    },
    async checksum() {
      let sum = 0
      for (const each of await outputs()) sum += meanAbsolute(await each.data())
      return sum
    },
    release() {
      for (const each of inputs) each.dispose()
    },
  }
}

const withGradients = (inputs: Arrays, dy: Array_, f: (...inputs: Array_[]) => Array_, o?: { readonly jit: boolean }): Task =>
  taskOf(
    [...inputs, dy],
    (...all) => {
      const [value, pullback] = jax.vjp(f, all.slice(0, -1))
      return [value, ...pullback(all.at(-1)!)]
    },
    o,
  )

const convTask = (work: Case & { kind: 'conv2d' }): Task | null => {
  const { batch, channels, side, kernel, stride, pass } = work
  if (pass !== 'forward' && pass !== 'both') return null
  const out = outputSide(work)
  const inputs = [array([batch, channels, side, side], SEEDS.x), array([channels, channels, kernel, kernel], SEEDS.weight)]
  const padding = Math.floor(kernel / 2)
  const sides = [
    [padding, padding - (side % stride)],
    [padding, padding - (side % stride)],
  ]
  const convolve = (x: Array_, w: Array_): Array_ => jax.lax.conv(x, w, [stride, stride], sides)
  if (pass === 'forward') return taskOf(inputs, (x, w) => [convolve(x!, w!)])
  return withGradients(inputs, array([batch, channels, out, out], SEEDS.outputGradient), convolve)
}

/** (x - mean) / sqrt(variance + 1e-5) over the given axes. */
const standardise = (x: Array_, axes: readonly number[]): Array_ => {
  const centred = x.ref.sub(np.mean(x, axes, { keepdims: true }))
  const variance = np.mean(np.square(centred.ref), axes, { keepdims: true })
  return centred.div(np.sqrt(variance.add(1e-5)))
}

const normTask = (work: Case & { kind: 'groupNormSilu' | 'batchNormRelu' }): Task => {
  const [batch, channels] = work.shape
  const perChannel = [1, channels, 1, 1]
  const inputs = [array(work.shape, SEEDS.x), array(perChannel, SEEDS.weight, 1), array(perChannel, SEEDS.bias)]
  const dy = array(work.shape, SEEDS.outputGradient)
  if (work.kind === 'groupNormSilu') {
    return withGradients(inputs, dy, (x, weight, bias) =>
      nn.silu(
        standardise(x.reshape([batch, work.groups, -1]), [2])
          .reshape(work.shape)
          .mul(weight)
          .add(bias),
      ),
    )
  }
  const [mean, variance] = [array(perChannel, SEEDS.mean), array(perChannel, SEEDS.variance, 1)]
  const normalise = (x: Array_): Array_ => (work.train ? standardise(x, [0, 2, 3]) : x.sub(mean.ref).div(np.sqrt(variance.ref.add(1e-5))))
  return withGradients(inputs, dy, (x, weight, bias) => nn.relu(normalise(x).mul(weight).add(bias)))
}

const prepare = (work: Case): Task | null => {
  switch (work.kind) {
    case 'matmul': {
      const inputs = [SEEDS.x, SEEDS.y].map(seed => array([work.size, work.size], seed))
      return taskOf(inputs, (a, b) => [np.matmul(a!, b!)])
    }
    case 'conv2d':
      return convTask(work)
    case 'groupNormSilu':
    case 'batchNormRelu':
      return normTask(work)
    case 'attention': {
      const shape = [work.heads, work.perHead, work.positions]
      // Positions before channels, as is usual there.
      const [dy, ...inputs] = [SEEDS.outputGradient, SEEDS.x, SEEDS.y, SEEDS.z].map(seed => array(shape, seed).transpose([0, 2, 1]))
      return withGradients(inputs, dy!, (q, k, v) =>
        np.matmul(nn.softmax(np.matmul(q.mul(work.perHead ** -0.5), k.transpose([0, 2, 1]))), v),
      )
    }
    case 'chain':
      return taskOf(
        [SEEDS.x, SEEDS.y].map(seed => array(work.shape, seed)),
        (x, y) => {
          const z = x!.ref.mul(1.5).add(y!)
          return [nn.relu(nn.silu(z).sub(x!))]
        },
      )
    case 'adds': {
      const [x, y] = [SEEDS.x, SEEDS.y].map(seed => array([work.size], seed)) as [Array_, Array_]
      const add = (start: Array_): Array_ => {
        let sum = start
        for (let i = 0; i < work.count; i++) sum = sum.add(y.ref)
        return sum
      }
      // Compiled, all additions would be one kernel; what is asked for is the cost of an op.
      return withGradients([x], array([work.size], SEEDS.outputGradient), add, { jit: false })
    }
    default:
      return null
  }
}

await jax.init('wasm')
jax.defaultDevice('wasm')
await serve({ version: peerVersion('@jax-js/jax'), prepare })
