import { type Backend, type DType, getBackend, type HostValues, type Storage } from './backends/backend.ts'
import { type Scope, track } from './memory.ts'
import * as ops from './ops/index.ts'
import { formatShape, type Shape, ShapeError, sizeOf } from './shape.ts'
import type { Node } from './tape.ts'
import { requireWholeNumber } from './wholeNumber.ts'

const safetyNet = new FinalizationRegistry<{ backend: Backend; storage: Storage }>(({ backend, storage }) => release(backend, storage))

const release = (backend: Backend, storage: Storage): void => {
  if (--storage.references === 0) backend.free(storage)
}

let live = 0
/** Number of tensors made and not yet freed. */
export const liveTensors = (): number => live

/**
 * An immutable n-dimensional array on a backend. Methods are thin calls of the ops in core/ops; they return at once, with
 * the shape checked. Values leave by `await t.data()`, or `t.dataSync()` on synchronous backends.
 */
export class Tensor {
  /** How it was computed, while a gradient is traced. */
  node: Node | undefined
  /** Who frees it, and its neighbours there. */
  scope: Scope | undefined
  before: Tensor | undefined
  after: Tensor | undefined
  private gone = false
  private watched = false

  constructor(
    readonly backend: Backend,
    readonly storage: Storage,
    readonly shape: Shape,
  ) {
    live++
  }

  get dtype(): DType {
    return this.storage.dtype
  }
  get rank(): number {
    return this.shape.length
  }
  get size(): number {
    return sizeOf(this.shape)
  }
  get disposed(): boolean {
    return this.gone
  }

  /** A copy of the values, row-major. */
  async data(): Promise<HostValues> {
    this.assertLive('data')
    return this.backend.read(this.storage, this.size)
  }

  /** A copy of the values at once; throws on asynchronous backends. */
  dataSync(): HostValues {
    this.assertLive('dataSync')
    if (!this.backend.readSync) throw new Error(`dataSync: backend "${this.backend.name}" is asynchronous; use await t.data()`)
    return this.backend.readSync(this.storage, this.size)
  }

  /** The single value of a one-element tensor. */
  async item(): Promise<number> {
    if (this.size !== 1) throw new ShapeError(`item: shape ${formatShape(this.shape)} has ${this.size} elements, not 1; reduce it first`)
    return (await this.data())[0]!
  }

  /** Frees the memory. Using the tensor afterwards throws; disposing twice is harmless. */
  dispose(): void {
    if (this.gone) return
    this.gone = true
    live--
    this.scope?.leave(this)
    if (this.watched) safetyNet.unregister(this)
    release(this.backend, this.storage)
  }

  /** Lets the garbage collector free it, should it be forgotten outside every scope. */
  watch(): void {
    if (this.watched || this.gone) return
    this.watched = true
    safetyNet.register(this, { backend: this.backend, storage: this.storage }, this)
  }

  private assertLive(operation: string): void {
    if (this.gone)
      throw new Error(`${operation}: a tensor of shape ${formatShape(this.shape)} was disposed; keep() it or return it from tidy()`)
  }

  add(other: Tensor | number): Tensor {
    return ops.add(this, other)
  }
  sub(other: Tensor | number): Tensor {
    return ops.sub(this, other)
  }
  mul(other: Tensor | number): Tensor {
    return ops.mul(this, other)
  }
  div(other: Tensor | number): Tensor {
    return ops.div(this, other)
  }
  maximum(other: Tensor | number): Tensor {
    return ops.maximum(this, other)
  }
  minimum(other: Tensor | number): Tensor {
    return ops.minimum(this, other)
  }
  neg(): Tensor {
    return ops.neg(this)
  }
  square(): Tensor {
    return ops.square(this)
  }
  abs(): Tensor {
    return ops.abs(this)
  }
  sign(): Tensor {
    return ops.sign(this)
  }
  exp(): Tensor {
    return ops.exp(this)
  }
  log(): Tensor {
    return ops.log(this)
  }
  sqrt(): Tensor {
    return ops.sqrt(this)
  }
  clamp(low: number, high: number): Tensor {
    return ops.clamp(this, low, high)
  }
  /** Sum over `axes` (default all); `keepDims` leaves them with length 1. */
  sum(axes?: readonly number[], o: { keepDims?: boolean } = {}): Tensor {
    return ops.sum(this, { axes, ...o })
  }
  mean(axes?: readonly number[], o: { keepDims?: boolean } = {}): Tensor {
    return ops.mean(this, { axes, ...o })
  }
  max(axes?: readonly number[], o: { keepDims?: boolean } = {}): Tensor {
    return ops.max(this, { axes, ...o })
  }
  matmul(other: Tensor): Tensor {
    return ops.matmul(this, other)
  }
  /** Same elements in another shape; one length may be -1. */
  reshape(shape: Shape): Tensor {
    return ops.reshape(this, shape)
  }
  permute(axes: readonly number[]): Tensor {
    return ops.permute(this, axes)
  }
  broadcastTo(shape: Shape): Tensor {
    return ops.broadcastTo(this, shape)
  }
  slice(starts: readonly number[], sizes: readonly number[]): Tensor {
    return ops.slice(this, { starts, sizes })
  }
}

/** Wraps a storage that was just made. */
export const makeTensor = (backend: Backend, storage: Storage, shape: Shape): Tensor => {
  const tensor = new Tensor(backend, storage, shape)
  track(tensor)
  return tensor
}

/** Another tensor over the same memory, perhaps with another shape of the same size. It has no history. */
export const alias = (x: Tensor, shape: Shape = x.shape): Tensor => {
  if (x.disposed) throw new Error(`alias: a tensor of shape ${formatShape(x.shape)} was disposed; keep() it or return it from tidy()`)
  x.storage.references++
  return makeTensor(x.backend, x.storage, shape)
}

export interface TensorOptions {
  readonly dtype?: 'float' | 'int32'
  readonly backend?: Backend
}

/**
 * A tensor of the given values, row-major. Floating-point tensors have the backend's precision.
 * Throws ShapeError when the number of values is not that of the shape.
 */
export const tensor = (values: ArrayLike<number>, shape: Shape = [values.length], options: TensorOptions = {}): Tensor => {
  const backend = options.backend ?? getBackend()
  if (values.length !== sizeOf(shape) || shape.some(length => !Number.isInteger(length) || length < 0)) {
    throw new ShapeError(`tensor: shape ${formatShape(shape)} needs ${sizeOf(shape)} values, got ${values.length}; correct one of them`)
  }
  return makeTensor(backend, backend.upload(values, options.dtype === 'int32' ? 'int32' : backend.floatType), [...shape])
}

/** A tensor of one value everywhere. Throws RangeError when a length is no whole number of at least 0. */
export const full = (shape: Shape, value: number, options: TensorOptions = {}): Tensor => {
  for (const length of shape) requireWholeNumber('full', 'a length', length, 0)
  return tensor(new Float64Array(sizeOf(shape)).fill(value), shape, options)
}
export const zeros = (shape: Shape, options: TensorOptions = {}): Tensor => full(shape, 0, options)
export const ones = (shape: Shape, options: TensorOptions = {}): Tensor => full(shape, 1, options)
export const scalar = (value: number, options: TensorOptions = {}): Tensor => full([], value, options)
