import { describe, expect, it } from 'vitest'
import { setFusion } from '../../../core/backends/fusion/fusion.ts'
import { createGpu } from '../../../core/backends/gpu/gpu.ts'
import { type Backend, dispose, ops, type Tensor, tensor, tidy } from '../../../core/index.ts'
import { gpuBackendsUnderTest } from '../../support/backends.ts'
import { expectAllNear } from '../../support/numbers.ts'

const values = (backend: Backend, shape: readonly number[], seed: number): Tensor =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(seed + 1.7 * i)),
    shape,
    { backend },
  )

describe.skipIf(!gpuBackendsUnderTest.includes('gpu:webgpu'))('fusion on webgpu', async () => {
  it('should compute chains as the ops one by one, and free all that they kept', async () => {
    const backend = await createGpu('webgpu')
    const run = async (fusion: boolean) => {
      setFusion(fusion)
      const [x, perRow] = [values(backend, [4, 37, 32], 0), values(backend, [37, 1], 1)]
      const result = tidy(() => {
        const temporary = x.mul(perRow).sub(0.25)
        const y = ops.addScaled(temporary, 2, ops.silu(x), 0.5).clamp(-1, 1)
        return [y.add(temporary.mean([-1], { keepDims: true })), y.reshape([-1, 32]).mul(3)]
      })
      const read = await Promise.all(result.map(each => each.data()))
      dispose([result, x, perRow])
      return read
    }
    const before = backend.memory().bytesLive
    try {
      const [fused, plain] = [await run(true), await run(false)]
      for (const [i, expected] of plain.entries()) expectAllNear(fused[i]!, expected, 1e-6)
    } finally {
      setFusion(true)
    }
    expect(backend.memory().bytesLive).toBe(before)
  })

  it('should take no memory for what lies between, and none for what nobody reads', async () => {
    const backend = await createGpu('webgpu')
    const x = values(backend, [8, 512], 0)
    const one = backend.memory().bytesLive
    const y = tidy(() => x.mul(2).add(1).clamp(-1, 1).mul(x))
    const unread = x.add(5)
    expect(backend.memory().bytesLive).toBe(one)
    await y.data()
    expect(backend.memory()).toEqual({ bytesLive: 2 * one, bytesPeak: 2 * one })
    dispose([x, y, unread])
    expect(backend.memory().bytesLive).toBe(0)
  })
})
