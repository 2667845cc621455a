import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { loadBackend, ops, ShapeError, sizeOf, tensor, tidy } from '../../core/index.ts'
import { backendsUnderTest } from '../support/backends.ts'
import { runs } from '../support/replay.ts'

/** An operand as a function from a full index vector to its value: the oracle never computes a stride. */
interface Operand {
  readonly shape: readonly number[]
  readonly values: readonly number[]
}

/** The value at `index` of the common shape: leading dimensions are dropped and stretched ones read at 0. */
const valueAt = ({ shape, values }: Operand, index: readonly number[]): number => {
  const own = index.slice(index.length - shape.length)
  let nested: readonly number[] = values
  for (const [d, length] of shape.entries()) {
    const block = nested.length / length
    const at = length === 1 ? 0 : own[d]!
    nested = nested.slice(at * block, (at + 1) * block)
  }
  return nested[0]!
}

const indices = (shape: readonly number[]): number[][] =>
  shape.reduce<number[][]>((all, length) => all.flatMap(index => Array.from({ length }, (_, i) => [...index, i])), [[]])

const lengths = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 4 })

/** Three operands that broadcast to one shape. */
const operands: fc.Arbitrary<{ common: number[]; operands: Operand[] }> = lengths.chain(common => {
  const one = fc
    .record({ dropped: fc.nat(common.length), stretched: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }), first: fc.integer() })
    .map(({ dropped, stretched, first }): Operand => {
      const shape = common.slice(dropped).map((length, i) => (stretched[i] ? 1 : length))
      return { shape, values: Array.from({ length: sizeOf(shape) }, (_, i) => ((first + 7 * i) % 101) / 8) }
    })
  return fc.tuple(one, one, one).map(three => {
    const rank = Math.max(...three.map(({ shape }) => shape.length))
    const lengthAt = (shape: readonly number[], d: number): number => shape[d - rank + shape.length] ?? 1
    return { common: Array.from({ length: rank }, (_, d) => Math.max(...three.map(({ shape }) => lengthAt(shape, d)))), operands: three }
  })
})

describe('broadcasting', () => {
  it.each(backendsUnderTest)('should read each element where a naive oracle reads it on %s', async name => {
    const backend = await loadBackend(name)
    await fc.assert(
      fc.asyncProperty(operands, async ({ common, operands }) => {
        const result = tidy(() => {
          const [a, b, c] = operands.map(({ shape, values }) => tensor(values, shape, { backend }))
          return ops.where(a!, a!.sub(b!), b!.mul(c!))
        })
        const expected = indices(common).map(index => {
          const [a, b, c] = operands.map(x => valueAt(x, index))
          return a! !== 0 ? a! - b! : b! * c!
        })
        expect(result.shape).toEqual(common)
        expect(Array.from(await result.data(), x => x + 0)).toEqual(expected.map(x => x + 0))
        result.dispose()
      }),
      { numRuns: runs(60) },
    )
  })

  it('should refuse exactly the pairs of shapes in which a dimension differs and neither length is 1', async () => {
    const backend = await loadBackend('reference')
    fc.assert(
      fc.property(lengths, lengths, (a, b) => {
        const rank = Math.max(a.length, b.length)
        const at = (shape: number[], d: number): number => shape[d - rank + shape.length] ?? 1
        const fits = Array.from({ length: rank }, (_, d) => [at(a, d), at(b, d)]).every(([m, n]) => m === n || m === 1 || n === 1)
        const add = () =>
          tidy(
            () => void ops.add(tensor(new Array(sizeOf(a)).fill(1), a, { backend }), tensor(new Array(sizeOf(b)).fill(1), b, { backend })),
          )
        if (fits) expect(add).not.toThrow()
        else expect(add).toThrow(ShapeError)
      }),
      { numRuns: runs(200) },
    )
  })
})
