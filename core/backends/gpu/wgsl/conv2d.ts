import type { Conv2dAttributes } from '../../../ops/conv2d.ts'
import type { Conv2dInputGradAttributes } from '../../../ops/conv2dInputGrad.ts'
import type { Conv2dWeightGradAttributes } from '../../../ops/conv2dWeightGrad.ts'
import { type Shape, sizeOf } from '../../../shape.ts'
import { type HalfRange, wholeRange } from './halfRange.ts'
import { tiledProduct } from './tiledProduct.ts'
import type { WgslKernel } from './wgslKernel.ts'

/** Statements that take apart what channel and tap of the kernel `index` is: `let <channel>`, `ky`, `kx`. */
const splitTaps = (index: string, channel: string): string =>
  `let ${channel} = ${index} / (dim.kh * dim.kw); let ky = ${index} / dim.kw % dim.kh; let kx = ${index} % dim.kw;`

/** Statements that take apart what image, row and column `index` is: `let b`, `<prefix>y`, `<prefix>x`. */
const splitPositions = (index: string, prefix: 'i' | 'o', [height, width]: readonly [string, string]): string =>
  `let b = ${index} / (${height} * ${width}); let ${prefix}y = ${index} / ${width} % ${height}; let ${prefix}x = ${index} % ${width};`

/** All that the shaders know of shapes and attributes, so that there is one pipeline for all of them. */
const sizesOf = (x: Shape, w: Shape, y: Shape, { stride, padding }: Conv2dAttributes) => ({
  channels: x[1]!,
  height: x[2]!,
  width: x[3]!,
  perGroup: w[1]!,
  kh: w[2]!,
  kw: w[3]!,
  outChannels: y[1]!,
  outHeight: y[2]!,
  outWidth: y[3]!,
  strideY: stride[0]!,
  strideX: stride[1]!,
  top: padding[0]!,
  leftmost: padding[2]!,
})

const image = ['dim.height', 'dim.width'] as const
const result = ['dim.outHeight', 'dim.outWidth'] as const
const area = result.join(' * ')

/** Each image is scaled to half precision by itself: one that the classifier is sure of has far smaller gradients than its neighbours. */
const perImage = (input: number, [images, ...rest]: Shape, positions: string): HalfRange => {
  const length = sizeOf(rest)
  return { input, kept: [images!], strides: [length], length, step: 1, set: `n / (${positions})` }
}

/** The image element under a tap of the kernel at an output position; zero in the padding. Needs `b, channel, ky, kx, oy, ox`. */
const tapped = `let iy = i32(oy * dim.strideY + ky) - i32(dim.top);
  let ix = i32(ox * dim.strideX + kx) - i32(dim.leftmost);
  if (iy < 0 || iy >= i32(dim.height) || ix < 0 || ix >= i32(dim.width)) { return 0.0; }
  return x0[((b * dim.channels + channel) * dim.height + u32(iy)) * dim.width + u32(ix)];`

/**
 * The convolution as a product without an image of patches in memory: rows are output channels, columns are positions of all
 * images, and the sum runs over input channels and taps. Groups are the batches.
 */
export const conv2d: WgslKernel<Conv2dAttributes> = (device, [x, w, bias], output, attributes) => {
  const { groups } = attributes
  const [, perGroup, kh, kw] = w!.shape as [number, number, number, number]
  const weight = '(batch * dim.m + m) * dim.k + k'
  const product = {
    convolution: 'conv2d' as const,
    batches: groups,
    m: output[1]! / groups,
    n: output[0]! * output[2]! * output[3]!,
    k: perGroup * kh * kw,
    sizes: sizesOf(x!.shape, w!.shape, output, attributes),
    left: `return x1[${weight}];`,
    leftVector: { input: 1, place: weight },
    right: `${splitTaps('k', 'c')} ${splitPositions('n', 'o', result)}
  let channel = batch * dim.perGroup + c;
  ${tapped}`,
    leftAlongK: true,
    rightAlongK: false,
    leftRange: wholeRange(1, sizeOf(w!.shape)),
    rightRange: perImage(0, x!.shape, area),
    place: `let positions = dim.outHeight * dim.outWidth;
  return (n / positions * dim.outChannels + batch * dim.m + m) * positions + n % positions;`,
    ...(bias && { bias: 'x2[batch * dim.m + m]' }),
  }
  return tiledProduct(
    device,
    product,
    [x, w, bias].flatMap(array => (array ? [array.values] : [])),
  )
}

