import { describe, expect, it } from 'vitest'
import { type Backend, loadBackend, ops, type Tensor, tensor, tidy, vjp } from '../../core/index.ts'

/** The backend with the names of the ops it runs. */
const noting = (backend: Backend, names: string[]): Backend => ({
  ...backend,
  run: (op, ...rest) => {
    names.push(op.name)
    return backend.run(op, ...rest)
  },
})

const normalisations = {
  groupNorm: (x: Tensor, weight: Tensor, bias: Tensor) => ops.groupNorm(x, weight, bias, { groups: 1 }),
  batchNorm: (x: Tensor, weight: Tensor, bias: Tensor) => ops.batchNorm(x, weight, bias),
}

describe.each(Object.entries(normalisations))('gradients of %s', (name, norm) => {
  const gradientOps = async (traceParameters: boolean): Promise<string[]> => {
    const names: string[] = []
    const backend = noting(await loadBackend('reference'), names)
    return tidy(() => {
      const [x, weight, bias] = [[2, 2, 2], [2], [2]].map(shape =>
        tensor(shape.length > 1 ? [1, 2, 4, 3, 0, 5, 6, 1] : [1, 2], shape, { backend }),
      )
      const parameters = [weight!, bias!]
      const { pullback } = traceParameters
        ? vjp(([x, w, b]: readonly Tensor[]) => norm(x!, w!, b!), [x!, ...parameters])
        : vjp((x: Tensor) => norm(x, parameters[0]!, parameters[1]!), x!)
      pullback(x!)
      return names.filter(op => /Grad$/.test(op))
    })
  }

  it('should come from one run of one op', async () => {
    expect(await gradientOps(true)).toEqual([`${name}Grad`])
  })

  it('should leave out those of weight and bias when only x is traced', async () => {
    expect(await gradientOps(false)).toEqual([`${name}InputGrad`])
  })
})
