import { dispose, type Tensor, valueAndGrad } from '../../core/index.ts'
import { FileError } from '../../core/io/fileError.ts'
import type { Comparison } from './comparison.ts'
import type { GoldenFile } from './goldenFolder.ts'
import { compareWith, upload } from './tensors.ts'

type TensorRecord = Readonly<Record<string, Tensor>>

/** A network as a function of its parameters and images, with further tensors it computes on the way. */
export type Forward = (params: TensorRecord, x: Tensor) => { readonly output: Tensor; readonly extra?: TensorRecord }

const GRADIENT = 'grad.'

/** The parameters whose gradients a file expects. */
const expectedGradients = (io: GoldenFile, params: TensorRecord): string[] => {
  const names = io.tensorNames.filter(name => name.startsWith(GRADIENT)).map(name => name.slice(GRADIENT.length))
  const stranger = names.find(name => !Object.hasOwn(params, name))
  if (stranger) throw new FileError(io.path, `gradient of "${stranger}", which is no parameter`, 'save it under its state-dict name')
  return names
}

/**
 * Compares a network with a file that holds x, r, out, grad_x and grad.<parameter>: `out` is its output and the gradients
 * are those of sum(out * r). `extra` maps further computed tensors to names in the file.
 */
export const compareNetwork = async (io: GoldenFile, params: TensorRecord, forward: Forward): Promise<Comparison[]> => {
  const names = expectedGradients(io, params)
  const x = upload(io.get('x'))
  const r = upload(io.get('r'))
  const chosen = Object.fromEntries(names.map(name => [name, params[name]!]))
  const result = valueAndGrad<{ x: Tensor; chosen: TensorRecord }, { output: Tensor; extra: TensorRecord }>(leaves => {
    const { output, extra = {} } = forward({ ...params, ...leaves.chosen }, leaves.x)
    return [output.mul(r).sum(), { output, extra }]
  })({ x, chosen })
  const { gradient, aux } = result
  const comparisons = [
    ...(await compareWith(io, 'out', aux.output, 'output')),
    ...(await compareWith(io, 'grad_x', gradient.x, 'gradient')),
  ]
  for (const name of names) comparisons.push(...(await compareWith(io, GRADIENT + name, gradient.chosen[name]!, 'gradient')))
  for (const [name, computed] of Object.entries(aux.extra)) {
    comparisons.push(...(await compareWith(io, name, computed, name.endsWith('num_batches_tracked') ? 'exact' : 'output')))
  }
  dispose([x, r, result.value, gradient, aux])
  return comparisons
}
