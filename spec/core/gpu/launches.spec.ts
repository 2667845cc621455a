import { describe, expect, it } from 'vitest'
import type { Device } from '../../../core/backends/gpu/device.ts'
import { mapViews } from '../../../core/backends/gpu/map.ts'
import { concatArrays } from '../../../core/backends/gpu/movement.ts'
import { reduceViews } from '../../../core/backends/gpu/reduce.ts'
import { constant, input } from '../../../core/expr/expr.ts'

/** A device that computes nothing and notes the threads of each launch. */
const noting = () => {
  const grids: (readonly number[])[] = []
  const device: Device = {
    launch({ grid }) {
      grids.push(grid)
      return { length: grid.reduce((a, b) => a * b, 1) }
    },
  }
  return { device, grids }
}

const values = { length: 6 }
const times = <T>(count: number, item: T): T[] => Array.from({ length: count }, () => item)

describe('launches', () => {
  it.each([
    [7, 1],
    [8, 0],
  ])('should read no more arrays than WebGPU promises: %i arrays take %i launches', (count, launches) => {
    const mapped = noting()
    mapViews(mapped.device, [6], times(count, { values, strides: [1] }))
    const joined = noting()
    concatArrays(joined.device, times(count, { values, shape: [6] }), 0)
    const reduced = noting()
    reduceViews(reduced.device, { combine: 'add', kept: [], length: 6, views: times(count, { values, strides: [], step: 1 }) })
    expect([mapped, joined, reduced].map(({ grids }) => grids.length)).toEqual(times(3, launches))
  })

  it('should combine long rows in passes of at most 256 elements a thread', () => {
    const { device, grids } = noting()
    reduceViews(device, { combine: 'add', kept: [3], length: 70_000, views: [{ values: { length: 210_000 }, strides: [70_000], step: 1 }] })
    expect(grids).toEqual([[274, 3], [2, 3], [3]])
  })

  it('should launch nothing for an expression that cannot be written', () => {
    const { device, grids } = noting()
    expect(mapViews(device, [6], [{ values, strides: [1] }], constant(Infinity))).toBeUndefined()
    expect(mapViews(device, [6], [{ values, strides: [1] }], input(0))).toEqual({ length: 6 })
    expect(grids).toEqual([[6]])
  })
})
