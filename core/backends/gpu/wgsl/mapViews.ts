import { emitWgslAll } from '../../../expr/emitWgsl.ts'
import { type Expr, input } from '../../../expr/expr.ts'
import { type InternedExpr, intern } from '../../../expr/intern.ts'
import { type Shape, sameShape, sizeOf, stridesOf } from '../../../shape.ts'
import type { DeviceArray } from '../device.ts'
import { collapse, mostInputs, type View } from '../view.ts'
import * as indexing from './indexing.ts'
import type { WgslDevice } from './wgslKernel.ts'

export interface Mapping {
  readonly shape: Shape
  readonly views: readonly View[]
  /** Of the views' elements. Default: the first view itself, a copy. */
  readonly expr?: Expr
  readonly params?: readonly number[]
  /** The array of `length` elements, and where in it the result goes. Without `values` a new one. Default: one of this shape. */
  readonly into?: Omit<View, 'values'> & { readonly values: DeviceArray | undefined; readonly length: number }
}

const groupSize = 64

/** Arrays that a shader reads and writes. */
const mostArrays = mostInputs + 1

/** How the shader reads a view and writes the result: what a pipeline depends on beside the expression. */
interface Plan {
  readonly rank: number
  /** Whether a thread computes four neighbours. */
  readonly four: boolean
  readonly accesses: readonly indexing.Access[]
  /** Whether a view moves along the innermost axis; with `four` the others give one value for all four. */
  readonly moves: readonly boolean[]
}

const source = (exprs: readonly InternedExpr[], params: number, { rank, four, accesses, moves }: Plan): string | undefined => {
  const type = four ? 'vec4<f32>' : 'f32'
  const inputs = accesses.length - 1
  const names = accesses.map((_, i) => (i === inputs ? 'result' : `x${i}`))
  const place = (i: number): string => indexing.placeText(accesses[i]!, names[i]!, rank)
  const emitted = emitWgslAll(
    exprs.map(({ expr }) => expr),
    {
      type,
      input: i => (moves[i] ? `x${i}[${place(i)}]` : `${type}(x${i}[${place(i)}])`),
      param: i => `${type}(args.p${i})`,
    },
  )
  if (!emitted) return undefined
  const arrays = moves.slice(0, -1).map((moving, i) => {
    return `@group(0) @binding(${i}) var<storage, read> x${i} : array<${moving ? type : 'f32'}>;`
  })
  const sizes = ['count', ...indexing.lengthFields(rank), ...accesses.flatMap((access, i) => indexing.fieldsOf(access, names[i]!, rank))]
  const resultName = (j: number): string => (exprs.length === 1 ? 'result' : `result${j}`)
  const results = exprs.map((_, j) => `@group(0) @binding(${inputs + j}) var<storage, read_write> ${resultName(j)} : array<${type}>;`)
  return `${[...arrays, ...results].join('\n')}
${indexing.argumentsText(
  inputs + exprs.length,
  sizes,
  Array.from({ length: params }, (_, i) => `p${i}`),
)}
${emitted.functions.join('\n')}
@compute @workgroup_size(${groupSize})
fn main(@builtin(global_invocation_id) id : vec3<u32>, @builtin(num_workgroups) groups : vec3<u32>) {
  let at = id.x + id.y * groups.x * ${groupSize}u;
  if (at >= args.count) { return; }
  ${accesses.includes('strided') ? indexing.coordinateText(rank) : ''}
  ${emitted.statements.join('\n  ')}
  ${emitted.results.map((value, j) => `${resultName(j)}[${place(inputs)}] = ${value};`).join('\n  ')}
}`
}

/** Whether places four elements apart along the innermost axis are places of whole vectors. */
const inFours = ({ strides, offset = 0 }: View): boolean =>
  strides.at(-1) === 0 || (strides.at(-1) === 1 && [offset, ...strides.slice(0, -1)].every(n => n % 4 === 0))

const quarter = (view: View): View =>
  view.strides.at(-1) === 0 ? view : { ...view, strides: [...view.strides.slice(0, -1).map(n => n / 4), 1], offset: (view.offset ?? 0) / 4 }

/**
 * Shape and views in vectors of four where that is possible. A new array in its own order may end within a vector: buffers are
 * larger than that, by the pool's rounding.
 */
