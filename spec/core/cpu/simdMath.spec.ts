import { afterEach, describe, expect, it } from 'vitest'
import { createHeap } from '../../../core/backends/cpu/heap.ts'
import type { Local } from '../../../core/backends/cpu/wasm/assembler.ts'
import { Lanes } from '../../../core/backends/cpu/wasm/lanes.ts'
import { link, setExactArithmetic } from '../../../core/backends/cpu/wasm/link.ts'
import { boundedExp2, cos, erf, exp, log, sigmoid, sin, tanh } from '../../../core/backends/cpu/wasm/simdMath.ts'
import { evaluate } from '../../../core/expr/emitJs.ts'
import { input } from '../../../core/expr/expr.ts'

const heap = createHeap({ maximumPages: 64 })

const emitters = { exp, log, tanh, sigmoid, erf, sin, cos, boundedExp2 } satisfies Record<string, (v: Lanes, x: Local) => Local>
type Name = Exclude<keyof typeof emitters, 'boundedExp2'>

const apply = (name: keyof typeof emitters, xs: Float32Array): Float32Array => {
  const { run } = link(heap, `test ${name}`, (m, { fma }) => {
    m.function('run', ['i32', 'i32'], (f, pointer, count) => {
      const body = emitters[name]
      f.countdown(count!, () => {
        const v = new Lanes(f, fma)
        v.store(pointer!, body(v, v.load(pointer!)))
        f.increment(pointer!, 16)
      })
    })
  })
  const pointer = heap.allocate(xs.byteLength)
  heap.f32(pointer, xs.length).set(xs)
  run!(pointer, Math.ceil(xs.length / 4))
  const ys = heap.f32(pointer, xs.length).slice()
  heap.free(pointer)
  return ys
}

/** Spacing of float32 numbers at |y|. */
const ulp = (y: number): number => 2 ** (Math.max(Math.floor(Math.log2(Math.abs(y))), -126) - 23)

const worst = (name: Name, xs: Float32Array, absolute = 0): { error: number; at: number } => {
  let found = { error: 0, at: 0 }
  apply(name, xs).forEach((y, i) => {
    const truth = evaluate({ kind: 'unary', name, x: input(0) }, [xs[i]!])
    const rounded = Math.fround(truth)
    if (!Number.isFinite(rounded)) {
      expect(y, `${name}(${xs[i]})`).toBe(rounded)
      return
    }
    const error = Math.abs(y - truth) <= absolute ? 0 : Math.abs(y - truth) / ulp(truth === 0 ? 2 ** -126 : truth)
    if (!(error <= found.error)) found = { error, at: xs[i]! }
  })
  return found
}

const specials = [0, -0, 1, -1, Infinity, -Infinity, NaN, 1e-45, -1e-45, 1e-38, -1e-38, 2 ** -126, 3.4e38, -3.4e38]
const linear = (from: number, to: number) => Float32Array.from({ length: 20000 }, (_, i) => from + ((to - from) * i) / 19999)
/** All magnitudes, both signs. */
const geometric = Float32Array.from({ length: 20000 }, (_, i) => (i % 2 ? -1 : 1) * 2 ** (-149 + (277 * i) / 20000))

const bounds: Record<Name, { range: Float32Array[]; ulps: number; absolute?: number }> = {
  exp: { range: [linear(-106, 90), linear(-1, 1), geometric], ulps: 2 },
  log: { range: [linear(0, 10), linear(0.5, 2), geometric.map(Math.abs), geometric], ulps: 2 },
  tanh: { range: [linear(-10, 10), linear(-1, 1), geometric], ulps: 3 },
  sigmoid: { range: [linear(-106, 106), linear(-2, 2), geometric], ulps: 3 },
  erf: { range: [linear(-5, 5), linear(-1.2, 1.2), geometric], ulps: 2 },
  sin: { range: [linear(-10, 10), linear(-3000, 3000), geometric.filter(x => Math.abs(x) < 2 ** 20)], ulps: 2, absolute: 1e-8 },
  cos: { range: [linear(-10, 10), linear(-3000, 3000), geometric.filter(x => Math.abs(x) < 2 ** 20)], ulps: 2, absolute: 1e-8 },
}

describe.each([false, true])('vector functions, exact arithmetic %s', exact => {
  afterEach(() => setExactArithmetic(false))

  it.each(Object.keys(bounds) as Name[])('should keep %s within its stated error', name => {
    setExactArithmetic(exact)
    const { range, ulps, absolute } = bounds[name]
    for (const xs of range) {
      const { error, at } = worst(name, xs, absolute)
      expect(error, `${name}(${at})`).toBeLessThanOrEqual(ulps)
    }
    const small = name === 'sin' || name === 'cos' ? specials.filter(x => !(Math.abs(x) > 1e38 && Number.isFinite(x))) : specials
    expect(worst(name, Float32Array.from(small)).error).toBeLessThanOrEqual(ulps)
  })

  it('should keep powers of two up to one within one and a half units in the last place', () => {
    setExactArithmetic(exact)
    for (const xs of [linear(-100, 0), linear(-1, 0)]) {
      const errors = apply('boundedExp2', xs).map((y, i) => Math.abs(y - 2 ** xs[i]!) / ulp(2 ** xs[i]!))
      expect(Math.max(...errors)).toBeLessThanOrEqual(1.5)
    }
    expect([...apply('boundedExp2', Float32Array.of(-101, -Infinity, NaN, -0))]).toEqual([2 ** -100, 2 ** -100, NaN, 1])
  })
})

describe('sin and cos', () => {
  it('should give NaN where the argument has no digits left', () => {
    expect([...apply('sin', Float32Array.of(2 ** 30, -(2 ** 31))), ...apply('cos', Float32Array.of(1e30))]).toEqual([NaN, NaN, NaN])
  })
})
