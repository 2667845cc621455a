import type { Heap } from '../heap.ts'
import type { CpuArray, CpuKernel } from '../kernel.ts'
import type { Local, ModuleBuilder } from './assembler.ts'
import { eachChannel, eachElement, eachGroup, type GroupShape, type Statistics, scalar, statistics } from './groupLoops.ts'
import { Lanes } from './lanes.ts'
import { link } from './link.ts'
import { copyOf, eachVector, storeVector, type Tail } from './loops.ts'
import { boundedSigmoid } from './simdMath.ts'

export interface GroupNormAttributes {
  readonly groups: number
  readonly epsilon: number
  /** Whether SiLU follows: y sigmoid(y) of the normalised and scaled y. */
  readonly silu: boolean
}

const accumulate = (v: Lanes, into: Local, term: Local, tail?: Tail) =>
  v.assign(into, v.add(into, tail ? v.op('v128And', tail.mask, term) : term))

const normalised = (v: Lanes, x: Local, { mean, inverse }: Statistics): Local => v.mul(v.sub(x, mean), inverse)

/** Gradient at the affine image z = weight x̂ + bias: with SiLU, dy s (1 + z (1 - s)) with s = sigmoid z. */
const affineGradient = (v: Lanes, o: { xHat: Local; weight: Local; bias: Local; dy: Local; silu: boolean }): Local => {
  if (!o.silu) return o.dy
  const z = v.mulAdd(o.xHat, o.weight, o.bias)
  const s = boundedSigmoid(v, z)
  const one = v.constant(1)
  return v.mul(o.dy, v.mul(s, v.mulAdd(z, v.sub(one, s), one)))
}

type Pointers = readonly [x: Local, weight: Local, bias: Local, dy: Local, output: Local]
type Emit = (v: Lanes, pointers: Pointers, shape: GroupShape, o: { readonly epsilon: Local; readonly silu: boolean }) => void

const emitForward: Emit = (v, [x, weight, bias, , y], shape, { epsilon, silu }) => {
  eachGroup(v, shape, { data: [x, y], perChannel: [weight, bias] }, perChannel => {
    const group = statistics(v, x, shape, epsilon)
    const cursors = [copyOf(v.f, x), copyOf(v.f, y)]
    eachChannel(v, shape, perChannel, ([w, b]) => {
      const scale = v.loadSplat(w!)
      const offset = v.loadSplat(b!)
      eachElement(v, shape, cursors, (at, tail) => {
        const z = v.mulAdd(normalised(v, v.load(cursors[0]!, at), group), scale, offset)
        storeVector(v, cursors[1]!, silu ? v.mul(z, boundedSigmoid(v, z)) : z, at, tail)
      })
    })
  })
}

/**
 * With g = weight times the affine gradient, dx = (g - mean g - x̂ mean(g x̂)) / sqrt(variance + epsilon), the means over
 * the group. The first pass leaves g in dx, so that the second need not know the channels.
 */
const emitInputGrad: Emit = (v, [x, weight, bias, dy, dx], shape, { epsilon, silu }) => {
  const { f } = v
  eachGroup(v, shape, { data: [x, dy, dx], perChannel: [weight, bias] }, perChannel => {
    const group = statistics(v, x, shape, epsilon)
    const sumG = v.variable(0)
    const sumGX = v.variable(0)
    const cursors = [copyOf(f, x), copyOf(f, dy), copyOf(f, dx)]
    eachChannel(v, shape, perChannel, ([w, b]) => {
      const scale = v.loadSplat(w!)
      const offset = v.loadSplat(b!)
      eachElement(v, shape, cursors, (at, tail) => {
        const xHat = normalised(v, v.load(cursors[0]!, at), group)
        const g = v.mul(scale, affineGradient(v, { xHat, weight: scale, bias: offset, dy: v.load(cursors[1]!, at), silu }))
        storeVector(v, cursors[2]!, g, at, tail)
        accumulate(v, sumG, g, tail)
        accumulate(v, sumGX, v.mul(g, xHat), tail)
      })
    })
    const mean = (sum: Local) => {
      const total = v.sumLanes(sum)
      return v.splat(scalar(f, () => f.get(total).get(shape.count).op('f32ConvertI32S').op('f32Div')))
    }
    const meanG = mean(sumG)
    const meanGX = mean(sumGX)
    const source = copyOf(f, x)
    const target = copyOf(f, dx)
    const finish = (at: number, tail?: Tail) => {
      const xHat = normalised(v, v.load(source, at), group)
      const centred = v.mulSub(xHat, meanGX, v.sub(v.load(target, at), meanG))
      storeVector(v, target, v.mul(centred, group.inverse), at, tail)
    }
    eachVector(v, { count: shape.count, cursors: [source, target], unroll: 2 }, finish, tail => finish(0, tail))
  })
}

