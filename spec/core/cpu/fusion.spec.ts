import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { createCpu } from '../../../core/backends/cpu/cpu.ts'
import { setFusion } from '../../../core/backends/fusion/fusion.ts'
import * as E from '../../../core/expr/expr.ts'
import { checkpoint, dispose, ops, type Tensor, tensor, tidy, valueAndGrad, withBackend } from '../../../core/index.ts'
import { runs } from '../../support/replay.ts'

/** Just large enough to be deferred, with rows of whole vectors and without. */
const shapes = [
  [4, 32, 32],
  [1, 3, 37, 37],
] as const

const values = (shape: readonly number[], seed: number): Tensor => {
  const size = shape.reduce((product, length) => product * length, 1)
  return tensor(
    Float32Array.from({ length: size }, (_, i) => 3 * Math.sin(1 + seed + 1.7 * i)),
    shape,
  )
}

const mixture = ops.fused((a, b) => E.sub(E.mul(a!, E.sigmoid(b!)), E.div(b!, E.add(E.mul(a!, a!), E.constant(1)))))
const three = ops.fused((a, b, c) => E.add(E.mul(a!, b!), E.div(c!, E.constant(3))))
const pair = {
  exprs: [E.add(E.mul(E.input(0), E.param(0)), E.input(1)), E.sub(E.input(1), E.mul(E.input(0), E.input(0)))],
  params: [0.75],
}
const perRow = (shape: readonly number[]) => shape.map((length, axis) => (axis === shape.length - 1 ? 1 : length))

/** What a program may do with two of its tensors; s is a number. All are of one size and may differ in shape. */
const steps: readonly ((a: Tensor, b: Tensor, s: number) => Tensor)[] = [
  (a, b) => a.add(b),
  (a, b) => a.mul(b).sub(a),
  a => a.mul(a),
  (a, b, s) => ops.addScaled(a, s, b, 1 - s),
  (a, _, s) => a.clamp(-Math.abs(s), 1).add(s),
  (a, b) => a.maximum(b).div(a.square().add(1)),
  (a, b) => mixture(a, b),
  (a, b, s) => [a.add(1), b.mul(s)].reduceRight((q, p) => three(p, q, p)),
  (a, b, s) => [a.add(1), b.mul(s)].reduceRight((q, p) => three(p, q, q)),
  a => ops.silu(a),
  (a, _, s) => a.mul(s).abs().sign(),
  (a, b) => a.mul(values(perRow(a.shape), 3)).minimum(b),
  (a, b) => a.sub(b.mean([-1], { keepDims: true })),
  a =>
    a
      .reshape([-1])
      .mul(0.5)
      .reshape([...a.shape]),
  a =>
    a
      .reshape([1, ...a.shape])
      .sub(1)
      .reshape([...a.shape]),
  (a, b) => ops.elementwiseAll([a, b], pair)[1]!,
  (a, b) => ops.elementwiseAll([a.mul(2), b.add(a)], pair).reduce((x, y) => x.mul(y)),
  (a, b) => ops.elementwiseAll([values(perRow(a.shape), 4), b], pair)[0]!.sub(a),
  a => a.permute(a.shape.map((_, axis) => axis)).add(a),
]

const stepPlan = fc.record({
  choice: fc.nat(steps.length - 1),
  a: fc.nat(99),
  b: fc.nat(99),
  s: fc.double({ min: -2, max: 2, noNaN: true }),
})
type StepPlan = typeof stepPlan extends fc.Arbitrary<infer T> ? T : never

const apply = ({ choice, a, b, s }: StepPlan, live: readonly Tensor[]): Tensor => {
  const late = (k: number): Tensor => live[live.length - 1 - (k % Math.min(live.length, 3))]!
  return steps[choice]!(late(a), late(b), s)
}

/** The bits of every number; each NaN is the same. */
const bits = (x: Tensor): string => {
  const numbers = x.dataSync() as Float32Array
  return Buffer.from(numbers.map(value => (Number.isNaN(value) ? Number.NaN : value)).buffer).toString('base64')
}

