import { describe, expect, it } from 'vitest'
import { createGpu } from '../../../core/backends/gpu/gpu.ts'
import { capture, loadBackend, ops, type Step, type Tensor, tensor, vjp } from '../../../core/index.ts'
import { gpuBackendsUnderTest } from '../../support/backends.ts'

const values = (backend: Tensor['backend'], seed: number): Tensor =>
  tensor(
    Float32Array.from({ length: 5000 }, (_, i) => Math.sin(seed + 1.7 * i)),
    [2, 2500],
    { backend },
  )

/** A signed gradient step with what needs memory in between, a constant of the host, and a view as a second result. */
const step: Step = inputs => {
  const [x, w] = inputs as [Tensor, Tensor]
  const offset = tensor([0.5], [1], { backend: x.backend })
  const loss = (z: Tensor): Tensor => ops.softmax(z.mul(w).add(offset)).square().sum()
  const { value, pullback } = vjp(([z]: readonly Tensor[]) => loss(z!), [x])
  const [gradient] = pullback(value.mul(0).add(1))
  return [x.add(ops.sign(gradient!).mul(0.25)), value.reshape([1])]
}

const withGpu = gpuBackendsUnderTest.includes('gpu:webgpu')

describe.each(withGpu ? ['gpu:webgpu'] : ['reference'])('capture on %s', name => {
  const make = () => (name === 'reference' ? loadBackend(name) : createGpu('webgpu'))

  it('should compute the step again for other inputs, with the same bits, and keep nothing when disposed', async () => {
    const backend = await make()
    const [w, x, y] = [values(backend, 9), values(backend, 0), values(backend, 1)]
    const before = backend.memory().bytesLive
    const captured = await capture(backend, step, [x, w])
    if (withGpu) expect(captured.kernels).toBeGreaterThan(3)
    for (const input of [y, y, x]) {
      const [actual, expected] = [captured.run([input, w]), step([input, w])]
      for (const [i, result] of expected.entries()) {
        expect(actual[i]!.shape).toEqual(result.shape)
        expect(await actual[i]!.data()).toEqual(await result.data())
      }
      for (const each of actual) each.dispose()
    }
    const chained = captured.run(captured.run([x, w]).slice(0, 1).concat(w))
    expect(await chained[0]!.data()).toEqual(await step([step([x, w])[0]!, w])[0]!.data())
    expect(backend.memory().bytesLive).toBeGreaterThanOrEqual(before)
    captured.dispose()
  })

  it('should keep what the host gave to the step, though the step frees it', async () => {
    const backend = await make()
    const ofHost: Step = ([x]) => {
      const half = tensor(new Float32Array(64).fill(0.5), [64], { backend })
      const y = x!.mul(half)
      half.dispose()
      return [ops.softmax(y)]
    }
    const x = tensor(
      Float32Array.from({ length: 64 }, (_, i) => Math.sin(i)),
      [64],
      { backend },
    )
    const captured = await capture(backend, ofHost, [x])
    const expected = await ofHost([x])[0]!.data()
    for (let i = 0; i < 2; i++) expect(await captured.run([x])[0]!.data()).toEqual(expected)
  })

  it('should refuse other shapes', async () => {
    const backend = await make()
    const captured = await capture(backend, ([x]) => [x!.add(1)], [values(backend, 0)])
    expect(() => captured.run([tensor([1], [1], { backend })])).toThrow('capture: captured for [2,2500], got [1]; capture again')
  })

  it('should refuse to run when disposed, which may be done twice', async () => {
    const backend = await make()
    const x = values(backend, 0)
    const captured = await capture(backend, ([z]) => [ops.softmax(z!)], [x])
    const [result] = captured.run([x])
    captured.dispose()
    expect(await result!.data()).toEqual(await ops.softmax(x).data())
    result!.dispose()
    const after = backend.memory().bytesLive
    captured.dispose()
    expect(backend.memory().bytesLive).toBe(after)
    expect(() => captured.run([x])).toThrow('capture: run after dispose; capture again')
  })
})

describe.skipIf(!withGpu)('capture on webgpu', () => {
  it('should refuse what a replay could not repeat, and work on', async () => {
    const backend = await createGpu('webgpu')
    const [x, outside] = [values(backend, 0), values(backend, 1)]
    await expect(capture(backend, ([z]) => [ops.matmul(z!, outside, { transposeB: true })], [x])).rejects.toThrow(
      /^matmul .*: capture: it reads an array from outside the step; give that to the step as an input$/,
    )
    const nothing = () => [ops.concat([tensor([], [0], { backend }), tensor([], [0], { backend })], 0)]
    await expect(capture(backend, nothing, [x])).rejects.toThrow(/^capture: a step of the host or a read cannot be replayed/)
    expect((await x.add(1).data())[0]).toBe(1)
  })

  it('should refuse integers, which stay on the host, without loss of what else waits, and keep nothing of a failed capture', async () => {
    const backend = await createGpu('webgpu')
    const x = values(backend, 0)
    const labels = tensor([1, 0], [2], { backend, dtype: 'int32' })
    const before = backend.memory().bytesLive
    const sum = x.add(1)
    const waiting = sum.data()
    await expect(capture(backend, ([z]) => [z!.add(1)], [x, labels])).rejects.toThrow(/^capture: operand 1 \[2\] is of int32, .*use it/)
    const returning: Step = ([z]) => [z!.add(1), tensor([1, 0], [2], { backend, dtype: 'int32' })]
    await expect(capture(backend, returning, [x])).rejects.toThrow(/^capture: operand 1 \[2\] is of int32/)
    expect((await waiting)[0]).toBe(1)
    sum.dispose()
    expect(backend.memory().bytesLive).toBe(before)
  })

  it('should refuse a result from outside, and a capture within a step without harm to that', async () => {
    const backend = await createGpu('webgpu')
    const [x, outside] = [values(backend, 0), values(backend, 1)]
    await expect(capture(backend, ([z]) => [z!.add(1), outside], [x])).rejects.toThrow(/^capture: result 1 is from outside the step/)
    let inner: Promise<unknown> | undefined
    const softmax: Step = ([z]) => {
      inner ??= capture(backend, ([y]) => [y!.add(1)], [z!])
      inner.catch(() => undefined)
      return [ops.softmax(z!)]
    }
    const captured = await capture(backend, softmax, [x])
    await expect(inner).rejects.toThrow(/^capture: it is within the step of another capture/)
    const y = values(backend, 2)
    expect(await captured.run([y])[0]!.data()).toEqual(await ops.softmax(y).data())
  })

  it('should count the memory that it keeps, until it is disposed', async () => {
    const backend = await createGpu('webgpu')
    const x = values(backend, 0)
    const before = backend.memory().bytesLive
    const captured = await capture(backend, ([z]) => [ops.softmax(z!)], [x])
    expect(backend.memory().bytesLive).toBeGreaterThanOrEqual(before + 2 * 4 * 5000)
    captured.dispose()
    expect(backend.memory().bytesLive).toBe(before)
  })
})
