import { linearSchedule } from '../../../algorithms/diffusion/schedule.ts'
import { createUnet2d } from '../../../algorithms/models/unet2d.ts'
import { createWideResNet } from '../../../algorithms/models/wideResNet.ts'
import { purify } from '../../../algorithms/purification/purify.ts'
import { add, constant, max, mul, sigmoid, sub } from '../../../core/expr/expr.ts'
import { dispose, grad, ops, sizeOf, startThreads, type Tensor, tensor, tidy, useBackend, vjp } from '../../../core/index.ts'
import { attention, batchNorm, meanCrossEntropy, type ParameterShapes, scope } from '../../../core/nn/index.ts'
import { givenDraws } from '../../parity/givenDraws.ts'
import { collectProvenance } from '../../support/provenance.ts'
import { type Case, outputSide, type Purification } from '../cases.ts'
import { fill, fillParameter, meanAbsolute, SEEDS, unitVariance } from '../fill.ts'
import { serve, type Task } from './task.ts'

type Arrays = readonly Tensor[]

const array = (shape: readonly number[], seed: number, { scale = 1, offset = 0 } = {}): Tensor =>
  tensor(
    fill(sizeOf(shape), seed).map(value => scale * value + offset),
    shape,
  )

const taskOf = (inputs: Arrays, compute: () => Arrays): Task => ({
  async run() {
    const outputs = compute()
    // An elementwise op may wait for its first reader, and has none here.
    for (const { backend, storage } of outputs) backend.settle?.(storage)
    const { backend, storage } = outputs.at(-1)!
    // Other threads may still compute when an op returns.
    backend.finish?.()
    // Where values come later, one of them comes after all that was asked for before.
    if (!backend.readSync) await backend.read(storage, 1)
    dispose(outputs)
  },
  async checksum() {
    const outputs = compute()
    let sum = 0
    for (const output of outputs) sum += meanAbsolute(await output.data())
    dispose(outputs)
    return sum
  },
  release: () => dispose(inputs),
})

/** f and its gradients to all inputs, for a given output gradient. */
const withGradients = (inputs: Arrays, outputShape: readonly number[], f: (inputs: Arrays) => Tensor): Task => {
  const dy = array(outputShape, SEEDS.outputGradient)
  return taskOf([...inputs, dy], () => {
    const { value, pullback } = vjp(f, inputs)
    return [value, ...pullback(dy)]
  })
}

const convTask = (work: Case & { kind: 'conv2d' }): Task => {
  const { batch, channels, side, kernel, stride, pass } = work
  const out = outputSide(work)
  const xShape = [batch, channels, side, side]
  const wShape = [channels, channels, kernel, kernel]
  const yShape = [batch, channels, out, out]
  const padding = Math.floor(kernel / 2)
  const attributes = { stride: [stride, stride], padding: [padding, padding, padding, padding], groups: 1 } as const
  if (pass === 'inputGradient') {
    const [dy, w] = [array(yShape, SEEDS.outputGradient), array(wShape, SEEDS.weight)]
    return taskOf([dy, w], () => [ops.conv2dInputGrad(dy, w, { ...attributes, inputShape: xShape })])
  }
  const x = array(xShape, SEEDS.x)
  if (pass === 'weightGradient') {
    const dy = array(yShape, SEEDS.outputGradient)
    return taskOf([x, dy], () => [ops.conv2dWeightGrad(x, dy, { ...attributes, weightShape: wShape })])
  }
  const w = array(wShape, SEEDS.weight)
  const convolve = ([a, b]: Arrays): Tensor => ops.conv2d(a!, b!, { stride, padding })
  return pass === 'forward' ? taskOf([x, w], () => [convolve([x, w])]) : withGradients([x, w], yShape, convolve)
}

const affineParameters = (channels: number): [Tensor, Tensor] => [
  array([channels], SEEDS.weight, { offset: 1 }),
  array([channels], SEEDS.bias),
]

const batchNormTask = ({ shape, train }: Case & { kind: 'batchNormRelu' }): Task => {
  const channels = shape[1]
  const running = {
    running_mean: array([channels], SEEDS.mean),
    running_var: array([channels], SEEDS.variance, { offset: 1 }),
    num_batches_tracked: tensor([0], []),
  }
  return withGradients([array(shape, SEEDS.x), ...affineParameters(channels)], shape, ([x, weight, bias]) => {
    const layer = scope({ weight: weight!, bias: bias!, ...running })
    return batchNorm(x!, layer, { train, relu: true }).output
  })
}

const chain = ops.fused((x, y) => {
  const z = add(mul(x!, constant(1.5)), y!)
  return max(sub(mul(z, sigmoid(z)), x!), constant(0))
})

