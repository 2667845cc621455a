import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { clampStraightThrough } from '../../../algorithms/purification/clamp.ts'
import { createReference } from '../../../core/backends/reference/reference.ts'
import { grad, ops, setBackend, tensor } from '../../../core/index.ts'
import { realBetween } from '../../support/realBetween.ts'

describe('clampStraightThrough', () => {
  const values = fc.array(realBetween(-3, 3), { minLength: 1, maxLength: 20 })

  it('should have the values of the clamp exactly, and gradient 1 even where it saturates (P45)', async () => {
    setBackend(createReference())
    await fc.assert(
      fc.asyncProperty(values, async list => {
        const x = tensor(list)
        const exactly = (await ops.clamp(x, -1, 1).data()).map(value => value + 0)
        expect(await clampStraightThrough(x, -1, 1).data()).toEqual(exactly)
        expect([...(await grad((y: typeof x) => clampStraightThrough(y, -1, 1).sum())(x).data())]).toEqual(list.map(() => 1))
        const exact = await grad((y: typeof x) => ops.clamp(y, -1, 1).sum())(x).data()
        expect([...exact]).toEqual(list.map(value => (Math.abs(value) <= 1 ? 1 : 0)))
      }),
    )
  })
})
