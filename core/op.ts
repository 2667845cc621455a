import type { HostValues } from './backends/backend.ts'
import type { Shape } from './shape.ts'
import type { Tensor } from './tensor.ts'

/** A contiguous row-major array on the host, as a definition sees it. */
export interface HostArray {
  readonly values: HostValues
  readonly shape: Shape
}

/** Source of test choices; the specs drive it with a property-testing library. */
export interface Choose {
  integer(low: number, high: number): number
  pick<T>(items: readonly T[]): T
}

/** One input of a test case: its shape, the range its values are drawn from, and points where it is not smooth. */
export interface TestInput {
  readonly shape: Shape
  readonly low?: number
  readonly high?: number
  /** Values are kept 1e-2 away from these. */
  readonly kinks?: readonly number[]
  /** Values are drawn from these alone, and no derivative is tested along them: conditions and labels. */
  readonly discrete?: readonly number[]
}

export interface TestCase<Attributes> {
  readonly inputs: readonly TestInput[]
  readonly attributes: Attributes
}

/** What a gradient rule sees. */
export interface GradientContext<Attributes> {
  readonly inputs: readonly Tensor[]
  readonly output: Tensor
  readonly attributes: Attributes
  readonly outputGradient: Tensor
}

/**
 * One operation: its shape rule, its definition in plain loops (the truth every kernel is held to, in float64 on the
 * reference backend), its gradient in public ops, and the domain on which the laws test it.
 */
export interface OpDefinition<Attributes> {
  readonly name: string
  /** Kernel that computes it on accelerated backends, when it is not `name`. */
  readonly kernel?: string
  shape(inputs: readonly Shape[], attributes: Attributes): Shape
  define(inputs: readonly HostArray[], output: HostArray, attributes: Attributes): void
  /** Per input a thunk giving its gradient (called only when needed), or null where the derivative is zero everywhere. */
  gradient(context: GradientContext<Attributes>): readonly ((() => Tensor) | null)[]
  domain(choose: Choose): TestCase<Attributes>
}

// biome-ignore lint/suspicious/noExplicitAny: attributes differ by op; each op checks its own.
export type AnyOp = OpDefinition<any>

const registered = new Map<string, AnyOp>()

/** Adds an op to the registry that the laws walk. */
export const defineOp = <Attributes>(op: OpDefinition<Attributes>): OpDefinition<Attributes> => {
  if (registered.has(op.name)) throw new Error(`defineOp: an op named "${op.name}" exists already; choose another name`)
  registered.set(op.name, op)
  return op
}

/** Every registered op, by name. Importing core/ops/index.ts registers all of them. */
export const opRegistry: ReadonlyMap<string, AnyOp> = registered
