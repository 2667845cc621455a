import type { FunctionBuilder, Local } from './assembler.ts'
import type { Lanes } from './lanes.ts'

/** Repeats the body `count` (i32 local, at least 1) times. */
export const repeat = (f: FunctionBuilder, count: Local, body: () => void): void => {
  const left = f.local('i32')
  f.get(count).set(left)
  f.loop(() => {
    body()
    f.get(left).i32(1).op('i32Sub').tee(left).branchIf(0)
  })
}

/** local = a + b (i32). */
export const addTo = (f: FunctionBuilder, target: Local, amount: Local): void => {
  f.get(target).get(amount).op('i32Add').set(target)
}

/** local = 4 count: elements to bytes. */
export const bytesOf = (f: FunctionBuilder, count: Local): Local => {
  const bytes = f.local('i32')
  f.get(count).i32(2).op('i32Shl').set(bytes)
  return bytes
}

/** A working copy of an i32 local. */
export const copyOf = (f: FunctionBuilder, source: Local): Local => {
  const copy = f.local('i32')
  f.get(source).set(copy)
  return copy
}

/** The end of an array whose length is not a multiple of four: 1 to 3 elements, in the first lanes. */
export interface Tail {
  readonly rest: Local
  readonly mask: Local
}

/**
 * Visits `count` elements from the cursors on, four at a time. `whole(offset)` handles the vector at cursor + offset; the
 * last 1 to 3 elements go to `tail`. The cursors end behind the last whole vector.
 */
export const eachVector = (
  v: Lanes,
  o: { readonly count: Local; readonly cursors: readonly Local[]; readonly unroll: number },
  whole: (offset: number) => void,
  tail: (tail: Tail) => void,
): void => {
  const { f } = v
  const left = copyOf(f, o.count)
  const run = (unroll: number) =>
    f.countdown(
      left,
      () => {
        for (let i = 0; i < unroll; i++) whole(16 * i)
        for (const cursor of o.cursors) f.increment(cursor, 16 * unroll)
      },
      4 * unroll,
    )
  if (o.unroll > 1) run(o.unroll)
  run(1)
  f.get(left).if(() => {
    const mask = v.tailMask(left)
    tail({ rest: left, mask })
  })
}

/** Stores the first `rest` (1 to 3) lanes of a vector. */
export const storeTail = (v: Lanes, pointer: Local, value: Local, { rest }: Tail): void => {
  const { f } = v
  f.get(rest)
    .i32(1)
    .op('i32Eq')
    .if(
      () => f.get(pointer).get(value).storeLanes(1),
      () => {
        f.get(pointer).get(value).storeLanes(2)
        f.get(rest)
          .i32(3)
          .op('i32Eq')
          .if(() =>
            f
              .get(pointer)
              .get(v.shuffle(value, value, [2, 2, 2, 2]))
              .storeLanes(1, 8),
          )
      },
    )
}

/** Stores a vector at pointer + offset, or only the lanes of a tail. */
export const storeVector = (v: Lanes, pointer: Local, value: Local, offset: number, tail?: Tail): void =>
  tail ? storeTail(v, pointer, value, tail) : v.store(pointer, value, offset)
