/** Shapes are lists of non-negative integers, outermost dimension first; `[]` is a scalar. Arrays are row-major. */
export type Shape = readonly number[]

/** A shape rule was broken. The message names the operation, the rule, the actual shapes and a remedy. */
export class ShapeError extends Error {
  override readonly name = 'ShapeError'
}

export const formatShape = (shape: Shape): string => `[${shape.join(',')}]`

/** Number of elements. */
export const sizeOf = (shape: Shape): number => {
  let product = 1
  for (let i = 0; i < shape.length; i++) product *= shape[i]!
  return product
}

export const sameShape = (a: Shape, b: Shape): boolean => {
  if (a === b) return true
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** Elements between neighbours along each dimension of a contiguous array. */
export const stridesOf = (shape: Shape): number[] => {
  const strides = new Array<number>(shape.length)
  let stride = 1
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = stride
    stride *= shape[i]!
  }
  return strides
}

/** The common shape of elementwise operands: aligned at the last dimension, a length 1 stretches. Throws ShapeError. */
export const broadcastShapes = (operation: string, ...shapes: Shape[]): Shape => {
  if (shapes.every(shape => sameShape(shape, shapes[0]!))) return shapes[0]!
  const rank = Math.max(...shapes.map(shape => shape.length))
  const result = new Array<number>(rank).fill(1)
  for (const shape of shapes) {
    for (let i = 0; i < shape.length; i++) {
      const at = rank - shape.length + i
      const length = shape[i]!
      if (length === 1 || length === result[at]) continue
      if (result[at] !== 1) {
        const listed = shapes.map(formatShape).join(' and ')
        throw new ShapeError(
          `${operation}: shapes ${listed} do not broadcast, dimension ${at} has ${result[at]} and ${length}; reshape one of them`,
        )
      }
      result[at] = length
    }
  }
  return result
}

/** Strides of `shape` seen as the broadcast `target`: 0 along stretched dimensions. */
export const broadcastStrides = (shape: Shape, target: Shape): number[] => {
  const own = stridesOf(shape)
  const skip = target.length - shape.length
  return target.map((_, i) => (i < skip || shape[i - skip] === 1 ? 0 : own[i - skip]!))
}

/** Checks that every axis is an integer within the rank and occurs once; negative axes count from the end. Sorted result. */
export const normalizeAxes = (operation: string, axes: readonly number[], rank: number): number[] => {
  const normal = axes.map(axis => (axis < 0 ? axis + rank : axis))
  for (let i = 0; i < normal.length; i++) {
    const axis = normal[i]!
    if (!Number.isInteger(axis) || axis < 0 || axis >= rank) {
      const remedy = rank === 0 ? 'a scalar has no axes' : `use ${-rank}..${rank - 1}`
      throw new ShapeError(`${operation}: axes [${axes}] leave rank ${rank}; ${remedy}`)
    }
    if (normal.indexOf(axis) !== i) throw new ShapeError(`${operation}: axis ${axes[i]} is given twice; name each axis once`)
  }
  return normal.sort((a, b) => a - b)
}

/** Calls `visit` with the index vector of every element in row-major order. The vector is reused between calls. */
export const forEachIndex = (shape: Shape, visit: (index: readonly number[], position: number) => void): void => {
  const total = sizeOf(shape)
  const index = new Array<number>(shape.length).fill(0)
  for (let position = 0; position < total; position++) {
    visit(index, position)
    for (let d = shape.length - 1; d >= 0; d--) {
      if (++index[d]! < shape[d]!) break
      index[d] = 0
    }
  }
}
