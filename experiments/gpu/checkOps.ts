import { apply } from '../../core/apply.ts'
import type { ComputedBy } from '../../core/backends/gpu/gpu.ts'
import { type Backend, loadBackend, sizeOf, type Tensor, tensor } from '../../core/index.ts'
import { type AnyOp, type Choose, type HostArray, opRegistry, type TestInput } from '../../core/op.ts'
import { uniform } from '../../core/random/distributions.ts'
import { foldIn, type Key, key } from '../../core/random/key.ts'

export interface OpCheck {
  readonly op: string
  /** Largest distance to the reference in any case, divided by the largest value of that case, or by 1 if that is larger. */
  readonly error: number
  readonly ok: boolean
  /** What has computed it; several where it depends on the shapes. */
  readonly by?: readonly ComputedBy[]
  /** Why it could not be computed. */
  readonly failure?: string
}

/** Float32 arithmetic on values of order 1. */
export const tolerance = 1e-5

/** Shapes and attributes from a stream of uniform numbers. */
const chooseFrom = (draws: Float64Array): Choose => {
  let next = 0
  const integer = (low: number, high: number): number => low + Math.floor(draws[next++ % draws.length]! * (high - low + 1))
  return { integer, pick: items => items[integer(0, items.length - 1)]! }
}

const valuesOf = (random: Key, { shape, low = -2, high = 2, discrete }: TestInput): HostArray => {
  const draws = uniform(random, sizeOf(shape))
  const values = draws.map(u => Math.fround(discrete ? discrete[Math.floor(u * discrete.length)]! : low + u * (high - low)))
  return { values, shape }
}

/** `max |actual - expected|` over `max(1, |expected|)`; infinite or NaN where only one of them is. */
const distance = (actual: ArrayLike<number>, expected: ArrayLike<number>): number => {
  let far = 0
  let top = 1
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [actual[i]!, expected[i]!]
    if (!Object.is(a, e)) far = Math.max(far, Math.abs(a - e))
    if (Number.isFinite(e)) top = Math.max(top, Math.abs(e))
  }
  return far / top
}

const run = async (op: AnyOp, inputs: readonly HostArray[], attributes: unknown, backend: Backend): Promise<ArrayLike<number>> => {
  const tensors: Tensor[] = inputs.map(({ values, shape }) => tensor(values, shape, { backend }))
  try {
    tensors.push(apply(op, tensors, attributes))
    return await tensors.at(-1)!.data()
  } finally {
    for (const each of tensors) each.dispose()
  }
}

/** Compares every registered op on a backend with the reference backend, on random cases of the op's own test domain. */
export const checkOps = async (backend: Backend, { cases = 6, seed = 0 }: { cases?: number; seed?: number } = {}): Promise<OpCheck[]> => {
  const reference = await loadBackend('reference')
  const checks: OpCheck[] = []
  for (const op of opRegistry.values()) {
    let error = 0
    let failure: string | undefined
    for (let i = 0; i < cases && failure === undefined; i++) {
      const random = foldIn(foldIn(key(seed), op.name), i)
      const { inputs, attributes } = op.domain(chooseFrom(uniform(foldIn(random, 'shapes'), 32)))
      const arrays = inputs.map((input, at) => valuesOf(foldIn(foldIn(random, 'values'), at), input))
      try {
        error = Math.max(error, distance(await run(op, arrays, attributes, backend), await run(op, arrays, attributes, reference)))
      } catch (thrown) {
        failure = thrown instanceof Error ? thrown.message : String(thrown)
      }
    }
    checks.push({ op: op.name, error, ok: failure === undefined && error <= tolerance, ...(failure !== undefined && { failure }) })
  }
  return checks
}
