import type { Expr } from '../../../expr/expr.ts'
import { type Linear, lineariseAll, type Step } from '../../../expr/linear.ts'
import type { SeveralAttributes } from '../../../ops/elementwiseAll.ts'
import type { Heap } from '../heap.ts'
import type { CpuArray, CpuKernel } from '../kernel.ts'
import { isWorthThreads, onOneThread } from '../threads/onThreads.ts'
import { isOutstanding } from '../threads/outstanding.ts'
import type { FunctionBuilder, Local } from './assembler.ts'
import { collapse, maximumInputs, maximumRank, sizes, strides } from './collapse.ts'
import { type Counts, innerAxes, inputWord, outputWord, paramWord } from './elementwiseDescriptor.ts'
import { elementTime, runInShares } from './elementwiseShares.ts'
import { ExprEmitter } from './emitExpr.ts'
import { Lanes } from './lanes.ts'
import { hasFma, type Linked, link } from './link.ts'
import { addTo, repeat } from './loops.ts'

export interface ElementwiseAttributes {
  /** Keep the object: kernels are cached by it. */
  readonly expr: Expr
  readonly params: readonly number[]
}

/** Which steps change along a row: those that depend on an input with inner stride 1. */
const varyingSteps = (steps: readonly Step[], streamed: (input: number) => boolean): boolean[] => {
  const varying: boolean[] = []
  for (const step of steps) {
    if (step.kind === 'input') varying.push(streamed(step.index))
    else if (step.kind === 'unary') varying.push(varying[step.x]!)
    else if (step.kind === 'binary') varying.push(varying[step.a]! || varying[step.b]!)
    else if (step.kind === 'select') varying.push(varying[step.condition]! || varying[step.a]! || varying[step.b]!)
    else varying.push(false)
  }
  return varying
}

/**
 * Emits `run(descriptor)`. Rows are computed in whole vectors in ascending order: what the last vector of a row writes
 * past its end is overwritten by the next row, and after the last row it falls into the padding of the allocation.
 */
const emitRun = (f: FunctionBuilder, descriptor: Local, o: { linear: Linear; inputCount: number; mask: number; fma: boolean }) => {
  const v = new Lanes(f, o.fma)
  const { linear } = o
  const counts: Counts = { outputs: linear.results.length, inputs: o.inputCount }
  const word = (index: number): Local => {
    const local = f.local('i32')
    f.get(descriptor)
      .mem('i32Load', 4 * index)
      .set(local)
    return local
  }
  const streamed = (k: number) => ((o.mask >> k) & 1) === 1
  const inputs = Array.from({ length: o.inputCount }, (_, k) => k)
  const n = word(0)
  const rows = word(1)
  const planes = word(2)
  const outputs = linear.results.map((_, k) => word(outputWord(k)))
  const planeStart = inputs.map(k => word(inputWord(counts, k)))
  const rowStride = inputs.map(k => word(inputWord(counts, k) + 1))
  const planeStride = inputs.map(k => word(inputWord(counts, k) + 2))
  const rowStart = inputs.map(() => f.local('i32'))
  const cursor = inputs.map(() => f.local('i32'))
  const targets = outputs.map(() => f.local('i32'))
  const vectors = f.local('i32')
  const left = f.local('i32')
  const varying = varyingSteps(linear.steps, streamed)

  let offset = 0
  const emitter = new ExprEmitter(v, linear, step => {
    if (step.kind === 'param') return v.loadSplat(descriptor, 4 * paramWord(counts, step.index))
    return streamed(step.index) ? v.load(cursor[step.index]!, offset) : v.loadSplat(rowStart[step.index]!)
  })
  const vector = (at: number) => {
    offset = at
    emitter.emit(i => varying[i]!)
    for (const [k, result] of emitter.results().entries()) v.store(targets[k]!, result, at)
  }
  const advance = (bytes: number) => {
    for (const k of inputs) if (streamed(k)) f.increment(cursor[k]!, bytes)
    for (const target of targets) f.increment(target, bytes)
  }

  f.get(n).i32(3).op('i32Add').i32(2).op('i32ShrU').set(vectors)
  repeat(f, planes, () => {
    for (const k of inputs) f.get(planeStart[k]!).set(rowStart[k]!)
    repeat(f, rows, () => {
      for (const k of inputs) if (streamed(k)) f.get(rowStart[k]!).set(cursor[k]!)
      for (const [k, output] of outputs.entries()) f.get(output).set(targets[k]!)
      f.get(vectors).set(left)
      emitter.emit(i => !varying[i])
      f.countdown(
        left,
        () => {
          vector(0)
          vector(16)
          advance(32)
        },
        2,
      )
      f.get(left).if(() => vector(0))
      for (const k of inputs) addTo(f, rowStart[k]!, rowStride[k]!)
      for (const output of outputs) f.get(output).get(n).i32(2).op('i32Shl').op('i32Add').set(output)
    })
    for (const k of inputs) addTo(f, planeStart[k]!, planeStride[k]!)
  })
}

interface Compiled {
  readonly heap: Heap
  readonly exprs: readonly Expr[]
  readonly linear: Linear
  readonly fma: boolean
  /** About how many nanoseconds one thread takes for an element. */
  readonly elementTime: number
  /** Modules with the function `run`, by the bits of the inputs with inner stride 1. */
  readonly modules: Linked[]
}

const compiled = new WeakMap<Expr, Compiled[]>()