/** Rows are input channels, columns are pixels of all images, and the sum runs over output channels and taps. */
export const conv2dInputGrad: WgslKernel<Conv2dInputGradAttributes> = (device, [dy, w], output, attributes) => {
  const { groups } = attributes
  const [, rows, kh, kw] = w!.shape as [number, number, number, number]
  const perGroup = dy!.shape[1]! / groups
  const product = {
    convolution: 'conv2dInputGrad' as const,
    batches: groups,
    m: rows,
    n: output[0]! * output[2]! * output[3]!,
    k: perGroup * kh * kw,
    sizes: { ...sizesOf(output, w!.shape, dy!.shape, attributes), outPerGroup: perGroup },
    left: `let taps = dim.kh * dim.kw;
  return x1[((batch * dim.outPerGroup + k / taps) * dim.m + m) * taps + k % taps];`,
    // A remainder means that no output position reaches this pixel through this tap.
    right: `${splitTaps('k', 'o')} ${splitPositions('n', 'i', image)}
  let y = i32(iy + dim.top) - i32(ky);
  let x = i32(ix + dim.leftmost) - i32(kx);
  if (y < 0 || x < 0 || u32(y) % dim.strideY != 0u || u32(x) % dim.strideX != 0u) { return 0.0; }
  let oy = u32(y) / dim.strideY;
  let ox = u32(x) / dim.strideX;
  if (oy >= dim.outHeight || ox >= dim.outWidth) { return 0.0; }
  return x0[((b * dim.outChannels + batch * dim.outPerGroup + o) * dim.outHeight + oy) * dim.outWidth + ox];`,
    leftAlongK: true,
    rightAlongK: false,
    leftRange: wholeRange(1, sizeOf(w!.shape)),
    rightRange: perImage(0, dy!.shape, image.join(' * ')),
    place: `let positions = dim.height * dim.width;
  return (n / positions * dim.channels + batch * dim.m + m) * positions + n % positions;`,
  }
  return tiledProduct(device, product, [dy!.values, w!.values])
}

/** Rows are output channels, columns are input channels and taps, and the sum runs over positions of all images. */
export const conv2dWeightGrad: WgslKernel<Conv2dWeightGradAttributes> = (device, [x, dy], output, attributes) => {
  const { groups } = attributes
  const [outChannels, perGroup, kh, kw] = output as [number, number, number, number]
  const positions = dy!.shape[2]! * dy!.shape[3]!
  const gradient = `(k / (${area}) * dim.outChannels + batch * dim.m + m) * ${area} + k % (${area})`
  const product = {
    convolution: 'conv2dWeightGrad' as const,
    batches: groups,
    m: outChannels / groups,
    n: perGroup * kh * kw,
    k: dy!.shape[0]! * positions,
    sizes: sizesOf(x!.shape, output, dy!.shape, attributes),
    left: `return x1[${gradient}];`,
    // Four neighbours must be of one channel of one image.
    ...(positions % 4 === 0 && { leftVector: { input: 1, place: gradient } }),
    right: `${splitTaps('n', 'c')} ${splitPositions('k', 'o', result)}
  let channel = batch * dim.perGroup + c;
  ${tapped}`,
    leftAlongK: true,
    rightAlongK: true,
    leftRange: wholeRange(1, sizeOf(dy!.shape)),
    rightRange: wholeRange(0, sizeOf(x!.shape)),
    place: 'return (batch * dim.m + m) * dim.n + n;',
  }
  return tiledProduct(device, product, [x!.values, dy!.values])
}
