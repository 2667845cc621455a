import { beforeAll, describe, expect, it } from 'vitest'
import { grad, loadBackend, ops, ShapeError, scalar, tensor, tidy, useBackend, vjp, zeros } from '../../core/index.ts'
import { defineOp, opRegistry } from '../../core/op.ts'

beforeAll(() => useBackend('reference'))

/** Wrong calls and the whole message each must give: operation, rule, actual values, remedy. */
const shapeErrors: readonly (readonly [string, () => unknown, string])[] = [
  ['values that do not fill a shape', () => tensor([1, 2, 3], [2, 2]), 'tensor: shape [2,2] needs 4 values, got 3; correct one of them'],
  [
    'operands that do not broadcast',
    () => zeros([2, 3]).add(zeros([2, 4])),
    'add: shapes [2,3] and [2,4] do not broadcast, dimension 1 has 3 and 4; reshape one of them',
  ],
  [
    'inner dimensions of a product',
    () => zeros([1, 2]).matmul(zeros([3, 1])),
    'matmul: inner dimensions differ, got a [1,2] and b [3,1]; transpose one of them',
  ],
  [
    'a vector in a product',
    () => zeros([2]).matmul(zeros([2, 1])),
    'matmul: operands need rank 2 or more, got [2] and [2,1]; reshape them',
  ],
  [
    'a reshape to another size',
    () => zeros([2, 3]).reshape([4, 2]),
    'reshape: [2,3] has 6 elements and cannot become [4,2]; choose lengths with that product',
  ],
  [
    'an unknown length that does not divide',
    () => zeros([2, 3]).reshape([4, -1]),
    'reshape: [2,3] has 6 elements and cannot become [4,-1]; choose lengths with that product',
  ],
  ['an axis outside the rank', () => zeros([2, 3]).sum([2]), 'sum: axes [2] leave rank 2; use -2..1'],
  ['an axis given twice', () => zeros([2, 3]).sum([1, -1]), 'sum: axis -1 is given twice; name each axis once'],
  [
    'axes that are no permutation',
    () => zeros([2, 3]).permute([0]),
    'permute: axes [0] are no permutation of rank 2; name each of 0..1 once',
  ],
  [
    'a stretch of a length that is not 1',
    () => zeros([2]).broadcastTo([3]),
    'broadcastTo: [2] does not stretch to [3]; only lengths of 1 stretch',
  ],
  [
    'a block outside the tensor',
    () => zeros([2, 3]).slice([0, 2], [2, 2]),
    'slice: starts [0,2] with sizes [2,2] leave shape [2,3]; give one whole number of each per dimension, within it',
  ],
  [
    'a block between the elements',
    () => zeros([2, 3]).slice([0, 0.5], [1, 1]),
    'slice: starts [0,0.5] with sizes [1,1] leave shape [2,3]; give one whole number of each per dimension, within it',
  ],
  [
    'a block of a part of an element',
    () => zeros([2, 3]).slice([0, 0], [1, 1.5]),
    'slice: starts [0,0] with sizes [1,1.5] leave shape [2,3]; give one whole number of each per dimension, within it',
  ],
  [
    'blocks that differ beside the axis',
    () => ops.concat([zeros([2, 3]), zeros([2, 2])], 0),
    'concat: shapes [2,3], [2,2] differ outside axis 0; make the other dimensions equal',
  ],
  ['no tensors to concatenate', () => ops.concat([], 0), 'concat: no tensors were given; give at least one'],
  [
    'an image without channels',
    () => ops.conv2d(zeros([8, 8]), zeros([1, 1, 3, 3])),
    'conv2d: x must be [batch,channels,height,width] and w [out,in/groups,kh,kw], got x [8,8] and w [1,1,3,3] with groups 1; reshape them',
  ],
  [
    'a kernel larger than the image',
    () => ops.conv2d(zeros([1, 1, 2, 2]), zeros([1, 1, 3, 3])),
    'conv2d: the kernel is larger than the padded image, got x [1,1,2,2] and w [1,1,3,3] with groups 1 and padding [0,0,0,0]; pad more',
  ],
  [
    'padding of two sides only',
    () => ops.conv2d(zeros([1, 1, 2, 2]), zeros([1, 1, 1, 1]), { padding: [1, 1] as never }),
    'conv2d: padding must be one number or [top,bottom,left,right], got [1,1]; give one of them',
  ],
  [
    'groups that do not divide the channels',
    () => ops.groupNorm(zeros([1, 3, 2, 2]), zeros([3]), zeros([3]), { groups: 2 }),
    "groupNorm: x must be [batch,channels,...] with channels divisible by 2 groups, weight and bias [channels]; got [1,3,2,2], [3], [3]; check the layer's channels",
  ],
]

/** Wrong calls that are not about shapes. */
const otherErrors: readonly (readonly [string, () => unknown, string])[] = [
  [
    'the gradient of a function that is no scalar',
    () => grad((x: ReturnType<typeof zeros>) => x.mul(2))(zeros([3])),
    'grad: the function must return a scalar, got shape [3]; take its sum() or mean(), or use vjp',
  ],
  [
    'a cotangent of another shape',
    () => vjp((x: ReturnType<typeof zeros>) => x.mul(2), zeros([3])).pullback(zeros([2])),
    'vjp: the cotangent has shape [2], the output [3]; they must be equal',
  ],
  ['limits in the wrong order', () => zeros([3]).clamp(1, 0), 'clamp: low 1 must not exceed high 0; swap them'],
  [
    'an asynchronous tidy',
    () => tidy(async () => scalar(1)),
    'tidy: the body returned a Promise; make tensors inside tidy, await their values after it',
  ],
  ['two ops of one name', () => defineOp(opRegistry.get('add')!), 'defineOp: an op named "add" exists already; choose another name'],
]

