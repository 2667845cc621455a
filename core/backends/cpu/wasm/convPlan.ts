/** Sizes of a convolution. x: [batch, inChannels, height, width], w: [outChannels, inChannels / groups, kernelHeight, kernelWidth]. */
export interface ConvGeometry {
  readonly inChannels: number
  readonly height: number
  readonly width: number
  readonly outChannels: number
  readonly outHeight: number
  readonly outWidth: number
  readonly kernelHeight: number
  readonly kernelWidth: number
  readonly strideY: number
  readonly strideX: number
  readonly padTop: number
  readonly padLeft: number
  readonly groups: number
}

/** The same text for equal geometries only. */
export const geometryKey = (g: ConvGeometry): string =>
  `${g.inChannels} ${g.height} ${g.width} ${g.outChannels} ${g.outHeight} ${g.outWidth} ${g.kernelHeight} ${g.kernelWidth} ${g.strideY} ${g.strideX} ${g.padTop} ${g.padLeft} ${g.groups}`

/** A table of byte offsets, and whether every aligned four of its entries are consecutive floats. */
export interface Offsets {
  readonly table: Int32Array
  /** Entries that count; the table repeats itself up to a multiple of eight. */
  readonly length: number
  readonly consecutive: boolean
}

/**
 * One matrix product of an implicit GEMM: result element (row, pixel) is the sum over taps of
 * weight[row, weightTaps[tap]] * source[taps[tap] + pixels[pixel]], and goes to outputs[pixel].
 */
export interface ConvPhase {
  readonly taps: Offsets
  readonly weightTaps: Offsets
  readonly pixels: Offsets
  readonly outputs: Offsets
}

/** A convolution-like op over `images` images as matrix products, per group of channels. */
export interface ConvPlan {
  readonly images: number
  readonly sourceChannels: number
  readonly sourceHeight: number
  readonly sourceWidth: number
  /** The source with its border of zeros; without a border it is read in place. */
  readonly padded: { readonly top: number; readonly left: number; readonly height: number; readonly width: number }
  readonly hasBorder: boolean
  /** Channels of the result per group; floats between the weights of two of them, and of two groups. */
  readonly rows: number
  readonly weightRowPitch: number
  readonly weightGroupPitch: number
  readonly outputChannels: number
  readonly outputPlane: number
  readonly phases: readonly ConvPhase[]
}