const vectorised = (shape: Shape, views: readonly View[], fresh: boolean): { shape: Shape; views: readonly View[] } | undefined => {
  if (shape.length === 0 || !views.every(inFours) || views.at(-1)!.strides.at(-1) !== 1) return undefined
  const inner = shape.at(-1)!
  if (inner % 4 !== 0 && !(fresh && shape.length === 1 && views.every(({ offset = 0 }) => offset === 0))) return undefined
  return { shape: [...shape.slice(0, -1), Math.ceil(inner / 4)], views: views.map(quarter) }
}

/** How an op's arrays are read and written: the plan, its key, and the integers that go with it. */
interface Layout {
  readonly plan: Plan
  readonly key: string
  readonly sizes: readonly number[]
}

const inOrder = new Map<number, Pick<Layout, 'plan' | 'key'>>()

/** The most common layout, of arrays all in the order of the result, found without looking further. */
const layoutInOrder = (count: number, views: number): Layout => {
  let known = inOrder.get(views)
  if (!known) {
    const all = Array.from({ length: views + 1 })
    const plan: Plan = { rank: 1, four: true, accesses: all.map(() => 'same'), moves: all.map(() => true) }
    known = { plan, key: keyOf(plan) }
    inOrder.set(views, known)
  }
  return { ...known, sizes: [Math.ceil(count / 4)] }
}

const keyOf = ({ rank, four, accesses, moves }: Plan): string => `${rank};${four};${accesses.join()};${moves.join()}`

const layoutOf = (shape: Shape, views: readonly View[], into: Mapping['into']): Layout => {
  const own = stridesOf(shape)
  const isInOrder = ({ strides, offset = 0 }: View): boolean => offset === 0 && sameShape(strides, own)
  if (!into && views.every(isInOrder)) return layoutInOrder(sizeOf(shape), views.length)
  const target: View = { strides: own, ...into, values: { length: 0 } }
  const scalar = collapse(shape, [...views, target])
  const fours = vectorised(scalar.shape, scalar.views, !into)
  const { shape: axes, views: placed } = fours ?? scalar
  const accesses = placed.map(view => indexing.accessOf(view, axes))
  const moves = placed.map(view => !fours || view.strides.at(-1) === 1)
  const plan: Plan = { rank: axes.length, four: fours !== undefined, accesses, moves }
  const fields = placed.flatMap((view, i) => indexing.fieldValues(accesses[i]!, view))
  return { plan, key: keyOf(plan), sizes: [sizeOf(axes), ...axes.slice(1), ...fields] }
}

const sources = new Map<string, string | undefined>()

/** The call that computes the expressions of the views; undefined when it cannot be written or there are too many strides. */
const callOf = (exprs: readonly Expr[], params: readonly number[], { plan, key: layoutKey, sizes }: Layout) => {
  const interned = exprs.map(intern)
  const key = `${interned.map(({ id }) => id)};${params.length};${layoutKey}`
  if (!sources.has(key)) sources.set(key, source(interned, params.length, plan))
  const code = sources.get(key)
  if (code === undefined || sizes.length + params.length > indexing.mostArguments) return undefined
  return { code, workgroups: indexing.workgroupsFor(Math.ceil(sizes[0]! / groupSize)) }
}

/**
 * One element of the result per thread, or four, with every size given at run time: one pipeline serves all shapes whose
 * operands are read in the same way. Undefined when the expression cannot be written or there are too many strides.
 */
export const mapViews = (device: WgslDevice, { shape, views, expr = input(0), params = [], into }: Mapping): DeviceArray | undefined => {
  if (!indexing.isCountable(shape)) return undefined
  const layout = layoutOf(shape, views, into)
  const call = callOf([expr], params, layout)
  return (
    call &&
    device.dispatch(
      { ...call, length: into?.length ?? sizeOf(shape) },
      views.map(view => view.values),
      { sizes: layout.sizes, params, ...(into?.values && { into: into.values }) },
    )
  )
}

/** The same of several expressions in one pass, each into a new array; undefined, too, where it takes more arrays than WebGPU promises. */
export const mapViewsAll = (
  device: WgslDevice,
  { shape, views, exprs, params = [] }: Omit<Mapping, 'expr' | 'into'> & { readonly exprs: readonly Expr[] },
): readonly DeviceArray[] | undefined => {
  if (!device.dispatchAll || !indexing.isCountable(shape) || views.length + exprs.length > mostArrays) return undefined
  const layout = layoutOf(shape, views, undefined)
  const call = callOf(exprs, params, layout)
  return (
    call &&
    device.dispatchAll(
      { ...call, length: sizeOf(shape) },
      views.map(view => view.values),
      { sizes: layout.sizes, params, results: exprs.length },
    )
  )
}