/** Options that arithmetic would take for numbers, or that no kernel can take; the types do not stop plain JavaScript. */
const wrongNumbers: readonly {
  readonly option: string
  readonly call: (value: never) => unknown
  readonly least: number
  readonly values: readonly unknown[]
}[] = [
  {
    option: 'conv2d: stride',
    call: stride => convolve({ stride }),
    least: 1,
    values: [[1, 1], [1], '1', null, 0, -1, 1.5, Number.NaN, 2 ** 31],
  },
  { option: 'conv2d: padding', call: padding => convolve({ padding }), least: 0, values: ['same', null, -1, 0.5, 2 ** 31] },
  { option: 'conv2d: padding', call: left => convolve({ padding: [0, 0, left, 0] }), least: 0, values: [[1], -1, 0.5] },
  { option: 'conv2d: groups', call: groups => convolve({ groups }), least: 1, values: [[1], 0, -1, 0.5] },
  { option: 'full: a length', call: length => zeros([length]), least: 0, values: [-1, 0.5, Number.NaN, '2'] },
  { option: 'groupNorm: groups', call: groups => normalise({ groups }), least: 1, values: [[1], 0, -1, 1.5] },
  { option: 'attention: heads', call: heads => attend({ heads }), least: 1, values: [[1], 0, -1, 1.5] },
  { option: 'broadcastTo: a length', call: length => zeros([1]).broadcastTo([length]), least: 0, values: [-1, 2.5] },
]

const convolve = (options: Parameters<typeof ops.conv2d>[2]) => ops.conv2d(zeros([1, 3, 4, 4]), zeros([3, 3, 1, 1]), options)
const normalise = (options: Parameters<typeof ops.groupNorm>[3]) => ops.groupNorm(zeros([1, 3, 2]), zeros([3]), zeros([3]), options)
const attend = (options: Parameters<typeof ops.attention>[3]) =>
  ops.attention(zeros([1, 3, 2]), zeros([1, 3, 2]), zeros([1, 3, 2]), options)

const messageOf = (call: () => unknown): string => {
  try {
    call()
  } catch (error) {
    return (error as Error).message
  }
  return 'no error'
}

describe('errors', () => {
  it.each(shapeErrors)('should name operation, rule, values and remedy for %s', (_, call, message) => {
    expect(call).toThrow(ShapeError)
    expect(messageOf(call)).toBe(message)
  })

  it.each(otherErrors)('should say what to do about %s', (_, call, message) => {
    expect(messageOf(call)).toBe(message)
  })

  const wrongCalls = wrongNumbers.flatMap(({ values, ...one }) => values.map(value => ({ ...one, value })))
  it.each(wrongCalls)('should refuse what is no whole number in range: $option $value', ({ option, call, least, value }) => {
    const shown = Number.isNaN(value) ? 'NaN' : JSON.stringify(value)
    expect(() => call(value as never)).toThrow(RangeError)
    expect(messageOf(() => call(value as never))).toBe(
      `${option} must be a whole number from ${least} to 2147483647, got ${shown}; give one such number`,
    )
  })

  it.each([Number.NaN, -1, Infinity, '1e-5'])('should refuse a normalisation with an epsilon of %j', epsilon => {
    const message = `groupNorm: epsilon must be a finite number of at least 0, got ${typeof epsilon === 'string' ? '"1e-5"' : epsilon}; use one such as 1e-5`
    expect(messageOf(() => normalise({ groups: 1, epsilon: epsilon as never }))).toBe(message)
  })

  it('should refuse to read several values as one', async () => {
    await expect(zeros([2, 3]).item()).rejects.toThrow('item: shape [2,3] has 6 elements, not 1; reduce it first')
  })

  it('should refuse every use of a disposed tensor', async () => {
    const x = zeros([2])
    x.dispose()
    x.dispose()
    const remedy = 'keep() it or return it from tidy()'
    expect(() => x.dataSync()).toThrow(`dataSync: a tensor of shape [2] was disposed; ${remedy}`)
    await expect(x.data()).rejects.toThrow(`data: a tensor of shape [2] was disposed; ${remedy}`)
    expect(() => x.add(1)).toThrow(`addScalar: an input of shape [2] was disposed; ${remedy}`)
    expect(() => x.reshape([2, 1])).toThrow(`a tensor of shape [2] was disposed; ${remedy}`)
  })

  it('should refuse to read at once on an asynchronous backend, and read later', async () => {
    const x = tensor([1, 2], [2], { backend: await loadBackend('fakeAsync') })
    expect(() => x.dataSync()).toThrow('dataSync: backend "fakeAsync" is asynchronous; use await t.data()')
    expect([...(await x.mul(2).data())]).toEqual([2, 4])
  })

  it('should refuse operands that live on different backends', async () => {
    const onCpu = zeros([2], { backend: await loadBackend('cpu') })
    expect(() => zeros([2]).add(onCpu)).toThrow('add: inputs live on "reference" and "cpu"; create them on one backend')
  })

  it('should name the backends there are when asked for another', async () => {
    for (const name of ['quantum', 'constructor'])
      await expect(loadBackend(name)).rejects.toThrow(`backend: there is no "${name}"; choose one of reference, `)
  })
})
