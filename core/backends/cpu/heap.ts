import { MemoryError } from '../../memoryError.ts'
import { exhaustedMessage, type LiveBlock } from './exhausted.ts'
import { isOutstanding, settleThreads } from './threads/outstanding.ts'

/** Whole-memory views. The object stays the same; its fields are replaced when the memory grows, so do not copy them out. */
export interface HeapView {
  readonly f32: Float32Array
  readonly i32: Int32Array
  readonly u8: Uint8Array
}

/** The memory of the cpu backend: one growing WebAssembly memory and its allocator. */
export interface Heap {
  readonly memory: WebAssembly.Memory
  /** Whether `memory` is shared between threads. */
  readonly shared: boolean
  /** Declared maximum of `memory`, in pages of 64 KiB; modules that import it must declare the same. */
  readonly maximumPages: number
  /**
   * The whole memory, for access without making a view: the value at byte address p is `view.f32[p >>> 2]`. Waits for other
   * threads, as `f32` and `i32` do.
   */
  readonly view: HeapView
  /** A view of `length` float32 (int32) values at byte address `pointer`. Do not keep it across an allocation or a call. */
  f32(pointer: number, length: number): Float32Array
  i32(pointer: number, length: number): Int32Array
  /**
   * Byte address of at least `bytes` bytes, 64-byte aligned, contents undefined. At least 12 bytes behind them
   * belong to no one, so a vector that starts inside an array may be loaded and stored whole. Throws a named error when
   * the memory is exhausted, which lists live blocks by their `owner`: the op that asks.
   */
  allocate(bytes: number, owner?: string): number
  free(pointer: number): void
  /** Byte address of at least `bytes` bytes for use within one kernel call; the next call of `scratch` may return the same. */
  scratch(bytes: number): number
  /**
   * Byte address of at least `bytes` bytes, 64-byte aligned, for tables and descriptors that a kernel writes for its calls:
   * they stay until these are done, on whatever thread. Asked for once, before the calls that read them.
   */
  tables(bytes: number): number
  /** The whole memory, to write into `tables`: does not wait for other threads. */
  readonly tableView: HeapView
  /** Bytes handed out by `allocate` and not freed (rounded up to block sizes), and the high-water mark of that. */
  readonly bytesLive: number
  readonly bytesPeak: number
}

const pageBytes = 65536
const unitBytes = 64
/**
 * In front of each block, a whole unit so that blocks stay aligned. Only its last two words are used, for the block's owner
 * and class: the rest is slack behind the block before it, for vectors that start inside that block and end after it.
 */
const headerBytes = unitBytes
const classWord = (pointer: number): number => (pointer - 4) >>> 2
const ownerWord = (pointer: number): number => (pointer - 8) >>> 2
/** Bytes of `tables` at first, and the most that is taken so that the caller can be ahead of other threads. */
const firstTableBytes = 4096
const mostTableBytes = 2 ** 20
const growthBytes = 64 * 2 ** 20

/**
 * Size class of a block of `units` (64 bytes each): exact up to 16 units, then 8 classes per doubling, so that a block is
 * at most an eighth larger than asked.
 */
const classOf = (units: number): number => {
  if (units <= 16) return units
  const exponent = 31 - Math.clz32(units - 1)
  return 16 + (exponent - 4) * 8 + ((units - 1) >>> (exponent - 3)) - 7
}

const classUnits = (sizeClass: number): number => {
  if (sizeClass <= 16) return sizeClass
  const doubling = (sizeClass - 17) >>> 3
  return (((sizeClass - 17) & 7) + 9) * 2 ** (doubling + 1)
}

const classCount = classOf(2 ** 26) + 1

/**
 * Creates a heap. A freed block goes to the free list of its class and is handed out again by the next allocation of that
 * class, so allocating and freeing take constant time and a training step that repeats its shapes stops growing.
 */
