import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { createCpu } from '../../core/backends/cpu/cpu.ts'
import { createReference } from '../../core/backends/reference/reference.ts'
import {
  type Backend,
  dispose,
  grad,
  keep,
  liveTensors,
  loadBackend,
  ops,
  type Tensor,
  tensor,
  tidy,
  useBackend,
  valueAndGrad,
  vjp,
  withBackend,
  zeros,
} from '../../core/index.ts'
import { backendsUnderTest } from '../support/backends.ts'

/** An attack in small: the gradient of a loss through a convolution, a signed step, two projections. */
const attackStep = (x: Tensor, x0: Tensor, kernel: Tensor): Tensor =>
  tidy(() => {
    const loss = (x: Tensor) => ops.logSoftmax(ops.conv2d(x, kernel, { padding: 1 }).mean([2, 3])).sum()
    const { gradient } = valueAndGrad(loss)(x)
    const delta = x.add(gradient.sign().mul(0.01)).sub(x0).clamp(-0.03, 0.03)
    return x0.add(delta).clamp(0, 1)
  })

const attack = (backend: Backend, steps: number, after: (step: number) => void): void =>
  withBackend(backend, () => {
    const x0 = tensor(
      Array.from({ length: 32 }, (_, i) => (i % 7) / 7),
      [1, 2, 4, 4],
    )
    const kernel = tensor(
      Array.from({ length: 54 }, (_, i) => ((i % 11) - 5) / 10),
      [3, 2, 3, 3],
    )
    let x = x0.add(0)
    for (let step = 0; step < steps; step++) {
      const next = attackStep(x, x0, kernel)
      x.dispose()
      x = next
      after(step)
    }
    dispose([x0, kernel, x])
  })

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

/** Collects garbage until something holds, at most 100 times. */
const collectUntil = async (holds: () => boolean): Promise<void> => {
  for (let turn = 0; turn < 100 && !holds(); turn++) {
    collectGarbage()
    await setImmediate()
  }
}

describe.each(backendsUnderTest)('memory on %s', name => {
  it('should hold live tensors and bytes constant over 1,000 attack steps', async () => {
    const backend = await loadBackend(name)
    const seen = new Set<string>()
    let peakAfterTen = 0
    attack(backend, 1000, step => {
      const { bytesLive, bytesPeak } = backend.memory()
      if (step === 10) peakAfterTen = bytesPeak
      if (step >= 10) {
        seen.add(`${liveTensors()} tensors, ${bytesLive} bytes`)
        expect(bytesPeak).toBe(peakAfterTen)
      }
    })
    expect([...seen]).toHaveLength(1)
  })

  it('should free everything that tidy does not return', async () => {
    const backend = await useBackend(name)
    const before = { live: liveTensors(), bytes: backend.memory().bytesLive }
    const result = tidy(() => {
      const x = zeros([4]).add(1)
      x.mul(2)
      return { list: [x.mul(3)], number: 5 }
    })
    expect(liveTensors()).toBe(before.live + 1)
    expect([...(await result.list[0]!.data())]).toEqual([3, 3, 3, 3])
    dispose(result)
    expect({ live: liveTensors(), bytes: backend.memory().bytesLive }).toEqual(before)
  })

  it('should hand a returned tensor to the scope outside', async () => {
    await useBackend(name)
    const before = liveTensors()
    tidy(() => {
      const inner = tidy(() => zeros([2]))
      expect(inner.disposed).toBe(false)
    })
    expect(liveTensors()).toBe(before)
  })

  it('should let kept tensors outlive every scope', async () => {
    await useBackend(name)
    const kept: Tensor[] = []
    tidy(() => tidy(() => void kept.push(keep(zeros([2]).add(7)))))
    expect([...(await kept[0]!.data())]).toEqual([7, 7])
    dispose(kept)
  })

  it('should leave what a differentiated function keeps, or returns from outside, to its owner', async () => {
    await useBackend(name)
    const before = liveTensors()
    const [x, constant] = [tensor([1, 2]), tensor([3], [])]
    const kept: Tensor[] = []
    const f = (x: Tensor): Tensor => {
      kept.push(keep(x.mul(2)))
      return kept[0]!.square().sum()
    }
    dispose([grad(f)(x), grad(() => constant)(x)])
    expect([...(await kept[0]!.data())]).toEqual([2, 4])
    expect(kept[0]!.node).toBeUndefined()
    expect(await constant.item()).toBe(3)
    dispose([kept, x, constant])
    expect(liveTensors()).toBe(before)
  })

  it('should free what tidy made when its body throws', async () => {
    const backend = await useBackend(name)
    const before = { live: liveTensors(), bytes: backend.memory().bytesLive }
    expect(() =>
      tidy(() => {
        zeros([8]).add(1)
        throw new Error('body')
      }),
    ).toThrow('body')
    expect({ live: liveTensors(), bytes: backend.memory().bytesLive }).toEqual(before)
  })

  it('should keep memory that another tensor still shares', async () => {
    const backend = await useBackend(name)
    const x = tensor([1, 2, 3, 4])
    const bytes = backend.memory().bytesLive
    const matrix = x.reshape([2, 2])
    expect(backend.memory().bytesLive).toBe(bytes)
    x.dispose()
    expect([...(await matrix.data())]).toEqual([1, 2, 3, 4])
    matrix.dispose()
    expect(backend.memory().bytesLive).toBeLessThan(bytes)
  })

  it('should give the pullback of the identity a tensor of its own', async () => {
    await useBackend(name)
    const [x, u] = [tensor([1, 2]), tensor([3, 4])]
    const { value, pullback } = vjp((x: Tensor) => x, x)
    dispose([pullback(u), value])
    expect([x.disposed, u.disposed]).toEqual([false, false])
    dispose([x, u])
  })

  it('should leave only the results of grad, valueAndGrad and vjp, nested or not', async () => {
    const backend = await useBackend(name)
    const x = tensor([0.5, 2])
    const f = (x: Tensor): Tensor => x.mul(x).exp().sum()
    const u = tensor([1], [])
    const before = { live: liveTensors(), bytes: backend.memory().bytesLive }
    const results = [
      grad(f)(x),
      valueAndGrad(f)(x),
      grad((x: Tensor) => grad(f)(x).mul(x).sum())(x),
      valueAndGrad((x: Tensor): [Tensor, Tensor] => [f(x), x])(x),
      [f, (x: Tensor) => x.reshape([2])].map((f, i) => {
        const { value, pullback } = vjp(f, x)
        return [value, pullback(i === 0 ? u : x)]
      }),
    ]
    // The tensors of the results: 1, 2, 1, 3, and 2 of each vjp.
    expect(liveTensors()).toBe(before.live + 11)
    dispose(results)
    expect({ live: liveTensors(), bytes: backend.memory().bytesLive }).toEqual(before)
    expect(u.disposed).toBe(false)
  })
})

