import { apply } from '../apply.ts'
import { vjp } from '../grad.ts'
import { type Choose, defineOp, type HostArray, type TestCase } from '../op.ts'
import { formatShape, type Shape, ShapeError, sameShape, sizeOf } from '../shape.ts'
import type { Tensor } from '../tensor.ts'
import { requireWholeNumber } from '../wholeNumber.ts'
import { concat } from './concat.ts'
import { matmul } from './matmul.ts'
import { slice } from './slice.ts'
import { softmax } from './softmax.ts'

export interface AttentionAttributes {
  /** Consecutive blocks of channels, each attending on its own. */
  readonly heads: number
}

const check = ([query, key, value, dy]: readonly Shape[], { heads }: AttentionAttributes): void => {
  const [batch, channels] = query!
  const fits = query!.length === 3 && key!.length === 3 && key![0] === batch && key![1] === channels && sameShape(key!, value!)
  const got = (): string => `got ${[query!, key!, value!].map(formatShape).join(', ')}`
  if (!fits) {
    throw new ShapeError(
      `attention: query must be [batch,channels,positions], key and value [batch,channels,keyPositions]; ${got()}; reshape them`,
    )
  }
  requireWholeNumber('attention', 'heads', heads, 1)
  if (channels! % heads !== 0) {
    throw new ShapeError(`attention: ${heads} heads do not divide ${channels} channels, ${got()}; choose a divisor`)
  }
  if (dy && !sameShape(query!, dy)) {
    throw new ShapeError(`attention: query is ${formatShape(query!)} but the output gradient ${formatShape(dy)}; make them equal`)
  }
}

interface Head {
  /** Where the head begins in the query, and in key and value. */
  readonly q: number
  readonly k: number
  readonly perHead: number
  readonly scale: number
  /** Softmax of the scaled scores: `weights[i * keyPositions + j]` of query position i and key position j. */
  readonly weights: Float64Array
}

/** Calls `each` with the attention weights of every head of every image. */
const forEachHead = ([query, key]: readonly HostArray[], { heads }: AttentionAttributes, each: (head: Head) => void): void => {
  const [batch, channels, n] = query!.shape as [number, number, number]
  const m = key!.shape[2]!
  const perHead = channels / heads
  const scale = 1 / Math.sqrt(perHead)
  for (let head = 0; head < batch * heads; head++) {
    const [q, k] = [head * perHead * n, head * perHead * m]
    const weights = new Float64Array(n * m)
    for (let i = 0; i < n; i++) {
      const row = weights.subarray(i * m, (i + 1) * m)
      for (let c = 0; c < perHead; c++) {
        for (let j = 0; j < m; j++) row[j]! += query!.values[q + c * n + i]! * key!.values[k + c * m + j]!
      }
      const top = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
      for (let j = 0; j < m; j++) row[j] = Math.exp(scale * (row[j]! - top))
      const total = row.reduce((a, b) => a + b, 0)
      for (let j = 0; j < m; j++) row[j]! /= total
    }
    each({ q, k, perHead, scale, weights })
  }
}

const domain = (choose: Choose, extra: 'dy' | null): TestCase<AttentionAttributes> => {
  const heads = choose.integer(1, 3)
  const channels = heads * choose.integer(1, 5)
  const batch = choose.integer(1, 2)
  const query = { shape: [batch, channels, choose.integer(1, 12)] }
  const key = { shape: [batch, channels, choose.integer(1, 12)] }
  return { inputs: [query, key, key, ...(extra ? [query] : [])], attributes: { heads } }
}

const attentionOp = defineOp<AttentionAttributes>({
  name: 'attention',
  shape: (shapes, attributes) => {
    check(shapes, attributes)
    return shapes[0]!
  },
  define: (inputs, output, attributes) => {
    const [query, key, value] = inputs as [HostArray, HostArray, HostArray]
    const [n, m] = [query.shape[2]!, key.shape[2]!]
    output.values.fill(0)
    forEachHead(inputs, attributes, ({ q, k, perHead, weights }) => {
      for (let c = 0; c < perHead; c++) {
        for (let i = 0; i < n; i++) {
          let total = 0
          for (let j = 0; j < m; j++) total += weights[i * m + j]! * value.values[k + c * m + j]!
          output.values[q + c * n + i] = total
        }
      }
    })
  },
  gradient: ({ inputs: [query, key, value], attributes, outputGradient: dy }) => {
    let packed: Tensor | undefined
    const part = (start: number, like: Tensor) => (): Tensor => {
      packed ??= apply(gradOp, [query!, key!, value!, dy], attributes)
      return slice(packed, { starts: [start], sizes: [like.size] }).reshape(like.shape)
    }
    return [part(0, query!), part(query!.size, key!), part(query!.size + key!.size, value!)]
  },
  domain: choose => domain(choose, null),
})

