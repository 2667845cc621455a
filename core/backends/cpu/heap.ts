/** The memory of the cpu backend: one growing WebAssembly memory and its allocator. */
export interface Heap {
  readonly memory: WebAssembly.Memory
  /** Whether `memory` is shared between threads. */
  readonly shared: boolean
  /** Declared maximum of `memory`, in pages of 64 KiB; modules that import it must declare the same. */
  readonly maximumPages: number
  /** A view of `length` float32 (int32) values at byte address `pointer`. Do not keep it across an allocation. */
  f32(pointer: number, length: number): Float32Array
  i32(pointer: number, length: number): Int32Array
  /** Byte address of at least `bytes` bytes, 64-byte aligned, contents undefined. Throws a named error when 4 GiB are exhausted. */
  allocate(bytes: number): number
  free(pointer: number): void
  /** Bytes handed out and not freed, and the high-water mark of that. */
  readonly bytesLive: number
  readonly bytesPeak: number
}