const isOf = (entry: Compiled, exprs: readonly Expr[]): boolean => {
  if (entry.exprs.length !== exprs.length) return false
  for (let i = 0; i < exprs.length; i++) if (entry.exprs[i] !== exprs[i]) return false
  return true
}

const compiledFor = (heap: Heap, exprs: readonly Expr[]): Compiled => {
  const fma = hasFma()
  let list = compiled.get(exprs[0]!)
  if (!list) {
    list = []
    compiled.set(exprs[0]!, list)
  }
  for (const entry of list) if (entry.heap === heap && entry.fma === fma && isOf(entry, exprs)) return entry
  const linear = lineariseAll(exprs)
  const entry = { heap, exprs, linear, fma, elementTime: elementTime(linear.steps), modules: [] }
  list.push(entry)
  return entry
}

const moduleFor = (heap: Heap, { modules, linear }: Compiled, o: { readonly inputCount: number; readonly mask: number }): Linked => {
  const { inputCount, mask } = o
  let linked = modules[mask]
  if (!linked) {
    linked = link(heap, `elementwise ${inputCount} ${mask} ${linear.key}`, (m, { fma }) => {
      m.function('run', ['i32'], (f, descriptor) => emitRun(f, descriptor!, { linear, inputCount, mask, fma }))
    })
    modules[mask] = linked
  }
  return linked
}

/** Writes the descriptor of the inner axes and runs them once for each position of the outer ones. */
const runCollapsed = (
  heap: Heap,
  wasm: Linked,
  o: { inputs: readonly CpuArray[]; outputs: readonly CpuArray[]; params: readonly number[]; rank: number },
) => {
  const { inputs, outputs, params, rank } = o
  const counts: Counts = { outputs: outputs.length, inputs: inputs.length }
  const descriptor = heap.tables(4 * paramWord(counts, params.length))
  const words = heap.tableView.i32
  const base = descriptor >>> 2
  const first = base + paramWord(counts, 0)
  for (let i = 0; i < params.length; i++) heap.tableView.f32[first + i] = params[i]!
  words[base] = sizes[0]!
  words[base + 1] = rank > 1 ? sizes[1]! : 1
  words[base + 2] = rank > 2 ? sizes[2]! : 1
  for (let k = 0; k < outputs.length; k++) words[base + outputWord(k)] = outputs[k]!.pointer
  for (let k = 0; k < inputs.length; k++) {
    const at = base + inputWord(counts, k)
    words[at] = inputs[k]!.pointer
    words[at + 1] = rank > 1 ? 4 * strides[k * maximumRank + 1]! : 0
    words[at + 2] = rank > 2 ? 4 * strides[k * maximumRank + 2]! : 0
  }
  let outer = 1
  for (let axis = innerAxes; axis < rank; axis++) outer *= sizes[axis]!
  if (outer === 1 && isOutstanding()) {
    onOneThread(wasm, wasm => wasm.run!(descriptor))
    return
  }
  const block = 4 * sizes[0]! * words[base + 1]! * words[base + 2]!
  for (let i = 0; i < outer; i++) {
    if (i > 0) {
      for (let k = 0; k < outputs.length; k++) words[base + outputWord(k)] = outputs[k]!.pointer + i * block
      for (let k = 0; k < inputs.length; k++) {
        let rest = i
        let offset = 0
        for (let axis = innerAxes; axis < rank; axis++) {
          offset += (rest % sizes[axis]!) * strides[k * maximumRank + axis]!
          rest = Math.floor(rest / sizes[axis]!)
        }
        words[base + inputWord(counts, k)] = inputs[k]!.pointer + 4 * offset
      }
    }
    wasm.run!(descriptor)
  }
}

/**
 * Computes expressions of n inputs in one pass, broadcast by numpy's rules to the shape that all outputs have. Parameters are
 * given with the call, so a step size may change without a new kernel. float32 only. An output may be one of the inputs only
 * if all shapes are equal, since rows overlap while they are written. False, with nothing done, for what it does not cover.
 */
export const elementwiseAll = (
  heap: Heap,
  inputs: readonly CpuArray[],
  outputs: readonly CpuArray[],
  { exprs, params }: SeveralAttributes,
): boolean => {
  const output = outputs[0]!
  if (output.dtype !== 'float32' || inputs.length > maximumInputs || output.shape.length > maximumRank) return false
  for (const input of inputs) if (input.dtype !== 'float32') return false
  for (const size of output.shape) if (size === 0) return true
  const rank = collapse(inputs, output.shape)
  if (rank === 0) return false
  let mask = 0
  for (let k = 0; k < inputs.length; k++) mask |= strides[k * maximumRank]! << k
  const entry = compiledFor(heap, exprs)
  const wasm = moduleFor(heap, entry, { inputCount: inputs.length, mask })
  let nanoseconds = entry.elementTime
  for (let axis = 0; axis < rank; axis++) nanoseconds *= sizes[axis]!
  if (isWorthThreads(heap, nanoseconds) && runInShares(heap, wasm, { inputs, outputs, params, rank, nanoseconds })) return true
  runCollapsed(heap, wasm, { inputs, outputs, params, rank })
  return true
}

/** The same of one expression. */
export const elementwise: CpuKernel<ElementwiseAttributes> = (heap, inputs, output, { expr, params }) =>
  elementwiseAll(heap, inputs, [output], { exprs: [expr], params })