it.each(['reference', 'cpu'])('should hold few gradients at a time of a tensor that is used often: %s', name => {
  const backend = name === 'cpu' ? createCpu() : createReference()
  withBackend(backend, () => {
    const x = zeros([8192])
    const { bytesLive } = backend.memory()
    const f = (x: Tensor) => Array.from({ length: 20 }, () => x.sum()).reduce((total, sum) => total.add(sum))
    dispose([grad(f)(x), x])
    expect(backend.memory().bytesPeak).toBeLessThan(5 * bytesLive)
  })
})

it('should leave nothing of an op that throws on cpu', () => {
  const backend = createCpu()
  const failing = {
    name: 'failing',
    define: () => {
      throw new Error('on the way')
    },
  }
  expect(() => backend.run(failing as never, [], null, [4], 'float32')).toThrow('on the way')
  expect(backend.memory().bytesLive).toBe(0)
})

describe('what garbage collection frees', () => {
  it('should be what a forgotten pullback held, but for what is still in use', async () => {
    const backend = createReference()
    const x = tensor([0.5, 2], [2], { backend })
    const { bytesLive } = backend.memory()
    const seen: Tensor[] = []
    const results: Tensor[] = []
    const forgetPullback = (): void => {
      const f = (x: Tensor): Tensor => {
        seen.push(x.add(1))
        return seen[0]!.mul(2).exp().mul(3)
      }
      results.push(vjp(f, x).value)
    }
    forgetPullback()
    expect(backend.memory().bytesLive).toBe(5 * bytesLive)
    await collectUntil(() => backend.memory().bytesLive === 3 * bytesLive)
    expect(backend.memory().bytesLive).toBe(3 * bytesLive)
    expect([...(await seen[0]!.data())]).toEqual([1.5, 3])
    dispose([x, results, seen])
  })

  it('should be what a pullback that was called leaves over', async () => {
    const backend = createReference()
    const x = tensor([0.5, 2], [2], { backend })
    const { bytesLive } = backend.memory()
    const pullbacks: unknown[] = []
    const pullBack = (): void => {
      const f = (x: Tensor): Tensor => {
        zeros([2], { backend }).add(1)
        return x.mul(x)
      }
      const { value, pullback } = vjp(f, x)
      dispose([pullback(x), value])
      pullbacks.push(pullback)
    }
    pullBack()
    expect(backend.memory().bytesLive).toBe(3 * bytesLive)
    await collectUntil(() => backend.memory().bytesLive === bytesLive)
    expect(backend.memory().bytesLive).toBe(bytesLive)
    expect(pullbacks).toHaveLength(1)
    dispose(x)
  })

  it('should be what a function that throws left behind', async () => {
    const backend = createReference()
    const x = tensor([0.5, 2], [2], { backend })
    const { bytesLive } = backend.memory()
    const failing = (x: Tensor): Tensor => {
      x.mul(x)
      throw new Error('on the way')
    }
    expect(() => vjp(failing, x)).toThrow('on the way')
    await collectUntil(() => backend.memory().bytesLive === bytesLive)
    expect(backend.memory().bytesLive).toBe(bytesLive)
    dispose(x)
  })
})
