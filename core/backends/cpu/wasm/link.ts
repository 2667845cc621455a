import { setFlagsFromString } from 'node:v8'
import type { Heap } from '../heap.ts'
import { settleThreads } from '../threads/outstanding.ts'
import { ModuleBuilder } from './assembler.ts'

/** The exported functions of a linked module; addresses and counts are i32, scalars f32. */
export type Linked = Record<string, (...args: number[]) => number>

export interface BuildOptions {
  /** Whether the code may use `f32x4RelaxedMadd`; without it, a multiply and an add, each rounded. */
  readonly fma: boolean
}

let exact = false
let supported: boolean | undefined

const probe = (): boolean => {
  const m = new ModuleBuilder()
  m.function('probe', [], f => {
    f.f32x4(1).f32x4(1).f32x4(1).simd('f32x4RelaxedMadd').op('drop')
  })
  return WebAssembly.validate(m.encode({ shared: false, maximumPages: 1 }))
}

/** Node 20 has relaxed SIMD behind a flag, which takes effect for modules compiled after it is set. */
const detect = (): boolean => {
  if (probe()) return true
  setFlagsFromString('--experimental-wasm-relaxed-simd')
  return probe()
}

/** Whether kernels are emitted with fused multiply-add: the engine has it and exact arithmetic is off. */
export const hasFma = (): boolean => {
  supported ??= detect()
  return supported && !exact
}

/**
 * Exact arithmetic: every multiply and add rounds on its own, so results are the same bits on every host. A relaxed
 * multiply-add may round once or twice, as the processor likes. Kernels linked before keep their mode; `link` looks again.
 */
export const setExactArithmetic = (on: boolean): void => {
  exact = on
}

/** Whether exact arithmetic is on; kernels that trade accuracy for speed (Winograd) then take the direct path. */
export const isExactArithmetic = (): boolean => exact

/** What another thread needs to link the same module. Its functions have the numbers from `first` on, in the order of `names`. */
export interface LinkedSource {
  readonly module: WebAssembly.Module
  readonly memory: WebAssembly.Memory
  readonly names: readonly string[]
  readonly first: number
}

const sources = new WeakMap<Linked, LinkedSource>()
let functionCount = 0

/** Where the functions of `link` come from. */
export const sourceOf = (linked: Linked): LinkedSource => sources.get(linked)!

/** A function that waits for other threads first, so that nobody need think of what these still compute. */
const afterOthers =
  (run: Linked[string]): Linked[string] =>
  (...values) => {
    settleThreads()
    return run(...values)
  }

type Cache = Map<string, Linked>
const caches = new WeakMap<Heap, { readonly fused: Cache; readonly plain: Cache }>()

/** Compiles the module that `build` emits and links it with the heap's memory; cached by heap, key and use of FMA. */
export const link = (heap: Heap, key: string, build: (m: ModuleBuilder, options: BuildOptions) => void): Linked => {
  let both = caches.get(heap)
  if (!both) {
    both = { fused: new Map(), plain: new Map() }
    caches.set(heap, both)
  }
  const fma = hasFma()
  const cache = fma ? both.fused : both.plain
  let linked = cache.get(key)
  if (!linked) {
    const m = new ModuleBuilder()
    build(m, { fma })
    const module = new WebAssembly.Module(m.encode(heap))
    const { exports } = new WebAssembly.Instance(module, { env: { memory: heap.memory } })
    linked = Object.fromEntries(Object.entries(exports as Linked).map(([name, run]) => [name, afterOthers(run)]))
    const names = Object.keys(linked)
    sources.set(linked, { module, memory: heap.memory, names, first: functionCount })
    functionCount += names.length
    cache.set(key, linked)
  }
  return linked
}
