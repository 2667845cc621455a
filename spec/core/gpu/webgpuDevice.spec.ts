import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import type { GpuDevice, Origin, Shader } from '../../../core/backends/gpu/device.ts'
import { openWebgpu } from '../../../core/backends/gpu/webgpu/open.ts'
import { createWebgpuDevice } from '../../../core/backends/gpu/webgpu/webgpuDevice.ts'
import { gpuBackendsUnderTest } from '../../support/backends.ts'

const origin = (description: string): Origin => ({ description, created: new Error() })

/** y = x * 2 of one element per workgroup. */
const doubled = (length: number, change: Partial<Shader> = {}): Shader => ({
  code: `@group(0) @binding(0) var<storage, read> x : array<f32>;
@group(0) @binding(1) var<storage, read_write> y : array<f32>;
@compute @workgroup_size(1) fn main(@builtin(workgroup_id) at : vec3<u32>) { y[at.x] = 2 * x[at.x]; }`,
  workgroups: [length, 1, 1],
  length,
  ...change,
})

const run = (device: GpuDevice, name: string, shader: Shader, ...inputs: Parameters<GpuDevice['free']>) =>
  device.launcher(origin(name)).dispatch!(shader, inputs)

describe.skipIf(!gpuBackendsUnderTest.includes('gpu:webgpu'))('the webgpu device', async () => {
  const open = (await openWebgpu())!
  const make = () => createWebgpuDevice(open.device)

  it('should reject the read of what a broken shader should have made, with the op, the fault and the calling line', async () => {
    const device = make()
    const x = device.upload(Float32Array.of(1, 2))
    const broken = run(device, 'matmul [2,3], [3,4] -> [2,4]', doubled(2, { code: 'fn main( {' }), x)
    const dependent = run(device, 'neg [2,4] -> [2,4]', doubled(2), broken)
    const fine = run(device, 'double [2] -> [2]', doubled(2), x)
    const error = await device.read(broken, 2).catch((caught: Error) => caught)
    expect(error).toMatchObject({
      message: expect.stringMatching(/^matmul \[2,3\], \[3,4\] -> \[2,4\]: WGSL line 1: [^\n]*; use --backend cpu/),
    })
    expect((error as Error).stack).toContain('webgpuDevice.spec.ts')
    await expect(device.read(dependent, 2)).rejects.toThrow(/^matmul/)
    expect(await device.read(fine, 2)).toEqual(Float32Array.of(2, 4))
  })

  it('should name the op of a command that WebGPU refuses, and work on', async () => {
    const device = make()
    const x = device.upload(Float32Array.of(1, 2))
    const before = run(device, 'exp [2] -> [2]', doubled(2), x)
    const refused = run(device, 'pad [2] -> [9]', doubled(2, { workgroups: [2 ** 20, 1, 1] }), x)
    await expect(device.read(refused, 2)).rejects.toThrow(/^pad \[2\] -> \[9\]: .*; use --backend cpu/)
    await expect(device.read(before, 2)).rejects.toThrow(/^pad/)
    await expect(device.read(x, 2)).resolves.toEqual(Float32Array.of(1, 2))
    expect(await device.read(run(device, 'exp [2] -> [2]', doubled(2), x), 2)).toEqual(Float32Array.of(2, 4))
  })

  it('should name the op of a command whose arguments WebGPU does not take, and work on', async () => {
    const device = make()
    const x = device.upload(Float32Array.of(1, 2))
    const refused = run(device, 'pad [2] -> [9]', doubled(2, { workgroups: [2 ** 33, 1, 1] }), x)
    await expect(device.read(refused, 2)).rejects.toThrow(/^pad \[2\] -> \[9\]: [^\n]*; use --backend cpu/)
    expect(await device.read(run(device, 'exp [2] -> [2]', doubled(2), x), 2)).toEqual(Float32Array.of(2, 4))
  })

  it('should reject the read of what was computed from a refused command, many submissions later', async () => {
    const device = make()
    let x = device.upload(Float32Array.of(1, 2))
    await device.read(run(device, 'exp [2] -> [2]', doubled(2), x), 2)
    x = run(device, 'pad [2] -> [9]', doubled(2, { workgroups: [2 ** 20, 1, 1] }), x)
    for (let i = 0; i < 300; i++) x = run(device, 'exp [2] -> [2]', doubled(2), x)
    await expect(device.read(x, 2)).rejects.toThrow(/^pad/)
  })

  it('should refuse to capture a step with a command that WebGPU refuses, and name its op', async () => {
    const device = make()
    const pad = doubled(2, { workgroups: [2 ** 20, 1, 1] })
    const capturing = device.capture!([device.upload(Float32Array.of(1, 2))], ([x]) => [run(device, 'pad [2] -> [9]', pad, x!)])
    await expect(capturing).rejects.toThrow(/^pad/)
  })

  it('should run a captured step again whose inputs were copied in a submission that was refused', async () => {
    const device = make()
    const [x, y] = [device.upload(Float32Array.of(1, 2)), device.upload(Float32Array.of(3, 4))]
    const captured = await device.capture!([x], ([z]) => [run(device, 'exp [2] -> [2]', doubled(2), z!)])
    run(device, 'pad [2] -> [9]', doubled(2, { workgroups: [2 ** 20, 1, 1] }), x)
    await expect(device.read(captured.run([y])[0]!, 2)).rejects.toThrow(/^pad/)
    expect(await device.read(captured.run([y])[0]!, 2)).toEqual(Float32Array.of(6, 8))
    captured.destroy()
  })

  it('should take no part of the step what is asked for while a capture fails', async () => {
    const device = make()
    const x = device.upload(Float32Array.of(1, 2))
    const failing = device.capture!([x], () => {
      throw new Error('no step')
    })
    const y = run(device, 'exp [2] -> [2]', doubled(2), x)
    await expect(failing).rejects.toThrow('no step')
    expect(await device.read(y, 2)).toEqual(Float32Array.of(2, 4))
  })

  it('should not let a step of the host without inputs overwrite what waiting commands read', async () => {
    const device = make()
    const x = device.upload(Float32Array.of(1, 2))
    const y = run(device, 'double', doubled(2), x)
    device.free(x)
    const host = device.onHost(origin('host'), [], 2, () => Float32Array.of(7, 8))
    for (let i = 0; i < 5; i++) await undefined
    expect(await Promise.all([device.read(y, 2), device.read(host, 2)])).toEqual([Float32Array.of(2, 4), Float32Array.of(7, 8)])
  })

  it('should refuse an array larger than the device takes at once', () => {
    const device = make()
    const length = open.device.limits.maxStorageBufferBindingSize / 4 + 1
    expect(() => run(device, 'concat -> [9]', doubled(length), device.upload(Float32Array.of(1)))).toThrow(
      /^concat -> \[9\]: an array of \d+ bytes is larger than this device's \d+; use smaller batches/,
    )
  })

  it('should not let an upload overwrite what waiting commands read, nor a freed array change a read asked for before', async () => {
    const device = make()
    const x = device.upload(Float32Array.of(1, 2))
    const y = run(device, 'double', doubled(2), x)
    device.free(x)
    device.upload(Float32Array.of(7, 8))
    const read = device.read(y, 2)
    device.free(y)
    run(device, 'double', doubled(2), device.upload(Float32Array.of(9, 9)))
    expect(await read).toEqual(Float32Array.of(2, 4))
  })

  it('should keep the order of ops around a step of the host, and pass its error on', async () => {
    const device = make()
    const x = device.upload(Float32Array.of(1, 2))
    const host = device.onHost(origin('host'), [run(device, 'double', doubled(2), x)], 2, ([values]) =>
      Float32Array.from(values!, v => v + 1),
    )
    const after = run(device, 'double', doubled(2), host)
    expect(await device.read(after, 2)).toEqual(Float32Array.of(6, 10))
    const failed = device.onHost(origin('host'), [x], 2, () => {
      throw new Error('no definition')
    })
    await expect(device.read(run(device, 'double', doubled(2), failed), 2)).rejects.toThrow('no definition')
  })

  it('should submit long lists by itself, in order', async () => {
    const device = make()
    let x = device.upload(Float32Array.of(2 ** -100))
    await device.read(run(device, 'double', doubled(1), x), 1)
    for (let i = 0; i < 200; i++) {
      const next = run(device, 'double', doubled(1), x)
      device.free(x)
      x = next
    }
    expect(await device.read(x, 1)).toEqual(Float32Array.of(2 ** 100))
  })

  it('should let a program end by itself', () => {
    const program = `import { useBackend, tensor } from './core/index.ts'
await useBackend('gpu:webgpu')
console.log(String(await tensor([1, 2]).add(1).data()))`
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
      encoding: 'utf8',
      timeout: 60_000,
    })
    expect({ status, stdout }, stderr).toEqual({ status: 0, stdout: '2,3\n' })
  })
})
