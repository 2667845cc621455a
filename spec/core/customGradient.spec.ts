import { expect, it } from 'vitest'
import { customGradient } from '../../core/customGradient.ts'
import { grad, liveTensors, type Tensor, tensor, tidy, useBackend } from '../../core/index.ts'

it('should give the value of the function and the gradient of the pullback, which sees the output and what flows in', async () => {
  await useBackend('reference')
  const tripled = customGradient(
    x => x.mul(3),
    (output, dy) => output.mul(10).mul(dy),
  )
  const x = tensor([1, 2], [2])
  expect([...(await tripled(x).data())]).toEqual([3, 6])
  const f = (input: Tensor) =>
    tripled(input)
      .mul(tensor([1, 5], [2]))
      .sum()
  expect([...(await grad(f)(x).data())]).toEqual([30, 300])
  // Before and after it the chain rule goes on.
  expect([...(await grad((input: Tensor) => tripled(input.mul(2)).square().sum())(x).data())]).toEqual([2 * 60 * 2 * 6, 2 * 120 * 2 * 12])
})

it('should keep nothing of the function but its output', async () => {
  await useBackend('reference')
  const x = tensor([1, 2], [2])
  const before = liveTensors()
  const result = tidy(() =>
    grad((input: Tensor) =>
      customGradient(
        v => v.mul(2).exp().log(),
        (_, dy) => dy.mul(2),
      )(input).sum(),
    )(x),
  )
  expect(liveTensors() - before).toBe(1)
  result.dispose()
})

it('should leave a tensor from outside that the pullback gives to its owner', async () => {
  await useBackend('reference')
  const direction = tensor([5, 6])
  const along = customGradient(
    x => x.mul(2),
    () => direction,
  )
  for (const f of [along, (x: Tensor) => along(x.mul(3))]) {
    const gradient = grad((x: Tensor) => f(x).sum())(tensor([1, 2]))
    expect([...gradient.dataSync()]).toEqual(f === along ? [5, 6] : [15, 18])
    gradient.dispose()
    expect(direction.disposed).toBe(false)
  }
})
