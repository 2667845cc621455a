import type { CpuArray, CpuKernel } from '../kernel.ts'
import type { Local } from './assembler.ts'
import { Lanes } from './lanes.ts'
import { link } from './link.ts'
import { addTo, bytesOf, copyOf, eachVector, repeat, storeVector, type Tail } from './loops.ts'
import { exp } from './simdMath.ts'

/** Visits a row at the pointers, two vectors per turn; lanes past its end hold no data and must not be summed. */
const eachInRow = (v: Lanes, n: Local, pointers: readonly Local[], body: (cursors: readonly Local[], at: number, tail?: Tail) => void) => {
  const cursors = pointers.map(pointer => copyOf(v.f, pointer))
  eachVector(
    v,
    { count: n, cursors, unroll: 2 },
    at => body(cursors, at),
    tail => body(cursors, 0, tail),
  )
}

/** Runs the body for each row; the pointers then move to the next one. */
const eachRow = (v: Lanes, o: { readonly rows: Local; readonly n: Local; readonly pointers: readonly Local[] }, body: () => void) => {
  const rowBytes = bytesOf(v.f, o.n)
  repeat(v.f, o.rows, () => {
    body()
    for (const pointer of o.pointers) addTo(v.f, pointer, rowBytes)
  })
}

const emitForward = (v: Lanes, [x, y, rows, n]: readonly [Local, Local, Local, Local]) => {
  const { f } = v
  eachRow(v, { rows, n, pointers: [x, y] }, () => {
    const largest = v.variable(-Infinity)
    eachInRow(v, n, [x], ([cursor], at, tail) => {
      const value = v.load(cursor!, at)
      v.assign(largest, v.op('f32x4Pmax', largest, tail ? v.select(tail.mask, value, largest) : value))
    })
    const pairs = v.op('f32x4Pmax', largest, v.shuffle(largest, largest, [2, 3, 0, 1]))
    const peak = v.op('f32x4Pmax', pairs, v.shuffle(pairs, pairs, [1, 0, 3, 2]))
    const sum = v.variable(0)
    eachInRow(v, n, [x, y], ([source, target], at, tail) => {
      const e = exp(v, v.sub(v.load(source!, at), peak))
      storeVector(v, target!, e, at, tail)
      v.assign(sum, v.add(sum, tail ? v.op('v128And', tail.mask, e) : e))
    })
    const inverse = f.local('f32')
    const total = v.sumLanes(sum)
    f.f32(1).get(total).op('f32Div').set(inverse)
    const scale = v.splat(inverse)
    eachInRow(v, n, [y], ([cursor], at, tail) => storeVector(v, cursor!, v.mul(v.load(cursor!, at), scale), at, tail))
  })
}

const emitInputGrad = (v: Lanes, [y, dy, dx, rows, n]: readonly [Local, Local, Local, Local, Local]) => {
  eachRow(v, { rows, n, pointers: [y, dy, dx] }, () => {
    const sum = v.variable(0)
    eachInRow(v, n, [y, dy], ([a, b], at, tail) => {
      const product = v.mul(v.load(a!, at), v.load(b!, at))
      v.assign(sum, v.add(sum, tail ? v.op('v128And', tail.mask, product) : product))
    })
    const mean = v.splat(v.sumLanes(sum))
    eachInRow(v, n, [y, dy, dx], ([a, b, target], at, tail) =>
      storeVector(v, target!, v.mul(v.load(a!, at), v.sub(v.load(b!, at), mean)), at, tail),
    )
  })
}

/** Rows and row length of an array taken as rows along its last axis; undefined where the kernels do not apply. */
const rowsOf = (arrays: readonly CpuArray[]): readonly [number, number] | undefined => {
  const { shape } = arrays[0]!
  const n = shape.at(-1) ?? 1
  let rows = 1
  for (let axis = 0; axis < shape.length - 1; axis++) rows *= shape[axis]!
  return rows === 0 || n === 0 || arrays.some(a => a.dtype !== 'float32') ? undefined : [rows, n]
}

type Four = [Local, Local, Local, Local]
type Five = [...Four, Local]

/** y = exp(x - max x) / Σ exp(x - max x) over the last axis. */
export const softmax: CpuKernel<unknown> = (heap, [x], output) => {
  const layout = rowsOf([x!])
  if (!layout) return false
  const { run } = link(heap, 'softmax', (m, { fma }) => {
    m.function('run', ['i32', 'i32', 'i32', 'i32'], (f, ...p) => emitForward(new Lanes(f, fma), p as Four))
  })
  run!(x!.pointer, output.pointer, ...layout)
  return true
}

/** The gradient of softmax by its input, y (dy - Σ y dy) over the last axis: inputs y, dy. */
export const softmaxInputGrad: CpuKernel<unknown> = (heap, [y, dy], output) => {
  const layout = rowsOf([y!, dy!])
  if (!layout) return false
  const { run } = link(heap, 'softmaxInputGrad', (m, { fma }) => {
    m.function('run', ['i32', 'i32', 'i32', 'i32', 'i32'], (f, ...p) => emitInputGrad(new Lanes(f, fma), p as Five))
  })
  run!(y!.pointer, dy!.pointer, output.pointer, ...layout)
  return true
}