/** Runs `body` on a fresh backend with fusion on or off, and sees that it leaves nothing behind. */
const onFresh = <T>(fusion: boolean, body: (backend: ReturnType<typeof createCpu>) => T): T => {
  const backend = createCpu()
  setFusion(fusion)
  const result = withBackend(backend, () => tidy(() => body(backend)))
  expect(backend.memory().bytesLive).toBe(0)
  return result
}

describe('fusion of elementwise ops', () => {
  afterEach(() => setFusion(true))

  it('should give the bits of unfused ops, never with more memory, in any order of freeing', () => {
    const plan = fc.tuple(
      fc.nat(shapes.length - 1),
      fc.array(fc.tuple(stepPlan, fc.option(fc.nat(99)), fc.option(fc.nat(99), { freq: 5 })), { minLength: 1, maxLength: 16 }),
    )
    fc.assert(
      fc.property(plan, ([shape, program]) => {
        const run = (fusion: boolean) =>
          onFresh(fusion, backend => {
            const live = [0, 1, 2].map(seed => values(shapes[shape]!, seed))
            const memory: number[] = []
            const read: string[] = []
            for (const [step, freed, looked] of program) {
              live.push(tidy(() => apply(step, live)))
              if (freed !== null && live.length > 2) live.splice(freed % live.length, 1)[0]!.dispose()
              memory.push(backend.memory().bytesLive)
              if (looked !== null) read.push(bits(live[looked % live.length]!))
            }
            read.push(...live.map(bits))
            return { read, memory: [...memory, backend.memory().bytesPeak] }
          })
        const fused = run(true)
        const plain = run(false)
        expect(fused.read).toEqual(plain.read)
        for (const [i, bytes] of fused.memory.entries()) expect(bytes).toBeLessThanOrEqual(plain.memory[i]!)
      }),
      { numRuns: runs(30) },
    )
  })

  it('should give the bits of unfused gradients, first and second, checkpointed or not', () => {
    fc.assert(
      fc.property(fc.nat(shapes.length - 1), fc.array(stepPlan, { minLength: 1, maxLength: 6 }), fc.boolean(), (shape, program, saved) => {
        const run = (fusion: boolean) =>
          onFresh(fusion, backend => {
            const constant = values(shapes[shape]!, 1)
            const body = (x: Tensor): Tensor => {
              const made = [constant, x]
              for (const step of program) made.push(apply(step, made))
              return made.at(-1)!
            }
            const loss = (x: Tensor): Tensor => (saved ? checkpoint(body) : body)(x).sum()
            const second = valueAndGrad((x: Tensor) => valueAndGrad(loss)(x).gradient.square().sum())(values(shapes[shape]!, 0))
            const first = valueAndGrad(loss)(values(shapes[shape]!, 0))
            return { read: [first.gradient, first.value, second.gradient].map(bits), peak: backend.memory().bytesPeak }
          })
        const fused = run(true)
        const plain = run(false)
        expect(fused.read).toEqual(plain.read)
        expect(fused.peak).toBeLessThanOrEqual(plain.peak)
      }),
      { numRuns: runs(15) },
    )
  })

  it('should compute a chain without memory for what lies between', () => {
    onFresh(true, backend => {
      const x = values([8, 512], 0)
      const before = backend.memory().bytesLive
      const y = tidy(() => x.mul(2).add(1).clamp(-1, 1).mul(x))
      expect(backend.memory().bytesLive).toBe(before)
      y.dataSync()
      expect(backend.memory().bytesPeak).toBe(2 * before)
    })
    onFresh(false, backend => {
      const x = values([8, 512], 0)
      const before = backend.memory().bytesLive
      tidy(() => x.mul(2).add(1))
      expect(backend.memory().bytesPeak).toBe(3 * before)
    })
  })

  it('should write over what nobody uses any more', () => {
    onFresh(true, backend => {
      const x = values([8, 512], 0)
      const before = backend.memory().bytesLive
      const y = x.mul(2)
      x.dispose()
      y.dataSync()
      expect(backend.memory().bytesPeak).toBe(before)
    })
  })

  /** The same with fusion on and off. */
  const expectSame = (build: (x: Tensor) => Tensor): void => {
    const run = (fusion: boolean) => onFresh(fusion, () => bits(tidy(() => build(values([63, 66], 0)))))
    expect(run(true)).toBe(run(false))
  }

  it('should not write over rows that are still to be read', () => {
    expectSame(x => {
      const perRow = x.sum([1], { keepDims: true })
      const y = x.sub(perRow)
      x.dispose()
      return y
    })
  })

  it('should not take in through another shape what is stretched', () => {
    expectSame(x =>
      x
        .sub(x.sum([1], { keepDims: true }))
        .reshape([66, 63])
        .mul(0.5),
    )
    expectSame(x =>
      x
        .mul(tensor([3], [1, 1]))
        .reshape([-1])
        .mul(0.5),
    )
  })

  it('should tell views of one array apart', () => {
    expectSame(x => {
      const v = x.slice([0, 0], [63, 1])
      const square = x.slice([0, 0], [63, 63]).reshape([63, 63])
      const large = ops.concat([square, square], 0).reshape([2, 63, 63])
      return large.mul(v).add(v.reshape([1, 63]))
    })
  })

  it('should keep a deferred array alive through a view of it', () => {
    onFresh(true, () => {
      const x = values([8, 512], 0)
      const expected = Array.from(x.dataSync(), value => Math.fround(value + 1))
      const sum = x.add(1)
      const view = sum.reshape([512, 8])
      sum.dispose()
      x.dispose()
      expect(Array.from(view.dataSync())).toEqual(expected)
    })
  })

  it('should not look at a product by zero as zero', () => {
    onFresh(true, () => {
      const infinite = tensor(new Float32Array(4096).fill(Number.POSITIVE_INFINITY))
      expect(infinite.mul(0).add(1).dataSync()[0]).toBeNaN()
    })
  })

  it('should name the deferred op that does not fit, never fail in freeing, and go on when there is room', () => {
    const backend = createCpu({ maximumPages: 4 })
    withBackend(backend, () => {
      const x = values([64, 64], 0)
      const perRow = values([64, 1], 5)
      const rest = Array.from({ length: 14 }, () => values([64, 64], 1))
      const y = tidy(() => x.add(perRow).abs())
      const root = Math.fround(x.dataSync()[0]! + perRow.dataSync()[0]!)
      perRow.dispose()
      expect(() => y.dataSync()).toThrow(/^abs: .*, most of it 15 x 0\.0 MiB by tensor/)
      rest.pop()!.dispose()
      x.dispose()
      expect(y.dataSync()[0]).toBe(Math.abs(root))
      dispose([y, rest])
    })
    expect(backend.memory().bytesLive).toBe(0)
  })

  it('should keep nothing of a pass of which only the first result fits', () => {
    const backend = createCpu({ maximumPages: 4 })
    withBackend(backend, () => {
      const [x, ...rest] = Array.from({ length: 14 }, () => values([64, 64], 1))
      const results = ops.elementwiseAll([x!, rest[0]!], pair)
      const { bytesLive } = backend.memory()
      expect(() => results[0]!.dataSync()).toThrow(/memory is exhausted/)
      expect(backend.memory().bytesLive).toBe(bytesLive)
      dispose([results, x, rest])
    })
    expect(backend.memory().bytesLive).toBe(0)
  })

  it('should need no room later for a result that is freed before the rest of its pass is used', () => {
    withBackend(createCpu({ maximumPages: 4 }), () => {
      const [x, ...rest] = Array.from({ length: 13 }, () => values([64, 64], 1))
      const [first, second] = ops.elementwiseAll([x!, rest[0]!], pair)
      second!.dispose()
      rest.push(values([64, 64], 2))
      expect(first!.dataSync()).toHaveLength(64 * 64)
      dispose([first, x, rest])
    })
  })

  it('should settle long chains on the way', () => {
    onFresh(true, () => {
      const x = tensor(new Float32Array(4096).fill(1))
      let y = x
      for (let i = 0; i < 3000; i++) y = y.add(x).mul(y.sub(y).add(1))
      expect(y.dataSync()[4095]).toBe(3001)
    })
  })
})
