import {
  forwardParts,
  forwardScratch,
  forwardTime,
  gradientParts,
  gradientScratch,
  gradientTime,
  type Part,
  type Scratch,
  type Sizes,
} from './attentionParts.ts'
import type { Heap } from './heap.ts'
import type { CpuArray, CpuKernel } from './kernel.ts'
import { divide, isWorthThreads, onThreads } from './threads/onThreads.ts'
import { threadCount } from './threads/pool.ts'
import { buildAttentionPanels } from './wasm/attentionPanels.ts'
import { carve } from './wasm/convScratch.ts'
import { buildGemm } from './wasm/gemm.ts'
import { buildGemmPack } from './wasm/gemmPack.ts'
import { link } from './wasm/link.ts'

export interface AttentionAttributes {
  readonly heads: number
}

type Addresses<Name extends string> = Record<Name, number>

interface Heads<Shared extends string, Own extends string> {
  readonly heads: number
  /** About how long one thread takes for a head. */
  readonly nanoseconds: number
  readonly scratch: Scratch<Shared, Own>
  /** What there is to do for a head, with its scratch memory. */
  partsOf(head: number, shared: Addresses<Shared>): readonly Part<Own>[]
}

/** The addresses of one area after another, by the names of what they hold. */
const naming = (addresses: readonly number[]) => {
  let next = 0
  return <Name extends string>(area: Readonly<Record<Name, number>>): Addresses<Name> => {
    const named = {} as Record<Name, number>
    for (const name in area) named[name] = addresses[next++]!
    return named
  }
}

/** Computes every head. Each is a thread's, or where there are fewer heads than threads these share the parts of each. */
const eachHead = <Shared extends string, Own extends string>(heap: Heap, o: Heads<Shared, Own>): void => {
  const { heads, nanoseconds, scratch, partsOf } = o
  const linked = link(heap, 'attention', (module, options) => {
    buildGemm(module, options)
    buildGemmPack(module)
    buildAttentionPanels(module, options.fma)
  })
  const [sharedBytes, ownBytes] = [Object.values<number>(scratch.shared), Object.values<number>(scratch.own)]
  if (heads < threadCount() && isWorthThreads(heap, nanoseconds)) {
    const named = naming(carve(heap, sharedBytes, ownBytes, threadCount()))
    const shared = named(scratch.shared)
    const own = Array.from({ length: threadCount() }, () => named(scratch.own))
    for (let head = 0; head < heads; head++) {
      for (const part of partsOf(head, shared)) {
        onThreads(linked, divide(heap, part), (wasm, { index, first, end }) => part.run(wasm, own[index]!, first, end))
      }
    }
    return
  }
  const shares = divide(heap, { units: heads, nanoseconds: heads * nanoseconds, isLast: true })
  const named = naming(carve(heap, [], [...sharedBytes, ...ownBytes], shares.length))
  const places = shares.map(() => ({ shared: named(scratch.shared), own: named(scratch.own) }))
  onThreads(linked, shares, (wasm, { index, first, end }) => {
    const { shared, own } = places[index]!
    for (let head = first; head < end; head++) for (const part of partsOf(head, shared)) part.run(wasm, own, 0, part.units)
  })
}

/** Undefined where an array is empty. */
const sizesOf = ([query, key]: readonly CpuArray[], { heads }: AttentionAttributes): Sizes | undefined => {
  const [batch, channels, n] = query.shape
  const m = key.shape[2]
  return batch * channels * n * m === 0 ? undefined : { d: channels / heads, n, m }
}

/**
 * Scaled dot-product attention per head, V softmax(Q^T K / sqrt d)^T: query [batch, heads d, n], key and value
 * [batch, heads d, m], output like query. The scores exist for 64 query positions at a time.
 */
export const attention: CpuKernel<AttentionAttributes> = (heap, inputs, output, attributes) => {
  const s = sizesOf(inputs, attributes)
  if (!s) return false
  const { d, n, m } = s
  const [query, key, value] = inputs
  eachHead(heap, {
    heads: query.shape[0] * attributes.heads,
    nanoseconds: forwardTime(s),
    scratch: forwardScratch(s),
    partsOf(head, shared) {
      const [q, k] = [4 * head * d * n, 4 * head * d * m]
      return forwardParts(s, { q: query.pointer + q, k: key.pointer + k, v: value.pointer + k, out: output.pointer + q }, shared)
    },
  })
  return true
}

/** The gradients by query, key and value, one after the other: inputs query, key, value and the gradient of the output. */
export const attentionGrad: CpuKernel<AttentionAttributes> = (heap, inputs, output, attributes) => {
  const s = sizesOf(inputs, attributes)
  if (!s) return false
  const { d, n, m } = s
  const [query, key, value, dOut] = inputs
  const heads = query.shape[0] * attributes.heads
  const dKey = output.pointer + 4 * heads * d * n
  const dValue = dKey + 4 * heads * d * m
  eachHead(heap, {
    heads,
    nanoseconds: gradientTime(s),
    scratch: gradientScratch(s),
    partsOf(head, shared) {
      const [q, k] = [4 * head * d * n, 4 * head * d * m]
      const pointers = {
        q: query.pointer + q,
        k: key.pointer + k,
        v: value.pointer + k,
        dOut: dOut.pointer + q,
        dq: output.pointer + q,
        dk: dKey + k,
        dv: dValue + k,
      }
      return gradientParts(s, pointers, shared)
    },
  })
  return true
}
