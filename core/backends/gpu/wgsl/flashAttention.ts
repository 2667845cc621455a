import type { AttentionAttributes } from '../../../ops/attention.ts'
import { sizeOf } from '../../../shape.ts'
import type { DeviceArray, GpuArray } from '../device.ts'
import { attentions } from './attention.ts'
import { accumulate, accumulators, flashText, lowest, mostChannels, products, scaled, slicesOf, store, tilePositions } from './flashText.ts'
import { mostWorkgroups } from './indexing.ts'
import type { WgslDevice, WgslKernel } from './wgslKernel.ts'

const rows = [0, 1, 2, 3]
const lanes = ['x', 'y', 'z', 'w']
const each = (statement: (r: number) => string): string => rows.map(statement).join(' ')
const perRow = (value: (r: number) => string): string => `vec4<f32>(${rows.map(value).join(', ')})`

/** The columns' positions that exist, as `valid`, and in how many vectors of four. */
const valid = (count: string): string => `let fours = min(${tilePositions / 4}u, (args.${count} - column0 + 3u) / 4u);
    let valid = vec4<u32>(column0 + 4u * tx) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(args.${count});`

/** `body` for every tile of columns. */
const forColumns = (count: string, body: string): string => `for (var column0 = 0u; column0 < args.${count}; column0 += ${tilePositions}u) {
    ${valid(count)}
    ${body}
  }`

/**
 * Scaled scores s0 to s3 of queries by keys become p = exp(s - top), with the largest score so far of each row as `top`; what
 * was summed before under a smaller one is to be multiplied by `fade`, and `sums` is.
 */
const softened = `${products('s', 0, 1)}
    ${each(r => `s${r} = select(vec4<f32>(${lowest}), args.scale * s${r}, valid);`)}
    let tileTop = highest(${perRow(r => `max(max(s${r}.x, s${r}.y), max(s${r}.z, s${r}.w))`)}, tx, ty);
    let newTop = max(top, tileTop);
    let fade = exp(top - newTop);
    top = newTop;
    ${each(r => `s${r} = exp(s${r} - top.${lanes[r]});`)}
    sums = sums * fade + ${perRow(r => `dot(s${r}, vec4<f32>(1.0))`)};`

const statistics = `var top = vec4<f32>(${lowest});
  var sums = vec4<f32>();`

/** Inputs query, key, value. */
const forwardText = (slices: number): string =>
  flashText({
    inputs: ['queries', 'keys', 'keys'],
    rows: 'queries',
    body: `${statistics}
  ${accumulators('sum', slices)}
  ${forColumns(
    'keys',
    `${softened}
    ${scaled('sum', 'fade', slices)}
    ${accumulate('sum', 's', { array: 2, slices })}`,
  )}
  let whole = 1.0 / total(sums, tx, ty);
  ${scaled('sum', 'whole', slices)}
  ${store('sum', { rows: 'queries', offset: '0u', slices })}`,
  })

/** Inputs query, key, value, dy: per query position the largest score, 1 / the sum of exponentials, and <weights, dWeights>. */
const statisticsText = (): string =>
  flashText({
    inputs: ['queries', 'keys', 'keys', 'queries'],
    rows: 'queries',
    body: `${statistics}
  var dots = vec4<f32>();
  ${forColumns(
    'keys',
    `${softened}
    ${products('d', 3, 2)}
    dots = dots * fade + ${perRow(r => `dot(s${r}, d${r})`)};`,
  )}
  let inverse = 1.0 / total(sums, tx, ty);
  let mean = total(dots, tx, ty) * inverse;
  let positions = groups.y * args.queries;
  for (var r = 0u; r < 4u; r++) {
    let row = row0 + 4u * ty + r;
    if (tx == 0u && row < args.queries) {
      let at = head * args.queries + row;
      result[at] = top[r];
      result[positions + at] = inverse[r];
      result[2u * positions + at] = mean[r];
    }
  }`,
  })

/** Loads the statistics of four query positions. */
const loadStatistics = (position: string): string => `let positions = groups.y * args.queries;
    let first = head * args.queries + ${position};
    ${['top', 'inverse', 'mean'].map((name, i) => `let ${name} = vec4<f32>(${rows.map(r => `x4[min(first + ${r}u, positions - 1u) + ${i}u * positions]`).join(', ')});`).join('\n    ')}`

