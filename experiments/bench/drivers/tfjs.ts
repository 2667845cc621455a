import { type Case, outputSide } from '../cases.ts'
import { fill, meanAbsolute, SEEDS } from '../fill.ts'
import { contestantName, peerRequire, peerVersion } from './peerModule.ts'
import { serve, type Task } from './task.ts'

/** An array of tfjs. */
interface Array_ {
  data(): Promise<Float32Array>
  dispose(): void
}
type Arrays = readonly Array_[]

/** The part of tfjs that is used. */
interface Tfjs {
  setBackend(name: string): Promise<boolean>
  tensor(values: Float32Array, shape: readonly number[]): Array_
  tidy<T>(body: () => T): T
  valueAndGrads(f: (...inputs: Array_[]) => Array_): (inputs: Arrays, dy: Array_) => { readonly value: Array_; readonly grads: Array_[] }
  add(a: Array_, b: Array_ | number): Array_
  sub(a: Array_, b: Array_ | number): Array_
  mul(a: Array_, b: Array_ | number): Array_
  div(a: Array_, b: Array_ | number): Array_
  sqrt(x: Array_): Array_
  sigmoid(x: Array_): Array_
  relu(x: Array_): Array_
  softmax(x: Array_): Array_
  mean(x: Array_, axes: readonly number[], keepDims: boolean): Array_
  square(x: Array_): Array_
  reshape(x: Array_, shape: readonly number[]): Array_
  transpose(x: Array_, axes: readonly number[]): Array_
  matMul(a: Array_, b: Array_, transposeA?: boolean, transposeB?: boolean): Array_
  conv2d(x: Array_, w: Array_, strides: number, pad: number): Array_
}

/** The whole package, since tfjs-core alone has no gradients. */
const tf: Tfjs = peerRequire('@tensorflow/tfjs')

const array = (shape: readonly number[], seed: number, offset = 0): Array_ =>
  tf.tensor(
    fill(
      shape.reduce((size, n) => size * n, 1),
      seed,
    ).map(value => value + offset),
    shape,
  )

/** Its own layout of images, channels last, and of filters. */
const channelsLast = (x: Array_): Array_ => tf.transpose(x, [0, 2, 3, 1])
const filter = (w: Array_): Array_ => tf.transpose(w, [2, 3, 1, 0])

const taskOf = (inputs: Arrays, compute: () => Arrays): Task => {
  const dispose = (arrays: Arrays): void => {
    for (const each of arrays) each.dispose()
  }
  return {
    run: () => dispose(tf.tidy(compute)),
    async checksum() {
      const outputs = tf.tidy(compute)
      let sum = 0
      for (const output of outputs) sum += meanAbsolute(await output.data())
      dispose(outputs)
      return sum
    },
    release: () => dispose(inputs),
  }
}

const withGradients = (inputs: Arrays, dy: Array_, f: (...inputs: Array_[]) => Array_): Task =>
  taskOf([...inputs, dy], () => {
    const { value, grads } = tf.valueAndGrads(f)(inputs, dy)
    return [value, ...grads]
  })

/** Its gradients come together only, so a single one cannot be timed without the others. */
const convTask = (work: Case & { kind: 'conv2d' }): Task | null => {
  const { batch, channels, side, kernel, stride, pass } = work
  if (pass !== 'forward' && pass !== 'both') return null
  const out = outputSide(work)
  const x = channelsLast(array([batch, channels, side, side], SEEDS.x))
  const w = filter(array([channels, channels, kernel, kernel], SEEDS.weight))
  const convolve = (a: Array_, b: Array_): Array_ => tf.conv2d(a, b, stride, Math.floor(kernel / 2))
  if (pass === 'forward') return taskOf([x, w], () => [convolve(x, w)])
  return withGradients([x, w], channelsLast(array([batch, channels, out, out], SEEDS.outputGradient)), convolve)
}

const groupNormTask = ({ shape, groups }: Case & { kind: 'groupNormSilu' }): Task => {
  const [batch, channels] = shape
  const perChannel = [1, channels, 1, 1]
  const inputs = [array(shape, SEEDS.x), array(perChannel, SEEDS.weight, 1), array(perChannel, SEEDS.bias)]
  return withGradients(inputs, array(shape, SEEDS.outputGradient), (x, weight, bias) => {
    const grouped = tf.reshape(x, [batch, groups, -1])
    const centred = tf.sub(grouped, tf.mean(grouped, [2], true))
    const deviation = tf.sqrt(tf.add(tf.mean(tf.square(centred), [2], true), 1e-5))
    const a = tf.add(tf.mul(tf.reshape(tf.div(centred, deviation), shape), weight), bias)
    return tf.mul(a, tf.sigmoid(a))
  })
}

const batchNormTask = ({ shape, train }: Case & { kind: 'batchNormRelu' }): Task => {
  const perChannel = [1, shape[1], 1, 1]
  const running = [array(perChannel, SEEDS.mean), array(perChannel, SEEDS.variance, 1)] as const
  const inputs = [array(shape, SEEDS.x), array(perChannel, SEEDS.weight, 1), array(perChannel, SEEDS.bias)]
  return withGradients(inputs, array(shape, SEEDS.outputGradient), (x, weight, bias) => {
    const mean = train ? tf.mean(x, [0, 2, 3], true) : running[0]
    const centred = tf.sub(x, mean)
    const variance = train ? tf.mean(tf.square(centred), [0, 2, 3], true) : running[1]
    return tf.relu(tf.add(tf.mul(tf.div(centred, tf.sqrt(tf.add(variance, 1e-5))), weight), bias))
  })
}

const addsTask = ({ count, size }: Case & { kind: 'adds' }): Task => {
  const y = array([size], SEEDS.y)
  return withGradients([array([size], SEEDS.x)], array([size], SEEDS.outputGradient), x => {
    let sum = x
    for (let i = 0; i < count; i++) sum = tf.add(sum, y)
    return sum
  })
}

const prepare = (work: Case): Task | null => {
  switch (work.kind) {
    case 'matmul': {
      const [a, b] = [SEEDS.x, SEEDS.y].map(seed => array([work.size, work.size], seed)) as [Array_, Array_]
      return taskOf([a, b], () => [tf.matMul(a, b)])
    }
    case 'conv2d':
      return convTask(work)
    case 'groupNormSilu':
      return groupNormTask(work)
    case 'batchNormRelu':
      return batchNormTask(work)
    case 'attention': {
      const shape = [work.heads, work.perHead, work.positions]
      // Positions before channels, as is usual there.
      const [dy, ...inputs] = [SEEDS.outputGradient, SEEDS.x, SEEDS.y, SEEDS.z].map(seed => tf.transpose(array(shape, seed), [0, 2, 1]))
      return withGradients(inputs, dy!, (q, k, v) => tf.matMul(tf.softmax(tf.matMul(tf.mul(q, work.perHead ** -0.5), k, false, true)), v))
    }
    case 'chain': {
      const [x, y] = [SEEDS.x, SEEDS.y].map(seed => array(work.shape, seed)) as [Array_, Array_]
      return taskOf([x, y], () => {
        const z = tf.add(tf.mul(x, 1.5), y)
        return [tf.relu(tf.sub(tf.mul(z, tf.sigmoid(z)), x))]
      })
    }
    case 'adds':
      return addsTask(work)
    default:
      return null
  }
}

const backend = contestantName.replace('tfjs-', '')
if (backend === 'wasm') peerRequire('@tensorflow/tfjs-backend-wasm')
await tf.setBackend(backend)
await serve({ version: peerVersion('@tensorflow/tfjs'), prepare })