/** dweight = Σ affine gradient times x̂ and dbias = Σ affine gradient, over images and space, images in order. */
const emitParameterGrad: Emit = (v, [x, weight, bias, dy, output], shape, { epsilon, silu }) => {
  const { f } = v
  const dWeight = copyOf(f, output)
  const dBias = f.local('i32')
  const rowBytes = f.local('i32')
  f.get(shape.groups).get(shape.channels).op('i32Mul').i32(2).op('i32Shl').set(rowBytes)
  f.get(output).get(rowBytes).op('i32Add').set(dBias)
  f.get(output).i32(0).get(rowBytes).i32(1).op('i32Shl').memoryFill()
  eachGroup(v, shape, { data: [x, dy], perChannel: [weight, bias, dWeight, dBias] }, perChannel => {
    const group = statistics(v, x, shape, epsilon)
    const cursors = [copyOf(f, x), copyOf(f, dy)]
    eachChannel(v, shape, perChannel, ([w, b, dw, db]) => {
      const scale = v.loadSplat(w!)
      const offset = v.loadSplat(b!)
      const sums = { weight: v.variable(0), bias: v.variable(0) }
      eachElement(v, shape, cursors, (at, tail) => {
        const xHat = normalised(v, v.load(cursors[0]!, at), group)
        const dz = affineGradient(v, { xHat, weight: scale, bias: offset, dy: v.load(cursors[1]!, at), silu })
        accumulate(v, sums.weight, v.mul(dz, xHat), tail)
        accumulate(v, sums.bias, dz, tail)
      })
      const addTotal = (pointer: Local, sum: Local) => {
        const total = v.sumLanes(sum)
        f.get(pointer).get(pointer).mem('f32Load').get(total).op('f32Add').mem('f32Store')
      }
      addTotal(dw!, sums.weight)
      addTotal(db!, sums.bias)
    })
  })
}

const emitters = { forward: emitForward, inputGrad: emitInputGrad, parameterGrad: emitParameterGrad }

/** Emits the three kernels; each takes x, weight, bias, dy, output, images, groups, channels per group, spatial, epsilon. */
const build = (m: ModuleBuilder, fma: boolean, silu: boolean) => {
  for (const [name, emit] of Object.entries(emitters)) {
    m.function(name, [...Array<'i32'>(9).fill('i32'), 'f32'], (f, ...p) => {
      const [x, weight, bias, dy, output, images, groups, channels, spatial, epsilon] = p as [
        ...Pointers,
        Local,
        Local,
        Local,
        Local,
        Local,
      ]
      const count = f.local('i32')
      f.get(channels).get(spatial).op('i32Mul').set(count)
      emit(new Lanes(f, fma), [x, weight, bias, dy, output], { images, groups, channels, spatial, count }, { epsilon, silu })
    })
  }
}

const run = (
  heap: Heap,
  name: keyof typeof emitters,
  o: { readonly arrays: readonly CpuArray[]; readonly dy: number; readonly output: CpuArray; readonly attributes: GroupNormAttributes },
): boolean => {
  const { groups, epsilon, silu } = o.attributes
  const [x, weight, bias] = o.arrays
  const [images, channels] = x!.shape
  if (images === undefined || channels === undefined || channels % groups !== 0 || o.arrays.some(a => a.dtype !== 'float32')) return false
  let spatial = 1
  for (let axis = 2; axis < x!.shape.length; axis++) spatial *= x!.shape[axis]!
  if (images === 0 || channels === 0 || spatial === 0) return false
  const kernels = link(heap, silu ? 'groupNorm silu' : 'groupNorm', (m, { fma }) => build(m, fma, silu))
  kernels[name]!(x!.pointer, weight!.pointer, bias!.pointer, o.dy, o.output.pointer, images, groups, channels / groups, spatial, epsilon)
  return true
}

/**
 * Group normalisation (Wu and He 2018), with SiLU where asked: x [batch, channels, ...spatial], weight and bias [channels];
 * y = (x - mean) / sqrt(variance + epsilon) weight + bias, statistics (biased variance) over each image's group of channels.
 */
export const groupNorm: CpuKernel<GroupNormAttributes> = (heap, [x, weight, bias], output, attributes) =>
  run(heap, 'forward', { arrays: [x!, weight!, bias!], dy: 0, output, attributes })

/** The gradient by x: inputs x, weight, bias, dy; output of x's shape. */
export const groupNormInputGrad: CpuKernel<GroupNormAttributes> = (heap, [x, weight, bias, dy], output, attributes) =>
  run(heap, 'inputGrad', { arrays: [x!, weight!, bias!, dy!], dy: dy!.pointer, output, attributes })

/** The gradients by weight (row 0) and bias (row 1): inputs x, weight, bias, dy; output [2, channels]. */
export const groupNormParameterGrad: CpuKernel<GroupNormAttributes> = (heap, [x, weight, bias, dy], output, attributes) =>
  run(heap, 'parameterGrad', { arrays: [x!, weight!, bias!, dy!], dy: dy!.pointer, output, attributes })
