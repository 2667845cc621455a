import { afterEach, describe, expect, it } from 'vitest'
import { createHeap } from '../../../core/backends/cpu/heap.ts'
import { Lanes } from '../../../core/backends/cpu/wasm/lanes.ts'
import { hasFma, link, setExactArithmetic } from '../../../core/backends/cpu/wasm/link.ts'
import { values } from './arrays.ts'

const heap = createHeap({ maximumPages: 64 })

/** a b + c over 64 elements, by the four-lane writer. */
const mulAdd = (a: Float32Array, b: Float32Array, c: Float32Array): Float32Array => {
  const { run } = link(heap, 'test mulAdd', (m, { fma }) => {
    m.function('run', ['i32', 'i32'], (f, pointer, count) => {
      const v = new Lanes(f, fma)
      f.countdown(count!, () => {
        v.store(pointer!, v.mulAdd(v.load(pointer!), v.load(pointer!, 256), v.load(pointer!, 512)))
        f.increment(pointer!, 16)
      })
    })
  })
  const pointer = heap.allocate(768)
  for (const [k, data] of [a, b, c].entries()) heap.f32(pointer + 256 * k, 64).set(data)
  run!(pointer, 16)
  return heap.f32(pointer, 64).slice()
}

const [a, b, c] = [values(64, 1), values(64, 2), values(64, 3)] as const
const twice = a.map((x, i) => Math.fround(x * b[i]!) + c[i]!)
// The product of two floats is exact in double precision; where the sum is not, the result may be off by a double rounding.
const once = a.map((x, i) => x * b[i]! + c[i]!)

describe('link', () => {
  afterEach(() => setExactArithmetic(false))

  it('should round every multiply and add in exact arithmetic', () => {
    expect(twice).not.toEqual(once)
    setExactArithmetic(true)
    expect(hasFma()).toBe(false)
    expect(mulAdd(a, b, c)).toEqual(twice)
  })

  it('should take up exact arithmetic after a kernel has been linked without it, and back', () => {
    const before = mulAdd(a, b, c)
    setExactArithmetic(true)
    expect(mulAdd(a, b, c)).toEqual(twice)
    setExactArithmetic(false)
    expect(mulAdd(a, b, c)).toEqual(before)
    if (hasFma()) expect([once, twice]).toContainEqual(before)
  })

  it('should build a key once per heap', () => {
    let builds = 0
    const get = (h: typeof heap) =>
      link(h, 'test once', m => {
        builds++
        m.function('seven', [], f => f.i32(7), ['i32'])
      }).seven!()
    expect([get(heap), get(heap), builds]).toEqual([7, 7, 1])
    expect([get(createHeap({ maximumPages: 4, shared: false })), builds]).toEqual([7, 2])
  })
})
