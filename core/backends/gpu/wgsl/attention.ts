import type { AttentionAttributes } from '../../../ops/attention.ts'
import { sizeOf } from '../../../shape.ts'
import type { DeviceArray, GpuArray } from '../device.ts'
import { softmaxGradRows, softmaxRows } from './softmax.ts'
import { type Product, tiledProduct } from './tiledProduct.ts'
import type { WgslDevice, WgslKernel } from './wgslKernel.ts'

/** Sizes of an attention: batch and heads as one, channels per head, query and key positions, and queries of a block. */
const planOf = ([query, key]: readonly GpuArray[], { heads }: AttentionAttributes, most: number) => {
  const [batch, channels, queries] = query!.shape as [number, number, number]
  const [all, perHead, keys] = [batch * heads, channels / heads, key!.shape[2]!]
  const block = Math.max(1, Math.min(queries, Math.floor(most / (all * keys))))
  const firsts = Array.from({ length: Math.ceil(queries / block) }, (_, i) => i * block)
  const blocks = firsts.map(first => ({ first, count: Math.min(block, queries - first) }))
  return { all, perHead, queries, keys, scale: 1 / Math.sqrt(perHead), blocks }
}

type Plan = ReturnType<typeof planOf>
type Block = Plan['blocks'][number]

/** Query positions i of the block times key positions j: sum over the channels c of a[c, i] b[c, j]. */
const scoresOf = (device: WgslDevice, inputs: readonly DeviceArray[], plan: Plan, { first, count }: Block): DeviceArray | undefined =>
  tiledProduct(
    device,
    {
      batches: plan.all,
      m: count,
      n: plan.keys,
      k: plan.perHead,
      sizes: { queries: plan.queries, first },
      left: 'return x0[(batch * dim.k + k) * dim.queries + dim.first + m];',
      right: 'return x1[(batch * dim.k + k) * dim.n + n];',
      leftAlongK: false,
      rightAlongK: false,
      place: 'return (batch * dim.m + m) * dim.n + n;',
    },
    inputs,
  )

/** Channels c times the block's query positions i: sum over key positions j of a[c, j] w[i, j]. */
const overKeys = (plan: Plan, { first, count }: Block, into: NonNullable<Product['into']>): Product => ({
  batches: plan.all,
  m: plan.perHead,
  n: count,
  k: plan.keys,
  sizes: { queries: plan.queries, first },
  left: 'return x0[(batch * dim.m + m) * dim.k + k];',
  right: 'return x1[(batch * dim.n + n) * dim.k + k];',
  leftAlongK: true,
  rightAlongK: true,
  place: 'return (batch * dim.m + m) * dim.queries + dim.first + n;',
  into,
})

/** Channels c times key positions j: sum over the block's query positions i of a[c, i] w[i, j]. */
const overQueries = (plan: Plan, { first, count }: Block, offset: number, into: NonNullable<Product['into']>): Product => ({
  batches: plan.all,
  m: plan.perHead,
  n: plan.keys,
  k: count,
  sizes: { queries: plan.queries, first, offset },
  left: 'return x0[(batch * dim.m + m) * dim.queries + dim.first + k];',
  right: 'return x1[(batch * dim.k + k) * dim.n + n];',
  leftAlongK: true,
  rightAlongK: false,
  place: 'return dim.offset + (batch * dim.m + m) * dim.n + n;',
  into,
})

/** Calls `each` with every block and its attention weights [all, queries of the block, keys]. False when one is too large. */
const forEachBlock = (
  device: WgslDevice,
  [query, key]: readonly DeviceArray[],
  plan: Plan,
  each: (weights: DeviceArray, block: Block) => boolean,
): boolean =>
  plan.blocks.every(block => {
    const scores = scoresOf(device, [query!, key!], plan, block)
    return (
      scores !== undefined && each(softmaxRows(device, [scores], { rows: plan.all * block.count, n: plan.keys, scale: plan.scale }), block)
    )
  })

/** Per head, V softmax(Q^T K / sqrt(d))^T. */
const forward =
  (most: number): WgslKernel<AttentionAttributes> =>
  (device, inputs, output, attributes) => {
    const plan = planOf(inputs, attributes, most)
    const arrays = inputs.map(x => x.values)
    let result: DeviceArray | undefined
    const done = forEachBlock(device, arrays, plan, (weights, block) => {
      result = tiledProduct(device, overKeys(plan, block, { values: result, length: sizeOf(output) }), [arrays[2]!, weights])
      return result !== undefined
    })
    return done ? result : undefined
  }

/** The gradients by query, key and value, one after the other; those by key and value add up over the blocks. */
const gradients =
  (most: number): WgslKernel<AttentionAttributes> =>
  (device, inputs, output, attributes) => {
    const plan = planOf(inputs, attributes, most)
    const [query, key, value, dy] = inputs.map(x => x.values) as [DeviceArray, DeviceArray, DeviceArray, DeviceArray]
    const [querySize, keySize, length] = [sizeOf(inputs[0]!.shape), sizeOf(inputs[1]!.shape), sizeOf(output)]
    let result: DeviceArray | undefined
    const done = forEachBlock(device, [query, key], plan, (weights, block) => {
      const dWeights = scoresOf(device, [dy, value], plan, block)
      if (!dWeights) return false
      const add = block.first > 0
      const rows = { rows: plan.all * block.count, n: plan.keys, scale: plan.scale }
      const dScores = softmaxGradRows(device, [weights, dWeights], rows)
      result = tiledProduct(device, overKeys(plan, block, { values: result, length }), [key, dScores])
      if (!result) return false
      const into = { values: result, length, add }
      const dKey = tiledProduct(device, overQueries(plan, block, querySize, into), [query, dScores])
      return dKey !== undefined && tiledProduct(device, overQueries(plan, block, querySize + keySize, into), [dy, weights]) !== undefined
    })
    return done ? result : undefined
  }

/** Both for a few query positions at a time, so that at most so many scores exist at once: by default 16 Mi, which are 64 MiB. */
export const attentions = (most: number = 2 ** 24) => ({ attention: forward(most), attentionGrad: gradients(most) })