const addsTask = ({ count, size }: Case & { kind: 'adds' }): Task => {
  const [x, y] = [array([size], SEEDS.x), array([size], SEEDS.y)]
  const dy = array([size], SEEDS.outputGradient)
  return taskOf([x, y, dy], () => {
    const { value, pullback } = vjp((start: Tensor) => {
      let sum = start
      for (let i = 0; i < count; i++) sum = sum.add(y)
      return sum
    }, x)
    return [value, pullback(dy)]
  })
}

const filled = (shapes: ParameterShapes, firstSeed: number): Record<string, Tensor> =>
  Object.fromEntries(
    Object.keys(shapes)
      .sort()
      .map((name, i) => [name, tensor(fillParameter(name, shapes[name]!, firstSeed + i), shapes[name]!)]),
  )

const unetTask = ({ pass, batch, config }: Case & { kind: 'unet' }): Task => {
  const unet = createUnet2d({ ...config })
  const parameters = filled(unet.parameterShapes(), SEEDS.unet)
  const shape = [batch, config.in_channels, 32, 32]
  const x = array(shape, SEEDS.x)
  const names = Object.keys(parameters)
  const t = new Array<number>(batch).fill(500)
  if (pass === 'forward') return taskOf([x, ...Object.values(parameters)], () => [tidy(() => unet.apply(parameters, x, t))])
  return withGradients(Object.values(parameters), shape, values =>
    unet.apply(Object.fromEntries(names.map((name, i) => [name, values[i]!])), x, t),
  )
}

const purificationTask = ({ batch, config, intervals, depth, widenFactor }: Purification): Task => {
  const unet = createUnet2d({ ...config })
  const wrn = createWideResNet({ implementation: 'wrn', depth, widenFactor })
  const parameters = filled(unet.parameterShapes(), SEEDS.unet)
  const classifier = filled({ ...wrn.parameterShapes(), ...wrn.bufferShapes() }, SEEDS.classifier)
  const shape = [batch, config.in_channels, 32, 32]
  const x = array(shape, SEEDS.x, { offset: 0.5 })
  const noise = [SEEDS.forward, ...intervals.map((_, step) => SEEDS.reverse + step)].map(seed =>
    fill(sizeOf(shape), seed).map(value => unitVariance * value),
  )
  const draws = givenDraws(batch, ({ source, diffusionStep }) => (source === 'forward' ? noise[0] : noise[1 + diffusionStep]))
  const purifier = {
    epsilonTheta: (xT: Tensor, t: readonly number[]) => unet.apply(parameters, xT, t),
    schedule: linearSchedule(),
    intervals,
    reverse: { kind: 'ddpm', variance: 'fixedLarge' },
    checkpointing: true,
  } as const
  const labels = Array.from({ length: batch }, (_, i) => i)
  const gradient = grad((images: Tensor) => meanCrossEntropy(wrn.apply(classifier, purify(purifier, images, draws)).logits, labels))
  return taskOf([x, ...Object.values(parameters), ...Object.values(classifier)], () => [gradient(x)])
}

const prepare = (work: Case): Task => {
  switch (work.kind) {
    case 'matmul': {
      const [a, b] = [array([work.size, work.size], SEEDS.x), array([work.size, work.size], SEEDS.y)]
      return taskOf([a, b], () => [a.matmul(b)])
    }
    case 'conv2d':
      return convTask(work)
    case 'groupNormSilu':
      return withGradients([array(work.shape, SEEDS.x), ...affineParameters(work.shape[1])], work.shape, ([x, weight, bias]) =>
        ops.groupNorm(x!, weight!, bias!, { groups: work.groups, silu: true }),
      )
    case 'batchNormRelu':
      return batchNormTask(work)
    case 'attention': {
      const shape = [1, work.heads * work.perHead, work.positions]
      const inputs = [SEEDS.x, SEEDS.y, SEEDS.z].map(seed => array(shape, seed))
      return withGradients(inputs, shape, ([q, k, v]) => attention(q!, k!, v!, { heads: work.heads }))
    }
    case 'chain': {
      const [x, y] = [array(work.shape, SEEDS.x), array(work.shape, SEEDS.y)]
      return taskOf([x, y], () => [chain(x, y)])
    }
    case 'adds':
      return addsTask(work)
    case 'unet':
      return unetTask(work)
    case 'purification':
      return purificationTask(work)
  }
}

const backend = process.env.BENCH_BACKEND ?? 'cpu'
await useBackend(backend as Parameters<typeof useBackend>[0])
await startThreads()
await serve({ version: collectProvenance({ seed: 0, backend }).git?.commit.slice(0, 7) ?? 'unknown', prepare })
