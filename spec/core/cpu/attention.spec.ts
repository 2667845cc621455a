import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { attention, attentionGrad } from '../../../core/backends/cpu/attention.ts'
import { createHeap } from '../../../core/backends/cpu/heap.ts'
import { setExactArithmetic } from '../../../core/backends/cpu/wasm/link.ts'
import '../../../core/index.ts'
import { opRegistry } from '../../../core/op.ts'
import { runs } from '../../support/replay.ts'
import { difference, runKernel, size, values } from './arrays.ts'

/** The laws hold attention to its definition on a few positions; here are more of them than a block has. */
const heap = createHeap({ maximumPages: 2048 })

interface Sizes {
  readonly batch: number
  readonly heads: number
  readonly d: number
  readonly n: number
  readonly m: number
}

const given = ({ batch, heads, d, n, m }: Sizes) => {
  const query = [batch, heads * d, n]
  const key = [batch, heads * d, m]
  return [query, key, key, query].map((shape, k) => ({ shape, data: values(size(shape), k + 1) }))
}

const define = (name: string, inputs: ReturnType<typeof given>, heads: number): Float64Array => {
  const op = opRegistry.get(name)!
  const shape = op.shape(
    inputs.map(x => x.shape),
    { heads },
  )
  const output = { values: new Float64Array(size(shape)), shape }
  op.define(
    inputs.map(({ shape, data }) => ({ shape, values: Float64Array.from(data) })),
    output,
    { heads },
  )
  return output.values
}

describe('attention', () => {
  afterEach(() => setExactArithmetic(false))

  it('should equal its definition, forward and gradients, across blocks of queries', () => {
    const sizes = fc.record({
      batch: fc.integer({ min: 1, max: 2 }),
      heads: fc.integer({ min: 1, max: 2 }),
      d: fc.integer({ min: 1, max: 9 }),
      n: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 60, max: 140 })),
      m: fc.integer({ min: 1, max: 40 }),
      exact: fc.boolean(),
    })
    fc.assert(
      fc.property(sizes, ({ exact, ...s }) => {
        setExactArithmetic(exact)
        const inputs = given(s)
        const attributes = { heads: s.heads }
        const y = runKernel(heap, attention, { inputs: inputs.slice(0, 3), shape: inputs[0]!.shape, attributes })!
        expect(difference(y, define('attention', inputs.slice(0, 3), s.heads))).toBeLessThan(5e-6)
        const expected = define('attentionGrad', inputs, s.heads)
        const gradient = runKernel(heap, attentionGrad, { inputs, shape: [expected.length], attributes })!
        expect(difference(gradient, expected)).toBeLessThan(6e-5)
      }),
      { numRuns: runs(40) },
    )
  })

  it('should stay finite for large scores and keep a NaN to its query', () => {
    const inputs = given({ batch: 1, heads: 1, d: 2, n: 9, m: 5 }).slice(0, 3)
    const query = inputs[0]!.data.map((x, i) => (i === 4 ? Number.NaN : 1e4 * x))
    const y = runKernel(heap, attention, {
      inputs: [{ ...inputs[0]!, data: query }, ...inputs.slice(1)],
      shape: [1, 2, 9],
      attributes: { heads: 1 },
    })!
    expect(Array.from(y, Number.isNaN)).toEqual(Array.from(y, (_, i) => i % 9 === 4))
  })
})
