import type { OpDefinition } from '../op.ts'
import type { SeveralAttributes } from '../ops/elementwiseAll.ts'
import type { Shape } from '../shape.ts'

export type DType = 'float32' | 'float64' | 'int32'
export type HostValues = Float32Array | Float64Array | Int32Array

/** Memory of one array on a backend, shared by tensors that view the same elements. */
export interface Storage {
  readonly dtype: DType
  /** Number of tensors that use it; at zero it is freed. */
  references: number
  /** While its computation waits for its first use: the arrays it will read, and those it will write, of one size. */
  readonly deferred?: { readonly leaves: readonly Operand[]; readonly results: readonly Storage[] } | undefined
}

/** A contiguous operand as a backend sees it. */
export interface Operand {
  readonly storage: Storage
  readonly shape: Shape
}

/** A step of a backend that can be replayed. */
export interface CapturedStorages {
  /** Kernels that a run executes. */
  readonly kernels: number
  run(inputs: readonly Operand[]): readonly Storage[]
  dispose(): void
}

/**
 * Where arrays live and ops run. Running is synchronous (or merely enqueued), reading is asynchronous, so the same
 * algorithm serves a plain loop and a GPU queue.
 */
export interface Backend {
  readonly name: string
  /** The dtype of its floating-point tensors. */
  readonly floatType: 'float32' | 'float64'
  upload(values: ArrayLike<number>, dtype: DType): Storage
  run<Attributes>(op: OpDefinition<Attributes>, inputs: readonly Operand[], attributes: Attributes, shape: Shape, dtype: DType): Storage
  /** Several elementwise functions of the same operands in one pass, on backends that can; undefined for what it does not cover. */
  runAll?(name: string, inputs: readonly Operand[], attributes: SeveralAttributes, shape: Shape): readonly Storage[] | undefined
  /** A copy of the first `size` values, in float64 or float32 or int32 as stored. */
  read(storage: Storage, size: number): Promise<HostValues>
  /** Absent on asynchronous backends. */
  readSync?(storage: Storage, size: number): HostValues
  free(storage: Storage): void
  /** Computes an array whose computation waits for its first use, on backends where this happens; whether it waited. */
  settle?(storage: Storage): boolean
  /** Waits until everything begun is computed, on backends that let the caller go on before; nothing needs it but a clock. */
  finish?(): void
  /** Runs a step once, so that it can be replayed, on backends where this is cheaper than running it again. See capture.ts. */
  capture?(inputs: readonly Operand[], step: (inputs: readonly Operand[]) => readonly Operand[]): Promise<CapturedStorages>
  /** Bytes in use and their high-water mark. */
  memory(): { readonly bytesLive: number; readonly bytesPeak: number }
}

let current: Backend | undefined

/** The backend on which new tensors are made. */
export const getBackend = (): Backend => {
  if (!current) throw new Error('no backend is selected; call setBackend(await loadBackend("cpu")) or "reference" first')
  return current
}

export const setBackend = (backend: Backend): Backend => {
  current = backend
  return backend
}

/** Runs `body` with another current backend. `body` must be synchronous. */
export const withBackend = <T>(backend: Backend, body: () => T): T => {
  const before = current
  current = backend
  try {
    return body()
  } finally {
    current = before
  }
}
