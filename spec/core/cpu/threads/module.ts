import type { Heap } from '../../../../core/backends/cpu/heap.ts'
import { type Linked, link } from '../../../../core/backends/cpu/wasm/link.ts'

/** Functions that show what a thread does: `addTo(cell, value)`, `copy(to, from)`, `signal(cell)`, and `await(cell, turns, left)`, which stores how many were left. */
export const linkProbe = (heap: Heap): Linked =>
  link(heap, 'threads probe', m => {
    m.function('addTo', ['i32', 'f32'], (f, cell, value) => {
      f.get(cell!).get(cell!).mem('f32Load').get(value!).op('f32Add').mem('f32Store')
    })
    m.function('copy', ['i32', 'i32'], (f, to, from) => f.get(to!).get(from!).mem('i32Load').mem('i32Store'))
    m.function('signal', ['i32'], (f, cell) => f.get(cell!).i32(1).mem('i32Store'))
    m.function('await', ['i32', 'i32', 'i32'], (f, cell, turns, left) => {
      f.countdown(turns!, () => f.get(cell!).mem('i32Load').branchIf(1))
      f.get(left!).get(turns!).mem('i32Store')
    })
  })

/** Turns of `await` that take seconds: longer than a busy machine keeps a thread waiting. */
export const manyTurns = 2 ** 31 - 1

/** An address outside every memory. */
export const nowhere = -64
