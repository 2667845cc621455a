import { ops, ShapeError, type Tensor, tensor, tidy } from '../../core/index.ts'
import { initialise, maxPool2d, normalWith, normShapes, type ParameterShapes, resizeBilinear, runningShapes } from '../../core/nn/index.ts'
import type { Key } from '../../core/random/key.ts'
import { type ForwardPass, forwardPass } from './forwardPass.ts'
import type { Parameters } from './types.ts'

/** A convolution without bias, its normalisation and relu: name, input and output channels, kernel, stride, padding. */
interface Convolution {
  readonly name: string
  readonly inputs: number
  readonly outputs: number
  readonly kernel: readonly [height: number, width: number]
  readonly stride?: number
  readonly padding?: readonly [vertical: number, horizontal: number]
}

/** Part of a block: convolutions one after another on the block's input, or on a 3x3 mean or maximum of it. */
interface Branch {
  readonly pool?: 'mean' | 'max' | 'maxStride2'
  readonly layers: readonly Convolution[]
  /** Convolutions side by side on what the layers give, joined. */
  readonly split?: readonly Convolution[]
}

type Kernel = readonly [number, number]
const square = (side: number): Kernel => [side, side]

/** The layers of one branch, each taking the channels that the one before it gives. */
const chain = (
  block: string,
  inputs: number,
  layers: readonly (readonly [name: string, outputs: number, kernel: Kernel, options?: Pick<Convolution, 'stride' | 'padding'>])[],
): Convolution[] =>
  layers.map(([name, outputs, kernel, options], i) => ({
    name: `${block}.${name}`,
    inputs: i === 0 ? inputs : layers[i - 1]![1],
    outputs,
    kernel,
    padding: [Math.floor(kernel[0] / 2), Math.floor(kernel[1] / 2)],
    ...options,
  }))

const unpadded = { padding: [0, 0] } as const
const halving = { stride: 2, padding: [0, 0] } as const

const blockA = (block: string, inputs: number, pooled: number): Branch[] => [
  { layers: chain(block, inputs, [['branch1x1', 64, square(1)]]) },
  {
    layers: chain(block, inputs, [
      ['branch5x5_1', 48, square(1)],
      ['branch5x5_2', 64, square(5)],
    ]),
  },
  {
    layers: chain(block, inputs, [
      ['branch3x3dbl_1', 64, square(1)],
      ['branch3x3dbl_2', 96, square(3)],
      ['branch3x3dbl_3', 96, square(3)],
    ]),
  },
  { pool: 'mean', layers: chain(block, inputs, [['branch_pool', pooled, square(1)]]) },
]

const blockB = (block: string, inputs: number): Branch[] => [
  { layers: chain(block, inputs, [['branch3x3', 384, square(3), halving]]) },
  {
    layers: chain(block, inputs, [
      ['branch3x3dbl_1', 64, square(1)],
      ['branch3x3dbl_2', 96, square(3)],
      ['branch3x3dbl_3', 96, square(3), halving],
    ]),
  },
  { pool: 'maxStride2', layers: [] },
]

const row: Kernel = [1, 7]
const column: Kernel = [7, 1]

const blockC = (block: string, inputs: number, inner: number): Branch[] => [
  { layers: chain(block, inputs, [['branch1x1', 192, square(1)]]) },
  {
    layers: chain(block, inputs, [
      ['branch7x7_1', inner, square(1)],
      ['branch7x7_2', inner, row],
      ['branch7x7_3', 192, column],
    ]),
  },
  {
    layers: chain(block, inputs, [
      ['branch7x7dbl_1', inner, square(1)],
      ['branch7x7dbl_2', inner, column],
      ['branch7x7dbl_3', inner, row],
      ['branch7x7dbl_4', inner, column],
      ['branch7x7dbl_5', 192, row],
    ]),
  },
  { pool: 'mean', layers: chain(block, inputs, [['branch_pool', 192, square(1)]]) },
]

const blockD = (block: string, inputs: number): Branch[] => [
  {
    layers: chain(block, inputs, [
      ['branch3x3_1', 192, square(1)],
      ['branch3x3_2', 320, square(3), halving],
    ]),
  },
  {
    layers: chain(block, inputs, [
      ['branch7x7x3_1', 192, square(1)],
      ['branch7x7x3_2', 192, row],
      ['branch7x7x3_3', 192, column],
      ['branch7x7x3_4', 192, square(3), halving],
    ]),
  },
  { pool: 'maxStride2', layers: [] },
]

const blockE = (block: string, inputs: number, pool: 'mean' | 'max'): Branch[] => {
  const split = (name: string): Convolution[] => [
    ...chain(block, 384, [[`${name}a`, 384, [1, 3]]]),
    ...chain(block, 384, [[`${name}b`, 384, [3, 1]]]),
  ]
  return [
    { layers: chain(block, inputs, [['branch1x1', 320, square(1)]]) },
    { layers: chain(block, inputs, [['branch3x3_1', 384, square(1)]]), split: split('branch3x3_2') },
    {
      layers: chain(block, inputs, [
        ['branch3x3dbl_1', 448, square(1)],
        ['branch3x3dbl_2', 384, square(3)],
      ]),
      split: split('branch3x3dbl_3'),
    },
    { pool, layers: chain(block, inputs, [['branch_pool', 192, square(1)]]) },
  ]
}

const stem = (name: string, inputs: number, outputs: number, side: number, o: Pick<Convolution, 'stride' | 'padding'>): Branch[] => [
  { layers: chain(name, inputs, [['', outputs, square(side), o]]).map(layer => ({ ...layer, name })) },
]

