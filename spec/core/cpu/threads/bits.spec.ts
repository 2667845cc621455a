import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { apply } from '../../../../core/apply.ts'
import { setSmallestShare } from '../../../../core/backends/cpu/threads/onThreads.ts'
import { add, input } from '../../../../core/expr/expr.ts'
import { grad, loadBackend, ops, setThreads, startThreads, type Tensor, tensor, tidy } from '../../../../core/index.ts'
import { opRegistry } from '../../../../core/op.ts'
import { distinctInputs, opCases } from '../../../support/opCase.ts'
import { runs } from '../../../support/replay.ts'
import { size, values } from '../arrays.ts'

/** Results do not depend on the number of threads. Shares of any length are made here, so that small arrays have several. */
const cpu = await loadBackend('cpu')

interface Input {
  readonly values: ArrayLike<number>
  readonly shape: readonly number[]
}

const bytes = (values: ArrayLike<number>): Buffer => Buffer.from(Float32Array.from(values).buffer)

const result = (op: string, inputs: readonly Input[], attributes: unknown, smallest: number): Buffer => {
  setSmallestShare(smallest)
  return tidy(() => {
    const arrays = inputs.map(({ values, shape }) => tensor(values, [...shape], { backend: cpu }))
    return bytes(apply(opRegistry.get(op)!, arrays, attributes).dataSync())
  })
}

const expectSameBits = (op: string, inputs: readonly Input[], attributes: unknown): void =>
  expect(result(op, inputs, attributes, 0).equals(result(op, inputs, attributes, Infinity))).toBe(true)

const array = (shape: readonly number[], seed = 1): Input => ({ values: values(size(shape), seed), shape })

const product = (transposeA = false, transposeB = false) => ({ transposeA, transposeB })

/** Several blocks, axes and edges, which the laws' small arrays do not have. */
const large: readonly (readonly [op: string, shapes: readonly (readonly number[])[], attributes: unknown])[] = [
  [
    'matmul',
    [
      [301, 270],
      [270, 19],
    ],
    product(),
  ],
  [
    'matmul',
    [
      [270, 133],
      [90, 270],
    ],
    product(true, true),
  ],
  [
    'matmul',
    [
      [13, 300],
      [300, 1100],
    ],
    product(),
  ],
  [
    'matmul',
    [
      [19, 5, 70],
      [19, 70, 9],
    ],
    product(),
  ],
  [
    'matmul',
    [
      [9, 140, 300],
      [9, 300, 10],
    ],
    product(),
  ],
  [
    'matmul',
    [
      [3, 140, 40],
      [3, 40, 10],
    ],
    product(),
  ],
  ['add', [[4099], [4099]], { expr: add(input(0), input(1)), params: [] }],
  ['sum', [[37, 41, 43]], { axes: [1], keepDims: true }],
  ['sum', [[1031, 67]], { axes: [0], keepDims: true }],
  ['sum', [[67, 1031]], { axes: [1], keepDims: true }],
  ['sum', [[13, 40, 5, 30]], { axes: [1, 3], keepDims: true }],
  ['sum', [[300, 3, 20, 3, 4]], { axes: [0, 2, 4], keepDims: true }],
  ['permute', [[67, 131]], { axes: [1, 0] }],
  ['permute', [[5, 17, 3, 35]], { axes: [2, 0, 3, 1] }],
  ['slice', [[40, 100]], { starts: [3, 5], sizes: [31, 90] }],
  ['broadcastTo', [[5, 1, 36]], { shape: [5, 7, 36] }],
  ['broadcastTo', [[3, 4, 1, 1]], { shape: [3, 4, 6, 6] }],
  ['broadcastTo', [[3, 4, 1, 1]], { shape: [3, 4, 5, 5] }],
  // One head, whose queries and channels are shared, and more heads than threads.
  ...[1, 5].flatMap((heads): typeof large => {
    const [query, key] = [
      [1, 22 * heads, 150],
      [1, 22 * heads, 77],
    ]
    return [
      ['attention', [query, key, key], { heads }],
      ['attentionGrad', [query, key, key, query], { heads }],
    ]
  }),
]

/** The gradient of a small network of all kinds of layers, in which memory is given back and taken again all the time. */
const networkGradient = (smallest: number): Buffer => {
  setSmallestShare(smallest)
  const given = (shape: readonly number[], seed: number) => tensor(values(size(shape), seed), [...shape], { backend: cpu })
  return tidy(() => {
    const [wide, narrow, affine] = [given([16, 16, 3, 3], 2), given([16, 16, 1, 1], 3), given([16], 4)]
    const block = (x: Tensor): Tensor => {
      const y = ops.conv2d(ops.groupNorm(x, affine, affine, { groups: 4, silu: true }), wide, { padding: 1 })
      const z = ops.conv2d(y, narrow).add(x).mul(0.5)
      const flat = z.reshape([2, 16, 81])
      return ops.attention(flat, flat, flat, { heads: 2 }).reshape([2, 16, 9, 9]).add(z)
    }
    const loss = (x: Tensor): Tensor =>
      block(block(block(x)))
        .square()
        .sum()
    return bytes(grad(loss)(given([2, 16, 9, 9], 1)).dataSync())
  })
}

describe.each([2, 3])('%i threads', threads => {
  beforeAll(async () => {
    setThreads(threads)
    expect(await startThreads()).toBe(threads)
  })
  afterAll(() => {
    setThreads(1)
    setSmallestShare()
  })

  it.each([...opRegistry.keys()])('should compute %s to the bits of one thread', name => {
    fc.assert(
      fc.property(opCases(opRegistry.get(name)!), given => {
        expectSameBits(name, distinctInputs(given), given.testCase.attributes)
      }),
      { numRuns: runs(5) },
    )
  })

  it('should compute the gradient of a network to the bits of one thread, time and again', () => {
    const expected = networkGradient(Infinity)
    for (let i = 0; i < 5; i++) expect(networkGradient(0).equals(expected)).toBe(true)
  })

  it.each(large)('should compute %s of arrays %j to the bits of one thread', (op, shapes, attributes) => {
    for (let i = 0; i < 2; i++)
      expectSameBits(
        op,
        shapes.map((shape, k) => array(shape, k + 1)),
        attributes,
      )
  })
})
