import { describe, expect, it } from 'vitest'
import type { DispatchArguments } from '../../../core/backends/gpu/device.ts'
import { createWebgpuDevice } from '../../../core/backends/gpu/webgpu/webgpuDevice.ts'

/** A device that takes everything and computes nothing. */
const fakeDevice = () => {
  const made: unknown[] = []
  const device = {
    limits: { maxBufferSize: 2 ** 28, maxStorageBufferBindingSize: 2 ** 27 },
    lost: new Promise(() => undefined),
    pushErrorScope: () => undefined,
    popErrorScope: async () => null,
    createBuffer: ({ size }: { readonly size: number }) => {
      made.push(size)
      return { size, destroy: () => undefined }
    },
    createBindGroupLayout: () => ({}),
    createPipelineLayout: () => ({}),
    createShaderModule: () => ({}),
    createComputePipelineAsync: async () => ({}),
  }
  return { device: device as unknown as GPUDevice, made }
}

const shader = { code: 'fn main() {}', workgroups: [1, 1, 1], length: 2 } as const
const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

describe('sizes and parameters of one dispatch', () => {
  it.each(['dispatch', 'dispatchAll'] as const)('should be refused where they would reach into those of the next one: %s', kind => {
    const { device, made } = fakeDevice()
    const launcher = createWebgpuDevice(device).launcher({ description: 'scale [2] -> [2]', created: new Error() })
    const call = (given: DispatchArguments) =>
      kind === 'dispatch' ? launcher.dispatch!(shader, [], given) : launcher.dispatchAll!(shader, [], { ...given, results: 2 })
    const before = made.length
    expect(() => call({ sizes: numbers(60), params: numbers(5) })).toThrow(
      /^scale \[2\] -> \[2\]: 60 sizes and 5 parameters are more than the 64 numbers that one dispatch takes; use --backend cpu, [^\n]*$/,
    )
    for (const given of [{ sizes: numbers(65) }, { params: numbers(65) }]) expect(() => call(given)).toThrow(/more than the 64/)
    expect(made.length, 'no buffer is taken for a refused result').toBe(before)
    expect(() => call({ sizes: numbers(60), params: numbers(4) })).not.toThrow()
  })
})
