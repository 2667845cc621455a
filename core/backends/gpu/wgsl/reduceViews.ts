import { emitWgsl } from '../../../expr/emitWgsl.ts'
import { input } from '../../../expr/expr.ts'
import { type InternedExpr, intern } from '../../../expr/intern.ts'
import { sizeOf, stridesOf } from '../../../shape.ts'
import type { DeviceArray } from '../device.ts'
import type { Reduction } from '../reduce.ts'
import { collapse } from '../view.ts'
import * as indexing from './indexing.ts'
import { treeText } from './tree.ts'
import type { WgslDevice } from './wgslKernel.ts'

const groupSize = 64

/** Most elements that one thread combines in order, so that a sum's rounding error grows with it and not with the length. */
const perThread = 256

/** What a pipeline depends on beside the expression. */
interface Plan {
  readonly combine: Reduction['combine']
  readonly rank: number
  readonly accesses: readonly indexing.Access[]
  /** Threads that share one result: 1, or the whole workgroup. */
  readonly lanes: 1 | typeof groupSize
  /** Whether these threads combine by subgroups. */
  readonly subgroups: boolean
}

const source = ({ expr }: InternedExpr, { combine, rank, accesses, lanes, subgroups }: Plan): string | undefined => {
  const inputs = accesses.length
  const place = (i: number): string => indexing.placeText(accesses[i]!, `x${i}`, rank)
  const emitted = emitWgsl(expr, { type: 'f32', input: i => `x${i}[from${i} + k * args.step${i}]`, param: i => `args.p${i}` })
  if (!emitted) return undefined
  const fields = accesses.flatMap((access, i) => [...indexing.fieldsOf(access, `x${i}`, rank), `step${i}`])
  const join = (a: string, b: string): string => (combine === 'add' ? `${a} + ${b}` : `max(${a}, ${b})`)
  const starts = accesses.map((_, i) => `let from${i} = ${place(i)};`).join(' ')
  const shared = lanes > 1
  const own = shared ? 'group.x + group.y * groups.x' : `id.x + id.y * groups.x * ${groupSize}u`
  return `${subgroups ? 'enable subgroups;\n' : ''}${accesses.map((_, i) => `@group(0) @binding(${i}) var<storage, read> x${i} : array<f32>;`).join('\n')}
@group(0) @binding(${inputs}) var<storage, read_write> result : array<f32>;
${indexing.argumentsText(inputs + 1, ['count', 'length', 'chunk', 'chunks', 'start', ...indexing.lengthFields(rank), ...fields], [])}
${emitted.functions.join('\n')}
${shared ? treeText(groupSize, combine, { subgroups }) : ''}
@compute @workgroup_size(${groupSize})
fn main(@builtin(global_invocation_id) id : vec3<u32>, @builtin(workgroup_id) group : vec3<u32>,
    @builtin(local_invocation_index) lane : u32, @builtin(num_workgroups) groups : vec3<u32>) {
  let number = ${own};
  if (number >= args.count) { return; }
  let at = number / args.chunks;
  ${accesses.includes('strided') ? indexing.coordinateText(rank) : ''}
  let first = number % args.chunks * args.chunk;
  let end = min(first + args.chunk, args.length);
  ${starts}
  var total = bitcast<f32>(args.start);
  for (var k = first${shared ? ' + lane' : ''}; k < end; k += ${lanes}u) {
    ${emitted.statements.join('\n    ')}
    total = ${join('total', emitted.result)};
  }
  ${shared ? `total = combined(total, lane);\n  if (lane == 0u) { result[number] = total; }` : 'result[number] = total;'}
}`
}

/** The float32 bits of 0 and of minus infinity, which WGSL cannot write. */
const startBits = { add: 0, max: 0xff800000 }

const sources = new Map<string, string | undefined>()

/** Results that keep a device busy with one thread each. */
const enoughThreads = 4096

/**
 * A whole workgroup shares a result whose elements are neighbours in memory, so that its threads read neighbours; where the
 * neighbours are the results', a thread each does, if there are enough of them.
 */
const lanesFor = ({ kept, length, views }: Reduction): Plan['lanes'] => {
  const along = views.some(({ step }) => step === 1)
  return length < 32 || (!along && sizeOf(kept) >= enoughThreads) ? 1 : groupSize
}

/**
 * Combines `length` elements into one for every index of `kept`, in a fixed order: the same bits every time. Every size comes at
 * run time. Undefined when the expression cannot be written or there are too many strides.
 */
export const reduceViews = (device: WgslDevice, reduction: Reduction): DeviceArray | undefined => {
  const { combine, kept, length, views, expr = input(0) } = reduction
  const lanes = lanesFor(reduction)
  const subgroups = lanes > 1 && (device.wgsl?.subgroups ?? false)
  const chunk = lanes * perThread
  const chunks = Math.ceil(length / chunk)
  const { shape, views: collapsed } = collapse(kept, views)
  const rank = shape.length
  const accesses = collapsed.map(view => indexing.accessOf(view, shape))
  const interned = intern(expr)
  const key = `${interned.id};${combine};${rank};${lanes};${subgroups};${accesses.join()}`
  if (!sources.has(key)) sources.set(key, source(interned, { combine, rank, accesses, lanes, subgroups }))
  const code = sources.get(key)
  const count = sizeOf(kept) * chunks
  const steps = collapsed.flatMap((view, i) => [...indexing.fieldValues(accesses[i]!, view), views[i]!.step])
  const sizes = [count, length, chunk, chunks, startBits[combine], ...shape.slice(1), ...steps]
  if (code === undefined || sizes.length > indexing.mostArguments || !indexing.isCountable([...kept, length])) return undefined
  const workgroups = indexing.workgroupsFor(lanes === 1 ? Math.ceil(count / groupSize) : count)
  const partial = device.dispatch(
    { code, workgroups, length: count },
    views.map(view => view.values),
    { sizes },
  )
  if (chunks === 1) return partial
  const strides = stridesOf(kept).map(stride => stride * chunks)
  return reduceViews(device, { combine, kept, length: chunks, views: [{ values: partial, strides, step: 1 }] })
}
