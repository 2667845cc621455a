import type { Local, ModuleBuilder } from './assembler.ts'
import { Lanes } from './lanes.ts'
import { storeVector, type Tail } from './loops.ts'
import { eachElement, eachRow, eachSet, type NormShape, type Statistics, scalar, statistics } from './normLoops.ts'
import { boundedSigmoid } from './simdMath.ts'

/** What follows the affine map, in the same kernel. */
export type Activation = 'none' | 'relu' | 'silu'

const accumulate = (v: Lanes, into: Local, term: Local, tail?: Tail) =>
  v.assign(into, v.add(into, tail ? v.op('v128And', tail.mask, term) : term))

const normalised = (v: Lanes, x: Local, { mean, inverse }: Statistics): Local => v.mul(v.sub(x, mean), inverse)

/** With the constant second, a NaN passes. */
const activate = (v: Lanes, z: Local, activation: Activation): Local => {
  if (activation === 'relu') return v.op('f32x4Pmax', z, v.constant(0))
  return activation === 'silu' ? v.mul(z, boundedSigmoid(v, z)) : z
}

/** Gradient at the affine image z: dy times 1 where z > 0 (relu), or s (1 + z (1 - s)) with s = sigmoid z (silu). */
const throughActivation = (v: Lanes, dy: Local, z: () => Local, activation: Activation): Local => {
  if (activation === 'none') return dy
  const at = z()
  if (activation === 'relu') return v.op('v128And', dy, v.op('f32x4Gt', at, v.constant(0)))
  const s = boundedSigmoid(v, at)
  const one = v.constant(1)
  return v.mul(dy, v.mul(s, v.mulAdd(at, v.sub(one, s), one)))
}

interface Work {
  readonly x: Local
  readonly weight: Local
  readonly bias: Local
  readonly dy: Local
  readonly output: Local
  readonly sums: Local
  readonly epsilon: Local
  readonly activation: Activation
}

const emitForward = (v: Lanes, { x, weight, bias, output, epsilon, activation }: Work, shape: NormShape) =>
  eachSet(v, shape, { data: [x, output], perChannel: [weight, bias] }, perChannel => {
    const set = statistics(v, x, shape, epsilon)
    eachRow(v, shape, { data: [x, output], perChannel }, (data, [w, b]) => {
      const scale = v.loadSplat(w!)
      const offset = v.loadSplat(b!)
      eachElement(v, shape.rowLength, data, ([from, to], at, tail) => {
        const z = v.mulAdd(normalised(v, v.load(from!, at), set), scale, offset)
        storeVector(v, to!, activate(v, z, activation), at, tail)
      })
    })
  })

/**
 * With dz the gradient at the affine image and g = weight dz, dx = (g - mean g - x̂ mean(g x̂)) / sqrt(variance + epsilon),
 * the means over the set. The first pass leaves g in dx, and for each row Σ dz x̂ and Σ dz in `sums`, from which the means
 * and the gradients of weight and bias follow.
 */
const emitGradient = (v: Lanes, o: Work, shape: NormShape) => {
  const { f } = v
  const { x, dy, output, sums, activation } = o
  eachSet(v, shape, { data: [x, dy, output], perChannel: [o.weight, o.bias] }, perChannel => {
    const set = statistics(v, x, shape, o.epsilon)
    const sumG = scalar(f, () => f.f32(0))
    const sumGX = scalar(f, () => f.f32(0))
    eachRow(v, shape, { data: [x, dy, output], perChannel }, (data, [w, b]) => {
      const scale = v.loadSplat(w!)
      const offset = v.loadSplat(b!)
      const rowZX = v.variable(0)
      const rowZ = v.variable(0)
      eachElement(v, shape.rowLength, data, ([from, gradient, to], at, tail) => {
        const xHat = normalised(v, v.load(from!, at), set)
        const dz = throughActivation(v, v.load(gradient!, at), () => v.mulAdd(xHat, scale, offset), activation)
        storeVector(v, to!, v.mul(scale, dz), at, tail)
        accumulate(v, rowZX, v.mul(dz, xHat), tail)
        accumulate(v, rowZ, dz, tail)
      })
      const finish = (row: Local, place: number, total: Local) => {
        const sum = v.sumLanes(row)
        f.get(sums).get(sum).mem('f32Store', place)
        f.get(w!).mem('f32Load').get(sum).op('f32Mul').get(total).op('f32Add').set(total)
      }
      finish(rowZX, 0, sumGX)
      finish(rowZ, 4, sumG)
      f.increment(sums, 8)
    })
    const mean = (sum: Local) => v.splat(scalar(f, () => f.get(sum).get(set.size).op('f32Div')))
    const meanG = mean(sumG)
    const meanGX = mean(sumGX)
    eachRow(v, { ...shape, rows: shape.runs }, { data: [x, output], perChannel: [] }, data =>
      eachElement(v, shape.runLength, data, ([from, to], at, tail) => {
        const xHat = normalised(v, v.load(from!, at), set)
        const centred = v.mulSub(xHat, meanGX, v.sub(v.load(to!, at), meanG))
        storeVector(v, to!, v.mul(centred, set.inverse), at, tail)
      }),
    )
  })
}

const emitters = { forward: emitForward, gradient: emitGradient }

/** Emits both; each takes x, weight, bias, dy, output, sums, then a `NormShape` in its order, then epsilon. */
export const buildNormalise = (m: ModuleBuilder, fma: boolean, activation: Activation) => {
  for (const [name, emit] of Object.entries(emitters)) {
    m.function(name, [...Array<'i32'>(16).fill('i32'), 'f32'], (f, ...p) => {
      const [x, weight, bias, dy, output, sums, images, sets] = p as Local[] & { length: 17 }
      const [setStep, setParameterStep, rows, rowLength, rowStep, rowParameterStep, runs, runLength, epsilon] = p.slice(8)
      emit(
        new Lanes(f, fma),
        { x: x!, weight: weight!, bias: bias!, dy: dy!, output: output!, sums: sums!, epsilon: epsilon!, activation },
        {
          images: images!,
          sets: sets!,
          setStep: setStep!,
          setParameterStep: setParameterStep!,
          rows: rows!,
          rowLength: rowLength!,
          rowStep: rowStep!,
          rowParameterStep: rowParameterStep!,
          runs: runs!,
          runLength: runLength!,
        },
      )
    })
  }
}
