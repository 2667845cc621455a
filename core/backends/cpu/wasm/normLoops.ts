/** The loops and statistics that the normalisation kernels share. */
import type { FunctionBuilder, Local } from './assembler.ts'
import type { Lanes } from './lanes.ts'
import { addTo, copyOf, eachVector, repeat, type Tail } from './loops.ts'

/**
 * The shape of the work (i32 locals, steps in bytes). A set is what shares a mean and a variance; it consists of rows of
 * contiguous elements, each with a weight and a bias. Sets lie `setStep` apart, over and over for each of the images.
 */
export interface NormShape {
  readonly images: Local
  readonly sets: Local
  readonly setStep: Local
  /** From a set's first weight to the next set's; they start again with each image. */
  readonly setParameterStep: Local
  readonly rows: Local
  readonly rowLength: Local
  readonly rowStep: Local
  readonly rowParameterStep: Local
  /** The same elements of a set in as few rows as possible, `rowStep` apart. */
  readonly runs: Local
  readonly runLength: Local
}

export interface Statistics {
  /** Number of elements, an f32. */
  readonly size: Local
  /** Splat to four lanes, as is 1 / sqrt(variance + epsilon). */
  readonly mean: Local
  readonly inverse: Local
}

/** Pops the f32 that the body leaves on the stack into a new local. */
export const scalar = (f: FunctionBuilder, body: () => void): Local => {
  const local = f.local('f32')
  body()
  f.set(local)
  return local
}

/** Σ term over the elements of the set at `pointer`: 16 partial sums in a run, then the runs in order. */
const sumOf = (v: Lanes, pointer: Local, { runs, runLength, rowStep }: NormShape, term: (x: Local) => Local): Local => {
  const { f } = v
  const total = scalar(f, () => f.f32(0))
  const start = copyOf(f, pointer)
  repeat(f, runs, () => {
    const partial = [0, 1, 2, 3].map(() => v.variable(0))
    const cursor = copyOf(f, start)
    const accumulate = (into: Local, value: Local) => v.assign(into, v.add(into, value))
    eachVector(
      v,
      { count: runLength, cursors: [cursor], unroll: 4 },
      offset => accumulate(partial[offset / 16]!, term(v.load(cursor, offset))),
      ({ mask }) => accumulate(partial[0]!, v.op('v128And', mask, term(v.load(cursor)))),
    )
    const sum = v.sumLanes(v.add(v.add(partial[0]!, partial[1]!), v.add(partial[2]!, partial[3]!)))
    f.get(total).get(sum).op('f32Add').set(total)
    addTo(f, start, rowStep)
  })
  return total
}

/** Statistics of the set at x; two passes, so that a large mean does not cancel. */
export const statistics = (v: Lanes, x: Local, shape: NormShape, epsilon: Local): Statistics => {
  const { f } = v
  const size = scalar(f, () => f.get(shape.runs).get(shape.runLength).op('i32Mul').op('f32ConvertI32S'))
  const total = sumOf(v, x, shape, value => value)
  const mean = v.splat(scalar(f, () => f.get(total).get(size).op('f32Div')))
  const squares = sumOf(v, x, shape, value => {
    const deviation = v.sub(value, mean)
    return v.mul(deviation, deviation)
  })
  const inverse = scalar(f, () => {
    f.f32(1).get(squares).get(size).op('f32Div').get(epsilon).op('f32Add').op('f32Sqrt').op('f32Div')
  })
  return { size, mean, inverse: v.splat(inverse) }
}

/**
 * Runs the body for each set of each image. `data` (pointers to arrays of x's shape) are advanced in place from set to set;
 * of `perChannel` (pointers to weights and biases) the body gets copies at the set's first row.
 */
export const eachSet = (
  v: Lanes,
  shape: NormShape,
  o: { readonly data: readonly Local[]; readonly perChannel: readonly Local[] },
  body: (perChannel: readonly Local[]) => void,
): void => {
  const { f } = v
  repeat(f, shape.images, () => {
    const perChannel = o.perChannel.map(pointer => copyOf(f, pointer))
    repeat(f, shape.sets, () => {
      body(perChannel)
      for (const pointer of perChannel) addTo(f, pointer, shape.setParameterStep)
      for (const pointer of o.data) addTo(f, pointer, shape.setStep)
    })
  })
}

/** Runs the body for each row of a set, with copies of the pointers at the row. */
export const eachRow = (
  v: Lanes,
  shape: NormShape,
  o: { readonly data: readonly Local[]; readonly perChannel: readonly Local[] },
  body: (data: readonly Local[], perChannel: readonly Local[]) => void,
): void => {
  const { f } = v
  const data = o.data.map(pointer => copyOf(f, pointer))
  const perChannel = o.perChannel.map(pointer => copyOf(f, pointer))
  repeat(f, shape.rows, () => {
    body(data, perChannel)
    for (const pointer of data) addTo(f, pointer, shape.rowStep)
    for (const pointer of perChannel) addTo(f, pointer, shape.rowParameterStep)
  })
}

/**
 * Visits `length` elements, a vector at the pointers plus an offset each time. Two vectors per turn: the engine then loads
 * the polynomials' constants once for both.
 */
export const eachElement = (
  v: Lanes,
  length: Local,
  pointers: readonly Local[],
  body: (cursors: readonly Local[], offset: number, tail?: Tail) => void,
): void => {
  const cursors = pointers.map(pointer => copyOf(v.f, pointer))
  eachVector(
    v,
    { count: length, cursors, unroll: 2 },
    offset => body(cursors, offset),
    tail => body(cursors, 0, tail),
  )
}
