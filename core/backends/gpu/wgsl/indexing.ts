import { type Shape, sizeOf, stridesOf } from '../../../shape.ts'
import type { View } from '../view.ts'

/**
 * How shaders read arrays whose sizes they get at run time. The element number `at` of a shape is taken apart into
 * coordinates c0, c1, ..., from which each view finds its own place; only what differs in text makes another pipeline.
 */

/** A view in the order of the shape itself, of one element for all, or at strides that come with the call. */
export type Access = 'same' | 'one' | 'strided'

export const accessOf = ({ strides, offset = 0 }: View, shape: Shape): Access => {
  if (offset === 0 && strides.every(stride => stride === 0)) return shape.length === 0 ? 'same' : 'one'
  const own = stridesOf(shape)
  return offset === 0 && strides.every((stride, axis) => stride === own[axis]) ? 'same' : 'strided'
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

/** Names in the uniform struct, in the order of `fieldValues`. */
export const fieldsOf = (access: Access, name: string, rank: number): string[] =>
  access === 'strided' ? [`${name}_from`, ...range(rank).map(axis => `${name}_by${axis}`)] : []

export const fieldValues = (access: Access, { strides, offset = 0 }: View): number[] => (access === 'strided' ? [offset, ...strides] : [])

/** Expression of a view's place, in u32. */
export const placeText = (access: Access, name: string, rank: number): string => {
  if (access === 'same') return 'at'
  return access === 'one' ? '0u' : [`args.${name}_from`, ...range(rank).map(axis => `c${axis} * args.${name}_by${axis}`)].join(' + ')
}

/** Names of the lengths that `coordinateText` divides by: of all axes but the outermost. */
export const lengthFields = (rank: number): string[] =>
  range(rank)
    .slice(1)
    .map(axis => `length${axis}`)

/** Statements that take `at` apart into `c0`, `c1`, ... */
export const coordinateText = (rank: number): string => {
  const inner = range(rank).slice(1).reverse()
  const split = inner.map(axis => `let c${axis} = rest % args.length${axis}; rest = rest / args.length${axis};`)
  return rank === 0 ? '' : `var rest = at; ${split.join(' ')} let c0 = rest;`
}

/** The uniform struct called `args` at a binding: integers, then floats. */
export const argumentsText = (binding: number, sizes: readonly string[], params: readonly string[]): string =>
  `struct Args { ${[...sizes.map(name => `${name} : u32`), ...params.map(name => `${name} : f32`)].join(', ')} }
@group(0) @binding(${binding}) var<uniform> args : Args;`

/** Words of the uniform struct that a dispatch can take; more would reach into that of the next one. */
export const mostArguments = 64

/** WebGPU promises no more workgroups along an axis. */
export const mostWorkgroups = 65535

/** Workgroups for a number of them that may be too large for one axis; a shader counts with `group.x + group.y * groups.x`. */
export const workgroupsFor = (count: number): readonly [number, number, number] => {
  const across = Math.min(count, mostWorkgroups)
  return [across, Math.ceil(count / across), 1]
}

/** Whether element numbers fit into u32, with room for the last workgroup. */
export const isCountable = (shape: Shape): boolean => sizeOf(shape) < 2 ** 31
