import { broadcastStrides, type Shape } from '../../shape.ts'
import type { DeviceArray, GpuArray } from './device.ts'

/** An array read with a stride (in elements) along each axis of some shape, from an offset: broadcast, permuted or cut out. */
export interface View {
  readonly values: DeviceArray
  readonly strides: readonly number[]
  readonly offset?: number
}

/** An array seen as the broadcast shape `target`. */
export const viewAs = ({ values, shape }: GpuArray, target: Shape): View => ({ values, strides: broadcastStrides(shape, target) })

/** The same elements in the same order with as few axes as every view allows; axes of length 1 are dropped. */
export const collapse = (shape: Shape, views: readonly View[]): { readonly shape: number[]; readonly views: readonly View[] } => {
  const sizes: number[] = []
  const strides: number[][] = views.map(() => [])
  for (let axis = 0; axis < shape.length; axis++) {
    const size = shape[axis]!
    if (size === 1) continue
    const mergeable = sizes.length > 0 && views.every((view, k) => strides[k]!.at(-1) === view.strides[axis]! * size)
    if (mergeable) sizes[sizes.length - 1]! *= size
    else sizes.push(size)
    for (const [k, view] of views.entries()) {
      if (mergeable) strides[k]!.pop()
      strides[k]!.push(view.strides[axis]!)
    }
  }
  return { shape: sizes, views: views.map((view, k) => ({ ...view, strides: strides[k]! })) }
}

/** Most arrays a kernel reads: WebGPU promises eight storage buffers, one is the result. */
export const mostInputs = 7
