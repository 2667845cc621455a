import { describe, expect, it } from 'vitest'
import { createGpu } from '../../../core/backends/gpu/gpu.ts'
import { reduceViews } from '../../../core/backends/gpu/reduce.ts'
import { abilitiesOf } from '../../../core/backends/gpu/webgpu/abilities.ts'
import { openWebgpu } from '../../../core/backends/gpu/webgpu/open.ts'
import { createWebgpuDevice } from '../../../core/backends/gpu/webgpu/webgpuDevice.ts'
import { treeText } from '../../../core/backends/gpu/wgsl/tree.ts'
import type { WgslDevice } from '../../../core/backends/gpu/wgsl/wgslKernel.ts'
import { wgslKernels } from '../../../core/backends/gpu/wgsl/wgslKernels.ts'
import { ops, sizeOf, type Tensor, tensor } from '../../../core/index.ts'
import { gpuBackendsUnderTest } from '../../support/backends.ts'
import { expectAllNear } from '../../support/numbers.ts'

it('should be enabled in the modules of reductions, softmax and normalisation where they are to be used', () => {
  const modules = (wgsl: WgslDevice['wgsl']): string[] => {
    const codes: string[] = []
    const device: WgslDevice = {
      launch() {
        throw new Error('a gpu.js kernel was launched')
      },
      dispatch({ code, length }) {
        codes.push(code)
        return { length }
      },
      ...(wgsl && { wgsl }),
    }
    const array = (shape: readonly number[]) => ({ values: { length: sizeOf(shape) }, shape })
    reduceViews(device, { combine: 'add', kept: [3], length: 70, views: [{ ...array([210]), strides: [70], step: 1 }] })
    wgslKernels.get('softmax')!(device, [array([3, 70])], [3, 70], null)
    wgslKernels.get('groupNorm')!(device, [array([2, 4, 9]), array([4]), array([4])], [2, 4, 9], { groups: 2, epsilon: 1e-5, silu: false })
    return codes
  }
  const enabled = (wgsl: WgslDevice['wgsl']) => modules(wgsl).map(code => /^enable subgroups;\n[\s\S]*subgroupAdd/.test(code))
  expect(enabled({ subgroups: true })).toEqual([true, true, true])
  for (const without of [undefined, {}, { subgroups: false }])
    expect(modules(without).map(code => code.includes('subgroup'))).toEqual([false, false, false])
})

const opened = gpuBackendsUnderTest.includes('gpu:webgpu') ? await openWebgpu() : undefined

describe.skipIf(!opened?.features.includes('subgroups'))('subgroups', () => {
  it.each([64, 256])('should give every one of %i threads the sum and the maximum of all, call after call', async threads => {
    const device = createWebgpuDevice(opened!.device)
    const code = `enable subgroups;
@group(0) @binding(0) var<storage, read> x : array<f32>;
@group(0) @binding(1) var<storage, read_write> y : array<f32>;
${treeText(threads, 'add', { name: 'sum', subgroups: true })}
${treeText(threads, 'max', { name: 'most', subgroups: true })}
@compute @workgroup_size(${threads}) fn main(@builtin(local_invocation_index) lane : u32) {
  y[lane] = sum(x[lane], lane);
  y[${threads}u + lane] = sum(2.0 * x[lane], lane);
  y[${2 * threads}u + lane] = most(x[lane] - ${2 ** 24}.0, lane);
}`
    // Powers of two, so that no term of the sum can be missing or twice: up to 24 of them make an exact sum. One thread has the
    // largest, and less 2^24 all are negative, so that a maximum of some of them, or of them and 0, is another.
    const x = Float32Array.from({ length: threads }, (_, i) => (i % 11 === 3 ? 2 ** Math.floor(i / 11) : 0))
    const total = x.reduce((sum, v) => sum + v, 0)
    const launcher = device.launcher({ description: 'sums', created: new Error() })
    const y = launcher.dispatch!({ code, workgroups: [1, 1, 1], length: 3 * threads }, [device.upload(x)])
    const all = (value: number): number[] => Array.from({ length: threads }, () => value)
    expect([...(await device.read(y, 3 * threads))]).toEqual([...all(total), ...all(2 * total), ...all(Math.max(...x) - 2 ** 24)])
  })

  it.each<[string, readonly number[], (x: Tensor) => Tensor]>([
    ['softmax', [3, 131], x => ops.softmax(x)],
    ['sum', [3, 700], x => x.sum([1])],
    ['max', [3, 700], x => x.max([1])],
    [
      'groupNorm',
      [2, 6, 7, 5],
      x =>
        ops.groupNorm(
          x,
          ops.add(x.slice([0, 0, 0, 0], [1, 6, 1, 1]).reshape([6]), 1),
          tensor(new Float32Array(6), [6], { backend: x.backend }),
          { groups: 2 },
        ),
    ],
  ])('should change %s by rounding only', async (_, shape, call) => {
    const values = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(1.7 * i))
    const on = async (subgroups: boolean) =>
      call(tensor(values, shape, { backend: await createGpu('webgpu', { abilities: { subgroups } }) })).data()
    const [used, not] = [await on(true), await on(false)]
    expectAllNear(used, not, 1e-6)
  })

  it('should be used where the adapter has them, unless told otherwise', () => {
    const has = (features: readonly string[], given?: boolean) =>
      abilitiesOf({ ...opened!, features }, given === undefined ? {} : { subgroups: given }).subgroups
    expect([has(['subgroups']), has(['subgroups'], false), has([]), has([], true)]).toEqual([true, false, false, false])
  })
})