/** Inputs query, key, value, dy, statistics: dQuery = key dScores^T, with dScores = scale weights (dWeights - <weights, dWeights>). */
const queryGradText = (slices: number): string =>
  flashText({
    inputs: ['queries', 'keys', 'keys', 'queries'],
    more: 1,
    rows: 'queries',
    body: `${accumulators('sum', slices)}
  ${loadStatistics('row0 + 4u * ty')}
  ${forColumns(
    'keys',
    `${products('s', 0, 1)}
    ${products('d', 3, 2)}
    ${each(r => {
      const lane = lanes[r]
      const weight = `exp(args.scale * s${r} - top.${lane}) * inverse.${lane}`
      return `s${r} = select(vec4<f32>(), args.scale * ${weight} * (d${r} - mean.${lane}), valid);`
    })}
    ${accumulate('sum', 's', { array: 1, slices })}`,
  )}
  ${store('sum', { rows: 'queries', offset: '0u', slices })}`,
  })

/** The same inputs: dKey = query dScores and dValue = dy weights, behind dQuery. Rows are keys, columns queries. */
const keyGradText = (slices: number): string =>
  flashText({
    inputs: ['queries', 'keys', 'keys', 'queries'],
    more: 1,
    rows: 'keys',
    body: `${accumulators('keySum', slices)}
  ${accumulators('valueSum', slices)}
  ${forColumns(
    'queries',
    `${loadStatistics('column0 + 4u * tx')}
    ${products('s', 1, 0)}
    ${products('d', 2, 3)}
    ${each(r => `s${r} = select(vec4<f32>(), exp(args.scale * s${r} - top) * inverse, valid);`)}
    ${accumulate('valueSum', 's', { array: 3, slices })}
    ${each(r => `s${r} = args.scale * s${r} * (d${r} - mean);`)}
    ${accumulate('keySum', 's', { array: 0, slices })}`,
  )}
  let querySize = groups.y * args.channels * args.queries;
  ${store('keySum', { rows: 'keys', offset: 'querySize', slices })}
  ${store('valueSum', { rows: 'keys', offset: 'querySize + groups.y * args.channels * args.keys', slices })}`,
  })

const texts = new Map<string, string>()

/** The same string every time for the same module. */
const textOf = (name: string, slices: number, make: (slices: number) => string): string => {
  const key = `${name} ${slices}`
  let text = texts.get(key)
  if (text === undefined) {
    text = make(slices)
    texts.set(key, text)
  }
  return text
}

/** How a call is dispatched; undefined where registers or workgroups do not suffice. */
const callsOf = (device: WgslDevice, [query, key]: readonly GpuArray[], { heads }: AttentionAttributes) => {
  const [batch, channels, queries] = query!.shape as [number, number, number]
  const [all, perHead, keys] = [batch * heads, channels / heads, key!.shape[2]!]
  const tiles = { queries: Math.ceil(queries / tilePositions), keys: Math.ceil(keys / tilePositions) }
  if (perHead > mostChannels || Math.max(all, tiles.queries, tiles.keys) > mostWorkgroups) return undefined
  const slices = slicesOf(perHead)
  const given = { sizes: [perHead, queries, keys], params: [1 / Math.sqrt(perHead)] }
  return {
    statisticsLength: 3 * all * queries,
    dispatch: (
      name: string,
      make: (slices: number) => string,
      o: { over: 'queries' | 'keys'; inputs: readonly DeviceArray[]; length: number; into?: DeviceArray },
    ): DeviceArray =>
      device.dispatch({ code: textOf(name, slices, make), workgroups: [tiles[o.over], all, 1], length: o.length }, o.inputs, {
        ...given,
        ...(o.into && { into: o.into }),
      }),
  }
}

const blockwise = attentions()

/**
 * Per head, V softmax(Q^T K / sqrt(d))^T in one kernel, after Dao et al. 2022 (FlashAttention): each workgroup goes through the
 * keys once with the running maximum and sum of its queries' scores, which never leave it. Heads of more than 128 channels go
 * by blocks of queries whose scores are written out.
 */
const attention: WgslKernel<AttentionAttributes> = (device, inputs, output, attributes) => {
  const calls = callsOf(device, inputs, attributes)
  if (!calls) return blockwise.attention(device, inputs, output, attributes)
  const arrays = inputs.map(x => x.values)
  return calls.dispatch('forward', forwardText, { over: 'queries', inputs: arrays, length: sizeOf(output) })
}

/** The gradients by query, key and value, one after the other. Scores are computed again: for their statistics, and for each side. */
const attentionGrad: WgslKernel<AttentionAttributes> = (device, inputs, output, attributes) => {
  const calls = callsOf(device, inputs, attributes)
  if (!calls) return blockwise.attentionGrad(device, inputs, output, attributes)
  const arrays = inputs.map(x => x.values)
  const length = sizeOf(output)
  const found = calls.dispatch('statistics', statisticsText, { over: 'queries', inputs: arrays, length: calls.statisticsLength })
  const all = [...arrays, found]
  const result = calls.dispatch('queryGrad', queryGradText, { over: 'queries', inputs: all, length })
  return calls.dispatch('keyGrad', keyGradText, { over: 'keys', inputs: all, length, into: result })
}

export const flashAttentions = { attention, attentionGrad }
