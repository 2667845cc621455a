import { describe, expect, it } from 'vitest'
import type { DispatchArguments } from '../../../core/backends/gpu/device.ts'
import { mapViews } from '../../../core/backends/gpu/map.ts'
import { reduceViews } from '../../../core/backends/gpu/reduce.ts'
import { viewAs } from '../../../core/backends/gpu/view.ts'
import type { WgslDevice } from '../../../core/backends/gpu/wgsl/wgslKernel.ts'
import { wgslKernels } from '../../../core/backends/gpu/wgsl/wgslKernels.ts'
import { emitWgsl } from '../../../core/expr/emitWgsl.ts'
import { add, constant, input, mul, param } from '../../../core/expr/expr.ts'
import { sizeOf } from '../../../core/index.ts'

/** A device that computes nothing and notes the modules and numbers of each dispatch. */
const noting = () => {
  const dispatched: ({ readonly code: string; readonly workgroups: readonly number[] } & DispatchArguments)[] = []
  const device: WgslDevice = {
    launch() {
      throw new Error('a gpu.js kernel was launched')
    },
    dispatch({ code, workgroups, length }, _, given) {
      dispatched.push({ code, workgroups, ...given })
      return given?.into ?? { length }
    },
  }
  return { device, dispatched, modules: () => new Set(dispatched.map(({ code }) => code)).size }
}

const array = (shape: readonly number[]) => ({ values: { length: sizeOf(shape) }, shape })
const affine = add(mul(input(0), param(0)), input(1))

describe('WGSL with sizes at run time', () => {
  it('should use one module for all shapes that are read alike, with four elements a thread where rows allow it', () => {
    const { device, dispatched, modules } = noting()
    const map = (...shapes: readonly (readonly number[])[]) => {
      const views = shapes.map(shape => viewAs(array(shape), shapes[0]!))
      mapViews(device, shapes[0]!, views, affine, [2])
    }
    for (const shape of [[7], [64, 64], [3, 5, 2]]) map(shape, shape)
    expect(modules()).toBe(1)
    expect(dispatched.map(({ sizes }) => sizes)).toEqual([[2], [1024], [8]])
    for (const [rows, columns] of [
      [6, 8],
      [3, 4],
    ] as const)
      map([rows, columns], [rows, 1])
    expect(modules()).toBe(2)
    expect(dispatched.at(-1)!.sizes).toEqual([3, 1, 0, 1, 0])
    expect(dispatched.at(-1)!.code).toContain('result : array<vec4<f32>>')
    for (const [rows, columns] of [
      [6, 7],
      [3, 5],
    ] as const)
      map([rows, columns], [rows, 1])
    expect(modules()).toBe(3)
    expect(dispatched.at(-1)!.code).toContain('result : array<f32>')
  })

  it('should read four at a time only from places of whole vectors', () => {
    const { device, dispatched } = noting()
    const cut = (offset: number, stride: number) => mapViews(device, [2, 4], [{ ...array([64]), strides: [stride, 1], offset }])
    for (const [offset, stride] of [
      [4, 8],
      [1, 8],
      [4, 9],
    ] as const)
      cut(offset, stride)
    expect(dispatched.map(({ code }) => code.includes('result : array<vec4<f32>>'))).toEqual([true, false, false])
  })

  it('should spread many workgroups over two axes', () => {
    const { device, dispatched } = noting()
    mapViews(device, [2 ** 25], [viewAs(array([2 ** 25]), [2 ** 25])])
    expect(dispatched[0]!.workgroups).toEqual([65535, 3, 1])
  })

  it('should combine long rows in passes, with a thread a result where the results are neighbours', () => {
    const { device, dispatched } = noting()
    reduceViews(device, { combine: 'add', kept: [3], length: 70_000, views: [{ ...array([210_000]), strides: [70_000], step: 1 }] })
    expect(dispatched.map(({ workgroups }) => workgroups[0])).toEqual([15, 1])
    reduceViews(device, { combine: 'add', kept: [6400], length: 100, views: [{ ...array([640_000]), strides: [1], step: 6400 }] })
    expect(dispatched.at(-1)!.workgroups[0]).toBe(100)
  })

  it('should write parts of a result into one array, any number of them', () => {
    const { device, dispatched } = noting()
    const inputs = Array.from({ length: 9 }, () => array([2, 3]))
    const result = wgslKernels.get('concat')!(device, inputs, [2, 27], { axis: 1 })
    expect(result).toEqual({ length: 54 })
    expect(dispatched.slice(1).every(({ into }) => into === result)).toBe(true)
  })

  it('should take as many parameters as the uniform struct holds, and leave more of them to the definition', () => {
    const { device, dispatched } = noting()
    const launched: number[] = []
    const launch: WgslDevice['launch'] = (_, __, params = []) => ({ length: launched.push(params.length) })
    const sum = (count: number) => {
      const params = Array.from({ length: count }, (_, i) => i)
      const expr = params.reduce((total, i) => add(total, param(i)), input(0))
      return mapViews({ ...device, launch }, [2], [viewAs(array([2]), [2])], expr, params)
    }
    // Beside the 63 there is the size of the result.
    for (const count of [63, 64]) expect(sum(count)).toBeDefined()
    expect([dispatched.map(({ params }) => params?.length), launched]).toEqual([[63], [64]])
    expect(sum(65)).toBeUndefined()
  })

  it('should not emit constants that float32 does not have', () => {
    const options = { type: 'f32', input: String, param: String } as const
    for (const value of [Infinity, Number.NaN, 1e39]) expect(emitWgsl(add(input(0), constant(value)), options)).toBeUndefined()
    expect(emitWgsl(add(input(0), constant(1e38)), options)).toBeDefined()
  })
})
