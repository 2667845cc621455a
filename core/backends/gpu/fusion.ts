import { emitWgsl } from '../../expr/emitWgsl.ts'
import type { InternedExpr } from '../../expr/intern.ts'
import type { SeveralAttributes } from '../../ops/elementwiseAll.ts'
import type { DType } from '../backend.ts'
import type { Deferred, FusibleStorage } from '../fusion/deferred.ts'
import { createFusion, type Fusion } from '../fusion/fusion.ts'
import type { DeviceArray, GpuArray } from './device.ts'
import { mostInputs } from './view.ts'

/** Floating-point values live on the device, integers (labels) stay on the host. */
export interface GpuStorage extends FusibleStorage {
  /** Undefined while it is deferred. */
  values: DeviceArray | Int32Array | undefined
}

export const gpuStorage = (values: GpuStorage['values'], size: number, dtype: DType): GpuStorage => ({
  values,
  size,
  dtype,
  references: 1,
  deferred: undefined,
  readers: undefined,
})

export const isInteger = ({ dtype }: { readonly dtype: DType }): boolean => dtype === 'int32'

/** What fusion needs of the backend. */
export interface GpuMemory {
  /** Computes elementwise functions at once, in one pass. */
  elementwiseAll(name: string, inputs: readonly GpuArray[], shape: readonly number[], attributes: SeveralAttributes): readonly DeviceArray[]
  free(storage: GpuStorage): void
  /** Notes that an array has memory now. */
  allocated(storage: GpuStorage): void
}

/** A processor computes far more than it reads, so dear expressions are taken in too; the uniform struct bounds rank and scalars. */
const limits = { leaves: mostInputs, params: 8, rank: 5, cost: 32 }

const acceptable = new WeakMap<InternedExpr, boolean>()

const isAcceptable = (interned: InternedExpr): boolean => {
  let known = acceptable.get(interned)
  if (known === undefined) {
    known = emitWgsl(interned.expr, { type: 'f32', input: String, param: String }) !== undefined
    acceptable.set(interned, known)
  }
  return known
}

/** Fusion on a device with WGSL. A compiler may join operations of a chain into one rounding: the last bits may differ from unfused ops. */
export const createGpuFusion = ({ elementwiseAll, free, allocated }: GpuMemory): Fusion =>
  createFusion({
    limits,
    create: size => gpuStorage(undefined, size, 'float32'),
    accepts: isAcceptable,
    mayReplace: (storage, leaf) => leaf.size === storage.size,
    compute({ name, exprs, leaves, params, shape, results }: Deferred, heirs) {
      const inputs = leaves.map(leaf => ({ values: (leaf.storage as GpuStorage).values as DeviceArray, shape: leaf.shape }))
      const arrays = elementwiseAll(name, inputs, shape, { exprs, params })
      for (const [i, values] of arrays.entries()) {
        const computed = results[i] as GpuStorage
        computed.values = values
        allocated(computed)
      }
      // A shader cannot write what it reads, so what the heirs have goes back to the pool.
      for (const heir of heirs) free(heir as GpuStorage)
    },
    free: storage => free(storage as GpuStorage),
  })