const offsets = (elements: readonly number[]): Offsets => {
  const length = elements.length
  const table = Int32Array.from({ length: Math.ceil(length / 8) * 8 }, (_, i) => 4 * elements[i % length])
  const consecutive = length % 4 === 0 && table.every((offset, i) => offset === table[i & ~3] + 4 * (i & 3))
  return { table, length, consecutive }
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

/** Every combination of the indices, the last running fastest. */
const combinations = <T>(a: number, b: number, c: number, value: (i: number, j: number, k: number) => T): T[] =>
  range(a).flatMap(i => range(b).flatMap(j => range(c).map(k => value(i, j, k))))

/** The border that covers rows `first` to `last` of an axis of `size`. */
const border = (first: number, last: number, size: number) => {
  const before = Math.max(0, -first)
  return { before, size: before + size + Math.max(0, last - (size - 1)) }
}

/** y[o, p] = sum over (c, ky, kx) of w[o, c, ky, kx] x[c, sy * p_y + ky - top, sx * p_x + kx - left]. */
export const forwardPlan = (g: ConvGeometry, images: number): ConvPlan => {
  const { kernelHeight: kh, kernelWidth: kw, strideY, strideX, padTop, padLeft } = g
  const y = border(-padTop, (g.outHeight - 1) * strideY + kh - 1 - padTop, g.height)
  const x = border(-padLeft, (g.outWidth - 1) * strideX + kw - 1 - padLeft, g.width)
  const channels = g.inChannels / g.groups
  const plane = y.size * x.size
  const outputPlane = g.outHeight * g.outWidth
  return {
    images,
    sourceChannels: g.inChannels,
    sourceHeight: g.height,
    sourceWidth: g.width,
    padded: { top: y.before, left: x.before, height: y.size, width: x.size },
    hasBorder: plane > g.height * g.width,
    rows: g.outChannels / g.groups,
    weightRowPitch: channels * kh * kw,
    weightGroupPitch: (g.outChannels / g.groups) * channels * kh * kw,
    outputChannels: g.outChannels,
    outputPlane,
    phases: [
      {
        taps: offsets(combinations(channels, kh, kw, (c, ky, kx) => c * plane + ky * x.size + kx)),
        weightTaps: offsets(range(channels * kh * kw)),
        pixels: offsets(
          combinations(images, g.outHeight, g.outWidth, (n, py, px) => n * g.inChannels * plane + py * strideY * x.size + px * strideX),
        ),
        outputs: offsets(combinations(images, outputPlane, 1, (n, p) => n * g.outChannels * outputPlane + p)),
      },
    ],
  }
}

/** Taps of one axis that reach the pixels of a phase, each with the shift from the pixel's index to the source's. */
const phaseTaps = (phase: number, kernel: number, stride: number, pad: number) =>
  range(kernel)
    .filter(k => (phase + pad - k) % stride === 0)
    .map(k => ({ k, shift: (phase + pad - k) / stride }))

/** One axis of the input gradient: its phases, and the border that all of them need. */
const phaseAxis = ({ size, outSize, kernel, stride, pad }: Record<'size' | 'outSize' | 'kernel' | 'stride' | 'pad', number>) => {
  const phases = range(Math.min(stride, size)).map(phase => ({
    phase,
    count: Math.ceil((size - phase) / stride),
    taps: phaseTaps(phase, kernel, stride, pad),
  }))
  const shifts = phases.flatMap(p => p.taps.map(t => ({ first: t.shift, last: p.count - 1 + t.shift })))
  return { phases, ...border(Math.min(0, ...shifts.map(s => s.first)), Math.max(0, ...shifts.map(s => s.last)), outSize) }
}

/**
 * dx[c, i] = sum over (o, k) with i = s p + k - pad of w[o, c, k] dy[o, p]. Pixels i that are equal modulo the stride see
 * the same taps: each such phase is a convolution of dy with stride one by its part of the kernel, so no multiplication
 * with an inserted zero is done.
 */
export const inputGradPlan = (g: ConvGeometry, images: number): ConvPlan => {
  const { kernelHeight: kh, kernelWidth: kw, strideY, strideX } = g
  const y = phaseAxis({ size: g.height, outSize: g.outHeight, kernel: kh, stride: strideY, pad: g.padTop })
  const x = phaseAxis({ size: g.width, outSize: g.outWidth, kernel: kw, stride: strideX, pad: g.padLeft })
  const plane = y.size * x.size
  const outputPlane = g.height * g.width
  const sources = g.outChannels / g.groups
  const rows = g.inChannels / g.groups
  const phase = (py: (typeof y.phases)[number], px: (typeof x.phases)[number]): ConvPhase => {
    const at = (channel: number, i: number, j: number) =>
      (channel * y.size + py.taps[i].shift + y.before) * x.size + px.taps[j].shift + x.before
    const weight = (channel: number, i: number, j: number) => (channel * rows * kh + py.taps[i].k) * kw + px.taps[j].k
    const output = (n: number, i: number, j: number) =>
      n * g.inChannels * outputPlane + (py.phase + strideY * i) * g.width + px.phase + strideX * j
    return {
      taps: offsets(combinations(sources, py.taps.length, px.taps.length, at)),
      weightTaps: offsets(combinations(sources, py.taps.length, px.taps.length, weight)),
      pixels: offsets(combinations(images, py.count, px.count, (n, i, j) => n * g.outChannels * plane + i * x.size + j)),
      outputs: offsets(combinations(images, py.count, px.count, output)),
    }
  }
  return {
    images,
    sourceChannels: g.outChannels,
    sourceHeight: g.outHeight,
    sourceWidth: g.outWidth,
    padded: { top: y.before, left: x.before, height: y.size, width: x.size },
    hasBorder: plane > g.outHeight * g.outWidth,
    rows,
    weightRowPitch: kh * kw,
    weightGroupPitch: sources * rows * kh * kw,
    outputChannels: g.inChannels,
    outputPlane,
    phases: y.phases.flatMap(py => x.phases.map(px => phase(py, px))),
  }
}
