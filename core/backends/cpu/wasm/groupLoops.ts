/** The loops and statistics that the group normalisation kernels share. */
import type { FunctionBuilder, Local } from './assembler.ts'
import type { Lanes } from './lanes.ts'
import { addTo, bytesOf, copyOf, eachVector, repeat, type Tail } from './loops.ts'

/** The shape of the work: images of groups of channels of spatial elements (i32 locals); `count` is one group's elements. */
export interface GroupShape {
  readonly images: Local
  readonly groups: Local
  readonly channels: Local
  readonly spatial: Local
  readonly count: Local
}

export interface Statistics {
  readonly mean: Local
  /** 1 / sqrt(variance + epsilon). */
  readonly inverse: Local
}

/** Pops the f32 that the body leaves on the stack into a new local. */
export const scalar = (f: FunctionBuilder, body: () => void): Local => {
  const local = f.local('f32')
  body()
  f.set(local)
  return local
}

/** Σ term over `count` elements at `pointer`, in 16 partial sums. */
const sumOf = (v: Lanes, pointer: Local, count: Local, term: (x: Local) => Local): Local => {
  const partial = [0, 1, 2, 3].map(() => v.variable(0))
  const cursor = copyOf(v.f, pointer)
  const accumulate = (into: Local, value: Local) => v.assign(into, v.add(into, value))
  eachVector(
    v,
    { count, cursors: [cursor], unroll: 4 },
    offset => accumulate(partial[offset / 16]!, term(v.load(cursor, offset))),
    ({ mask }) => accumulate(partial[0]!, v.op('v128And', mask, term(v.load(cursor)))),
  )
  return v.sumLanes(v.add(v.add(partial[0]!, partial[1]!), v.add(partial[2]!, partial[3]!)))
}

/** Statistics of one group at x, each splat to four lanes; two passes, so that a large mean does not cancel. */
export const statistics = (v: Lanes, x: Local, { count }: GroupShape, epsilon: Local): Statistics => {
  const { f } = v
  const size = scalar(f, () => f.get(count).op('f32ConvertI32S'))
  const total = sumOf(v, x, count, value => value)
  const mean = v.splat(scalar(f, () => f.get(total).get(size).op('f32Div')))
  const squares = sumOf(v, x, count, value => {
    const deviation = v.sub(value, mean)
    return v.mul(deviation, deviation)
  })
  const inverse = scalar(f, () => {
    f.f32(1).get(squares).get(size).op('f32Div').get(epsilon).op('f32Add').op('f32Sqrt').op('f32Div')
  })
  return { mean, inverse: v.splat(inverse) }
}

/**
 * Runs the body for each group of each image. `data` (pointers to arrays of x's shape) are advanced in place from group to
 * group; of `perChannel` (pointers to arrays of one value per channel) the body gets copies at the group's first channel.
 */
export const eachGroup = (
  v: Lanes,
  shape: GroupShape,
  o: { readonly data: readonly Local[]; readonly perChannel: readonly Local[] },
  body: (perChannel: readonly Local[]) => void,
): void => {
  const { f } = v
  const groupBytes = bytesOf(f, shape.count)
  const channelBytes = bytesOf(f, shape.channels)
  repeat(f, shape.images, () => {
    const perChannel = o.perChannel.map(pointer => copyOf(f, pointer))
    repeat(f, shape.groups, () => {
      body(perChannel)
      for (const pointer of perChannel) addTo(f, pointer, channelBytes)
      for (const pointer of o.data) addTo(f, pointer, groupBytes)
    })
  })
}

/** Runs the body for each channel of a group, with copies of `perChannel` at the channel. */
export const eachChannel = (
  v: Lanes,
  shape: GroupShape,
  perChannel: readonly Local[],
  body: (perChannel: readonly Local[]) => void,
): void => {
  const here = perChannel.map(pointer => copyOf(v.f, pointer))
  repeat(v.f, shape.channels, () => {
    body(here)
    for (const pointer of here) v.f.increment(pointer, 4)
  })
}

/**
 * Visits one channel's elements, a vector at the cursors plus an offset each time; afterwards the cursors are at the next
 * channel. Two vectors per turn: the engine then loads the polynomials' constants once for both.
 */
export const eachElement = (v: Lanes, shape: GroupShape, cursors: readonly Local[], body: (offset: number, tail?: Tail) => void): void => {
  eachVector(
    v,
    { count: shape.spatial, cursors, unroll: 2 },
    offset => body(offset),
    tail => {
      body(0, tail)
      const bytes = bytesOf(v.f, tail.rest)
      for (const cursor of cursors) addTo(v.f, cursor, bytes)
    },
  )
}
