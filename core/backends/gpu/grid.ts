import { sizeOf } from '../../shape.ts'

/** How threads map to the elements of an array, and the source text of an element's coordinates. */
export interface Grid {
  /** Threads along x, y, z. */
  readonly threads: readonly number[]
  /** One integer expression per axis. */
  readonly coordinates: readonly string[]
}

/** Positions are divided in float32; up to here the quotient's floor is exact even with WGSL's inexact division. */
const largestDivided = 2 ** 20

/** floor(a / b) of a non-negative integer expression below 2^20, as an integer expression. */
export const quotient = (a: string, b: number): string => (b === 1 ? a : `(Math.floor((${a} + 0.5) / ${b}) | 0)`)

/**
 * A loop counter as an integer expression. gpu.js may keep counters in float32, so that they are whole only below 2^24, and
 * computes with them in float32 unless told otherwise.
 */
export const counter = (name: string): string => `(${name} | 0)`

/** Whether loops of these lengths can be counted: a float32 counter would never get beyond 2^24. */
export const areCountable = (...lengths: readonly number[]): boolean => lengths.every(length => length < 2 ** 24)

/** Coordinates of the axes `sizes` that share one thread index. */
const split = (thread: string, sizes: readonly number[]): string[] =>
  sizes.map((size, i) => {
    const inner = sizeOf(sizes.slice(i + 1))
    const outer = quotient(thread, inner)
    return i === 0 ? outer : `(${outer} - ${quotient(thread, inner * size)} * ${size})`
  })

/** Every way to cut a list into at most three runs. */
const cuts = (sizes: readonly number[]): (readonly number[])[][] => {
  if (sizes.length <= 3) return [sizes.map(size => [size])]
  const all: (readonly number[])[][] = []
  for (let a = 1; a < sizes.length - 1; a++) {
    for (let b = a + 1; b < sizes.length; b++) all.push([sizes.slice(0, a), sizes.slice(a, b), sizes.slice(b)])
  }
  return all
}

/** Threads of a run of axes that must be told apart by division; a single axis needs none. */
const divided = (run: readonly number[]): number => (run.length === 1 ? 0 : sizeOf(run))

/**
 * Threads for an array of these axes, outermost first. gpu.js has three thread axes, so with more than three array axes
 * neighbours share one. Undefined when more than 2^20 threads would have to be divided.
 *
 * Integer literals, thread indices and `| 0` are all that coordinates consist of: gpu.js keeps such an expression in
 * integers, while one local variable turns it into float32, which is wrong past 2^24 elements.
 */
export const planGrid = (sizes: readonly number[]): Grid | undefined => {
  if (sizes.length === 0) return { threads: [1], coordinates: [] }
  const cost = (cut: readonly (readonly number[])[]): number => Math.max(...cut.map(divided))
  const cut = cuts(sizes).reduce((best, other) => (cost(other) < cost(best) ? other : best))
  if (cost(cut) > largestDivided) return undefined
  const names = ['this.thread.x', 'this.thread.y', 'this.thread.z'].slice(0, cut.length).reverse()
  return { threads: cut.map(sizeOf).reverse(), coordinates: cut.flatMap((run, i) => split(names[i]!, run)) }
}

/** The integer expression offset + sum of coordinates times strides. */
export const indexText = (coordinates: readonly string[], strides: readonly number[], offset = 0): string => {
  const terms = coordinates.flatMap((c, i) => (strides[i] === 0 ? [] : [strides[i] === 1 ? c : `${c} * ${strides[i]}`]))
  if (offset !== 0 || terms.length === 0) terms.push(`${offset}`)
  return terms.join(' + ')
}
