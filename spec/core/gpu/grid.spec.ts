import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { indexText, planGrid } from '../../../core/backends/gpu/grid.ts'
import { forEachIndex, sizeOf, stridesOf } from '../../../core/shape.ts'
import { runs } from '../../support/replay.ts'

/** Index texts as a JavaScript function of the thread. */
const compile = (texts: readonly string[]): ((thread: { x: number; y: number; z: number }) => number[]) =>
  new Function('thread', `return [${texts.join(', ').replaceAll('this.thread', 'thread')}]`) as never

describe('planGrid', () => {
  it('should give every element of any shape its own thread, in order', () => {
    const shapes = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 6 })
    fc.assert(
      fc.property(shapes, fc.integer({ min: -9, max: 9 }), (shape, offset) => {
        const { threads, coordinates } = planGrid(shape)!
        expect(sizeOf(threads)).toBe(sizeOf(shape))
        expect(threads.length).toBeLessThanOrEqual(3)
        const [width, height] = [threads[0]!, threads[1] ?? 1]
        const indices = compile([...coordinates, indexText(coordinates, stridesOf(shape), offset)])
        forEachIndex(shape, (at, position) => {
          const thread = { x: position % width, y: Math.floor(position / width) % height, z: Math.floor(position / (width * height)) }
          expect(indices(thread)).toEqual([...at, position + offset])
        })
      }),
      { numRuns: runs(40) },
    )
  })

  it('should divide no more threads than float32 counts, and none up to three axes', () => {
    expect(planGrid([2 ** 20, 2 ** 12, 3])!.coordinates).toEqual(['this.thread.z', 'this.thread.y', 'this.thread.x'])
    expect(planGrid([2, 2 ** 21, 2 ** 19, 2])!.threads).toEqual([2 ** 20, 2 ** 21, 2])
    expect(planGrid([2 ** 11, 2 ** 11, 2 ** 11, 2 ** 11])).toBeUndefined()
  })
})