/** Blocks in order; the last two of the stem's maxima stand between. */
const blocks: readonly (readonly Branch[])[] = [
  stem('Conv2d_1a_3x3', 3, 32, 3, halving),
  stem('Conv2d_2a_3x3', 32, 32, 3, unpadded),
  stem('Conv2d_2b_3x3', 32, 64, 3, {}),
  [{ pool: 'maxStride2', layers: [] }],
  stem('Conv2d_3b_1x1', 64, 80, 1, unpadded),
  stem('Conv2d_4a_3x3', 80, 192, 3, unpadded),
  [{ pool: 'maxStride2', layers: [] }],
  blockA('Mixed_5b', 192, 32),
  blockA('Mixed_5c', 256, 64),
  blockA('Mixed_5d', 288, 64),
  blockB('Mixed_6a', 288),
  blockC('Mixed_6b', 768, 128),
  blockC('Mixed_6c', 768, 160),
  blockC('Mixed_6d', 768, 160),
  blockC('Mixed_6e', 768, 192),
  blockD('Mixed_7a', 768),
  blockE('Mixed_7b', 1280, 'mean'),
  blockE('Mixed_7c', 2048, 'max'),
]

const layersOf = ({ layers, split = [] }: Branch): readonly Convolution[] => [...layers, ...split]
const convolutions = blocks.flat().flatMap(layersOf)

/** Sides of the images the network sees, and features it gives. */
const side = 299
export const inceptionFeatures = 2048

/** Mean of each 3x3 window, of the pixels that are inside the image only. */
const mean3x3 = (x: Tensor): Tensor => {
  const [batch, channels, height, width] = x.shape as [number, number, number, number]
  const window = tensor(new Float64Array(9).fill(1), [1, 1, 3, 3], { backend: x.backend })
  const sums = ops.conv2d(x.reshape([batch * channels, 1, height, width]), window, { padding: 1 }).reshape(x.shape)
  const inside = (i: number, length: number): number => Math.min(i + 1, length - 1) - Math.max(i - 1, 0) + 1
  const share = Float64Array.from(
    { length: height * width },
    (_, i) => 1 / (inside(Math.floor(i / width), height) * inside(i % width, width)),
  )
  return sums.mul(tensor(share, [1, 1, height, width], { backend: x.backend }))
}

/** The network without its parameters. */
export interface InceptionV3 {
  /** What is trained, and running statistics, under the names of the origin's state dict. */
  parameterShapes(): ParameterShapes
  bufferShapes(): ParameterShapes
  /** Fresh parameters: normal within the spread of Glorot's; only for tests, since features need the trained ones. */
  init(key: Key): Parameters
  /** [batch, 2048] pooled features of images [batch, 3, height, width] with pixels in [0,1], brought to 299 x 299. */
  apply(params: Parameters, images: Tensor): Tensor
}

/**
 * InceptionV3 (Szegedy et al. 2016) up to its pooled features, in the form whose weights FID is reported with (pytorch-fid's
 * `FIDInceptionV3`): means leave pixels outside the image out, and the last block pools by the maximum. Names are
 * torchvision's without `AuxLogits` and `fc`; 21,785,568 parameters. Images are resampled bilinearly and scaled to [-1,1].
 *
 * Throws ShapeError on images that have not three channels.
 * Deviations: evaluation only.
 */
export const createInceptionV3 = (): InceptionV3 => {
  const shapes: ParameterShapes = Object.assign(
    {},
    ...convolutions.flatMap(({ name, inputs, outputs, kernel }) => [
      { [`${name}.conv.weight`]: [outputs, inputs, ...kernel] },
      normShapes(`${name}.bn`, outputs),
    ]),
  )
  const buffers: ParameterShapes = Object.assign({}, ...convolutions.map(({ name, outputs }) => runningShapes(`${name}.bn`, outputs)))

  const convolve = (pass: ForwardPass, x: Tensor, { name, stride = 1, padding = [0, 0] }: Convolution): Tensor => {
    const [vertical, horizontal] = padding
    const y = pass.conv2d(x, `${name}.conv`, { stride, padding: [vertical, vertical, horizontal, horizontal] })
    return pass.batchNorm(y, `${name}.bn`, { relu: true, epsilon: 1e-3 })
  }
  const pooled = (x: Tensor, pool: Branch['pool']): Tensor => {
    if (pool === 'mean') return mean3x3(x)
    if (pool === 'max') return maxPool2d(x, { size: 3, stride: 1, padding: 1 })
    return pool === 'maxStride2' ? maxPool2d(x, { size: 3, stride: 2 }) : x
  }
  const branch = (pass: ForwardPass, x: Tensor, { pool, layers, split }: Branch): Tensor[] => {
    const y = layers.reduce((h, layer) => convolve(pass, h, layer), pooled(x, pool))
    return split ? split.map(layer => convolve(pass, y, layer)) : [y]
  }

  return {
    parameterShapes: () => shapes,
    bufferShapes: () => buffers,
    init: key =>
      initialise(key, { ...shapes, ...buffers }, (_, shape) =>
        shape.length === 4 ? normalWith(Math.sqrt(2 / (shape[1]! * shape[2]! * shape[3]!))) : undefined,
      ),
    apply(params, images) {
      if (images.rank !== 4 || images.shape[1] !== 3)
        throw new ShapeError(`inceptionV3: images must be [batch,3,height,width], got [${images.shape}]; repeat grey ones three times`)
      return tidy(() => {
        const pass = forwardPass(params, {})
        const x = resizeBilinear(images, [side, side]).mul(2).sub(1)
        const last = blocks.reduce(
          (h, block) =>
            pass.block(() => {
              const outputs = block.flatMap(part => branch(pass, h, part))
              return outputs.length === 1 ? outputs[0]! : ops.concat(outputs, 1)
            }),
          x,
        )
        return last.mean([2, 3])
      })
    },
  }
}