export const createHeap = ({
  maximumPages = 65536,
  shared = typeof SharedArrayBuffer !== 'undefined',
}: {
  readonly maximumPages?: number
  readonly shared?: boolean
} = {}): Heap => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: maximumPages, shared })
  const view = { f32: new Float32Array(0), i32: new Int32Array(0), u8: new Uint8Array(0) }
  const free: number[][] = Array.from({ length: classCount }, () => [])
  let capacity = 0
  // The first unit stays unused, so that 0 is never the address of a block.
  const bottom = unitBytes + firstTableBytes
  let top = bottom
  let bytesLive = 0
  let bytesPeak = 0
  let lastOwner = 'a kernel'
  let tablePointer = unitBytes
  let tableBytes = firstTableBytes
  let tableEnd = 0
  let scratchPointer = 0
  let scratchBytes = 0

  const ownerNames: string[] = []
  const ownerIds = new Map<string, number>()
  const ownerId = (owner: string): number => {
    let id = ownerIds.get(owner)
    if (id === undefined) {
      id = ownerNames.push(owner) - 1
      ownerIds.set(owner, id)
    }
    return id
  }

  const refresh = () => {
    const { buffer } = memory
    view.f32 = new Float32Array(buffer)
    view.i32 = new Int32Array(buffer)
    view.u8 = new Uint8Array(buffer)
    capacity = buffer.byteLength
  }
  refresh()

  const tryGrow = (bytes: number): boolean => {
    const pages = Math.ceil(bytes / pageBytes)
    if (capacity / pageBytes + pages > maximumPages) return false
    try {
      memory.grow(pages)
    } catch {
      return false
    }
    refresh()
    return true
  }

  /** Extends the used part by a block of this class; 0 when the memory cannot hold it. */
  const extend = (sizeClass: number): number => {
    const end = top + headerBytes + classUnits(sizeClass) * unitBytes
    if (end + headerBytes > capacity) {
      const missing = end + headerBytes - capacity
      if (!tryGrow(Math.max(missing, Math.min(capacity, growthBytes))) && !tryGrow(missing)) return 0
    }
    const pointer = top + headerBytes
    top = end
    return pointer
  }

  /** The smallest free block of a larger class, which is better than failing; 0 when there is none. */
  const borrow = (sizeClass: number): number => {
    for (let larger = sizeClass + 1; larger < classCount; larger++) {
      const pointer = free[larger]!.pop()
      if (pointer !== undefined) {
        view.i32[classWord(pointer)] = larger
        return pointer
      }
    }
    return 0
  }

  /** The blocks in use, in the order of their addresses. */
  function* liveBlocks(): Generator<LiveBlock> {
    let bytes = 0
    for (let pointer = bottom + headerBytes; pointer < top; pointer += bytes + headerBytes) {
      const sizeClass = view.i32[classWord(pointer)]!
      bytes = classUnits(Math.abs(sizeClass)) * unitBytes
      if (sizeClass > 0) yield { bytes, owner: ownerNames[view.i32[ownerWord(pointer)]!]! }
    }
  }

  const take = (bytes: number, owner: string): number => {
    const units = Math.max(1, Math.ceil(bytes / unitBytes))
    const sizeClass = units <= 2 ** 26 ? classOf(units) : classCount
    let pointer = free[sizeClass]?.pop() ?? 0
    if (pointer === 0 && sizeClass < classCount) {
      pointer = extend(sizeClass)
      if (pointer !== 0) view.i32[classWord(pointer)] = sizeClass
      else pointer = borrow(sizeClass)
    } else if (pointer !== 0) view.i32[classWord(pointer)] = sizeClass
    if (pointer === 0) {
      throw new MemoryError(
        exhaustedMessage({ owner, bytes }, { live: bytesLive, maximum: maximumPages * pageBytes, blocks: liveBlocks() }),
      )
    }
    view.i32[ownerWord(pointer)] = ownerId(owner)
    return pointer
  }

  /** Returns a block to its free list; its size in bytes. */
  const giveBack = (pointer: number): number => {
    const header = classWord(pointer)
    const sizeClass = view.i32[header]!
    if (pointer <= bottom || pointer >= top || !(sizeClass > 0 && sizeClass < classCount)) {
      throw new Error(`heap free: address ${pointer} is not a live block; free each block once`)
    }
    view.i32[header] = -sizeClass
    free[sizeClass]!.push(pointer)
    return classUnits(sizeClass) * unitBytes
  }

  const hasRoomFor = (bytes: number): boolean => top + bytes + 2 * headerBytes <= maximumPages * pageBytes

  const enlargeTables = (bytes: number): void => {
    const pointer = take(bytes, 'tables of kernels')
    if (tablePointer !== unitBytes) giveBack(tablePointer)
    tablePointer = pointer
    tableBytes = bytes
  }

  return {
    memory,
    shared,
    maximumPages,
    get view() {
      settleThreads()
      return view
    },
    tableView: view,
    f32(pointer, length) {
      settleThreads()
      return new Float32Array(view.f32.buffer, pointer, length)
    },
    i32(pointer, length) {
      settleThreads()
      return new Int32Array(view.i32.buffer, pointer, length)
    },
    tables(bytes) {
      const size = Math.ceil(bytes / unitBytes) * unitBytes
      const isAhead = isOutstanding()
      if (!isAhead) tableEnd = 0
      if (tableEnd + size > tableBytes) {
        settleThreads()
        tableEnd = 0
        const larger = Math.max(size, isAhead && hasRoomFor(2 * tableBytes) ? Math.min(2 * tableBytes, mostTableBytes) : 0)
        if (larger > tableBytes) enlargeTables(larger)
      }
      const pointer = tablePointer + tableEnd
      tableEnd += size
      return pointer
    },
    allocate(bytes, owner = 'a kernel') {
      lastOwner = owner
      const pointer = take(bytes, owner)
      bytesLive += classUnits(view.i32[classWord(pointer)]!) * unitBytes
      if (bytesLive > bytesPeak) bytesPeak = bytesLive
      return pointer
    },
    free(pointer) {
      bytesLive -= giveBack(pointer)
    },
    scratch(bytes) {
      if (bytes > scratchBytes) {
        if (scratchPointer !== 0) giveBack(scratchPointer)
        scratchPointer = 0
        scratchBytes = 0
        scratchPointer = take(bytes, `scratch memory of ${lastOwner}`)
        scratchBytes = bytes
      }
      return scratchPointer
    },
    get bytesLive() {
      return bytesLive
    },
    get bytesPeak() {
      return bytesPeak
    },
  }
}
