/** Plain copying and clearing, by the engine's own instructions: typed-array methods go element by element on shared memory. */
import type { Heap } from '../heap.ts'
import type { ModuleBuilder } from './assembler.ts'
import { link } from './link.ts'

const build = (m: ModuleBuilder) => {
  m.function('copy', ['i32', 'i32', 'i32'], (f, to, from, bytes) => f.get(to!).get(from!).get(bytes!).memoryCopy())
  m.function('clear', ['i32', 'i32'], (f, to, bytes) => f.get(to!).i32(0).get(bytes!).memoryFill())
}

/** Copies bytes between addresses; the ranges may overlap. */
export const copyBytes = (heap: Heap, o: { readonly from: number; readonly to: number; readonly bytes: number }): void => {
  link(heap, 'bulk', build).copy!(o.to, o.from, o.bytes)
}

/** Sets bytes to zero. */
export const clearBytes = (heap: Heap, pointer: number, bytes: number): void => {
  link(heap, 'bulk', build).clear!(pointer, bytes)
}
