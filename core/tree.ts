import { Tensor } from './tensor.ts'

/** A tensor, or arrays and plain records of trees: parameters, batches, optimizer states. */
export type Tree = Tensor | readonly Tree[] | { readonly [key: string]: Tree }

/** The same value with every tensor in it replaced; values that are no tensor, array or plain record stay. */
export const mapTensors = <T>(value: T, map: (tensor: Tensor) => Tensor): T => {
  if (value instanceof Tensor) return map(value) as T
  if (Array.isArray(value)) return value.map(item => mapTensors(item, map)) as T
  if (value !== null && typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
    const result: Record<string, unknown> = {}
    for (const [key, item] of Object.entries(value)) result[key] = mapTensors(item, map)
    return result as T
  }
  return value
}

/** Calls `visit` with every tensor of a value, in the order of `mapTensors`. */
export const visitTensors = (value: unknown, visit: (tensor: Tensor) => void): void => {
  if (value instanceof Tensor) visit(value)
  else if (Array.isArray(value)) for (const item of value) visitTensors(item, visit)
  else if (value !== null && typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
    for (const item of Object.values(value)) visitTensors(item, visit)
  }
}

/** The tensors of a value, in a fixed order. */
export const tensorsOf = (value: unknown): Tensor[] => {
  const found: Tensor[] = []
  visitTensors(value, tensor => found.push(tensor))
  return found
}