const gradOp = defineOp<AttentionAttributes>({
  name: 'attentionGrad',
  shape: (shapes, attributes) => {
    check(shapes, attributes)
    return [sizeOf(shapes[0]!) + 2 * sizeOf(shapes[1]!)]
  },
  // With W the weights: dValue = dy W, dW = dy^T value, dS = scale W (dW - <W, dW>) by rows, dQuery = key dS^T, dKey = query dS.
  define: (inputs, output, attributes) => {
    const [query, key, value, dy] = inputs as [HostArray, HostArray, HostArray, HostArray]
    const [n, m] = [query.shape[2]!, key.shape[2]!]
    const [dKey, dValue] = [query.values.length, query.values.length + key.values.length]
    output.values.fill(0)
    forEachHead(inputs, attributes, ({ q, k, perHead, scale, weights }) => {
      for (let i = 0; i < n; i++) {
        const w = weights.subarray(i * m, (i + 1) * m)
        const dW = new Float64Array(m)
        for (let c = 0; c < perHead; c++) {
          const d = dy.values[q + c * n + i]!
          for (let j = 0; j < m; j++) {
            dW[j]! += d * value.values[k + c * m + j]!
            output.values[dValue + k + c * m + j]! += d * w[j]!
          }
        }
        const dot = w.reduce((total, weight, j) => total + weight * dW[j]!, 0)
        for (let j = 0; j < m; j++) {
          const dS = scale * w[j]! * (dW[j]! - dot)
          for (let c = 0; c < perHead; c++) {
            output.values[q + c * n + i]! += dS * key.values[k + c * m + j]!
            output.values[dKey + k + c * m + j]! += dS * query.values[q + c * n + i]!
          }
        }
      }
    })
  },
  gradient: ({ inputs, attributes, outputGradient: u }) => {
    let gradients: readonly Tensor[] | undefined
    const first = (all: readonly Tensor[]): Tensor =>
      concat(
        vjp((xs: readonly Tensor[]) => composite(xs, attributes), all.slice(0, 3))
          .pullback(all[3]!)
          .map(x => x.reshape([-1])),
        0,
      )
    return inputs.map((_, i) => () => {
      gradients ??= vjp(first, inputs).pullback(u)
      return gradients[i]!
    })
  },
  domain: choose => domain(choose, 'dy'),
})

/** The same function in elementary ops, all scores at once: the second derivative comes from it. */
const composite = ([query, key, value]: readonly Tensor[], { heads }: AttentionAttributes): Tensor => {
  const perHead = query!.shape[1]! / heads
  const split = (x: Tensor): Tensor => x.reshape([query!.shape[0]! * heads, perHead, x.shape[2]!])
  const scores = matmul(split(query!.mul(1 / Math.sqrt(perHead))), split(key!), { transposeA: true })
  return matmul(split(value!), softmax(scores), { transposeB: true }).reshape(query!.shape)
}

/**
 * Scaled dot-product attention (Vaswani et al. 2017) over positions, channels first: per head, V softmax(Q^T K / sqrt(d))^T
 * with d channels per head. Neither it nor its gradient keeps the scores: the gradient computes them again, and backends
 * may do so for a few query positions at a time.
 *
 * query: [batch, channels, positions]; key, value: [batch, channels, keyPositions]; result like query.
 * Throws ShapeError when the shapes do not fit or the heads do not divide the channels, RangeError when heads is no whole number.
 */
export const attention = (query: Tensor, key: Tensor, value: Tensor, { heads = 1 }: Partial<AttentionAttributes> = {}): Tensor =>
  apply(attentionOp, [query, key, value], { heads })
