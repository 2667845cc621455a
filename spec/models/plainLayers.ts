import { type Tensor, tensor } from '../../core/index.ts'
import type { ParameterShapes } from '../../core/nn/index.ts'
import { normal } from '../../core/random/distributions.ts'
import { foldIn, key } from '../../core/random/key.ts'
import { sizeOf } from '../../core/shape.ts'

/** Layers on one image as plain loops over numbers, an oracle that shares nothing with the ops. */

/** [channel][row][column] */
export type Image = readonly (readonly (readonly number[])[])[]

export interface Layer {
  readonly weight: Float64Array
  readonly bias: Float64Array | undefined
  readonly mean: Float64Array | undefined
  readonly variance: Float64Array | undefined
}

/** Values in float64, by name. */
export type Values = Readonly<Record<string, Float64Array>>

/** Random values under a network's names: nothing is zero or one by chance, and variances are positive. */
export const randomValues = (seed: number, shapes: ParameterShapes): Values =>
  Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      return [name, normal(foldIn(key(seed), name), sizeOf(shape)).map(scaledAs(name))]
    }),
  )

const scaledAs = (name: string): ((z: number) => number) => (name.endsWith('running_var') ? z => 0.5 + Math.abs(z) : z => 0.4 * z)

/** As `randomValues`, out of one small pool, since drawing takes most of the time of a network with many parameters. */
export const pooledValues = (seed: number, shapes: ParameterShapes): Values => {
  // A prime, so that no two rows of a matrix are alike.
  const pool = normal(key(seed), 9973)
  let next = 0
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [
      name,
      Float64Array.from({ length: sizeOf(shape) }, () => pool[next++ % pool.length]!).map(scaledAs(name)),
    ]),
  )
}

export const asTensors = (values: Values, shapes: ParameterShapes): Record<string, Tensor> =>
  Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, tensor(values[name]!, shape)]))

export const randomImage = (seed: number, [channels, height, width]: readonly [number, number, number]): Image =>
  imageOf(normal(key(seed), channels * height * width), [channels, height, width])

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i)

const imageOf = (values: ArrayLike<number>, [channels, height, width]: readonly [number, number, number]): Image =>
  range(channels).map(c => range(height).map(y => range(width).map(x => values[(c * height + y) * width + x]!)))

export const batchOfOne = (image: Image): Tensor => tensor(image.flat(2), [1, image.length, image[0]!.length, image[0]![0]!.length])

export const layerOf = (values: Values, name: string): Layer => ({
  weight: values[`${name}.weight`]!,
  bias: values[`${name}.bias`],
  mean: values[`${name}.running_mean`],
  variance: values[`${name}.running_var`],
})

export const map = (image: Image, f: (value: number, channel: number, row: number, column: number) => number): Image =>
  image.map((plane, c) => plane.map((row, y) => row.map((value, x) => f(value, c, y, x))))

export const relu = (image: Image): Image => map(image, value => Math.max(value, 0))
export const sum = (a: Image, b: Image): Image => map(a, (value, c, y, x) => value + b[c]![y]![x]!)

export const conv = (image: Image, { weight, bias }: Layer, o: { kernel: number; stride?: number; padding?: number }): Image => {
  const { kernel, stride = 1, padding = Math.floor(kernel / 2) } = o
  const outputs = weight.length / (image.length * kernel * kernel)
  const side = (length: number): number => Math.floor((length + 2 * padding - kernel) / stride) + 1
  return range(outputs).map(out =>
    range(side(image.length === 0 ? 0 : image[0]!.length)).map(y =>
      range(side(image[0]![0]!.length)).map(x => {
        let total = bias?.[out] ?? 0
        image.forEach((plane, c) => {
          for (const dy of range(kernel)) {
            for (const dx of range(kernel)) {
              const pixel = plane[y * stride + dy - padding]?.[x * stride + dx - padding] ?? 0
              total += pixel * weight[((out * image.length + c) * kernel + dy) * kernel + dx]!
            }
          }
        })
        return total
      }),
    ),
  )
}

export const norm = (image: Image, { weight, bias, mean, variance }: Layer): Image =>
  map(image, (value, c) => ((value - mean![c]!) / Math.sqrt(variance![c]! + 1e-5)) * weight[c]! + bias![c]!)

export const maxPool = (image: Image, { size, stride, padding }: { size: number; stride: number; padding: number }): Image => {
  const side = (length: number): number => Math.floor((length + 2 * padding - size) / stride) + 1
  return image.map(plane =>
    range(side(plane.length)).map(y =>
      range(side(plane[0]!.length)).map(x =>
        Math.max(
          ...range(size).flatMap(dy =>
            range(size).map(dx => plane[y * stride + dy - padding]?.[x * stride + dx - padding] ?? Number.NEGATIVE_INFINITY),
          ),
        ),
      ),
    ),
  )
}

export const meanOfChannels = (image: Image): number[] => image.map(plane => plane.flat().reduce((a, b) => a + b, 0) / plane.flat().length)

export const fullyConnected = (x: readonly number[], { weight, bias }: Layer): number[] =>
  range(weight.length / x.length).map(out => x.reduce((total, value, i) => total + value * weight[out * x.length + i]!, bias?.[out] ?? 0))

/** silu of each number. */
export const siluOf = (x: readonly number[]): number[] => x.map(value => value / (1 + Math.exp(-value)))
export const silu = (image: Image): Image => map(image, value => value / (1 + Math.exp(-value)))

export const concat = (a: Image, b: Image): Image => [...a, ...b]

/** Normalised over each group of channels and all positions, then scaled and shifted by channel. */
export const groupNorm = (image: Image, { weight, bias }: Layer, { groups, epsilon }: { groups: number; epsilon: number }): Image => {
  const size = image.length / groups
  return image.map((plane, c) => {
    const members = image.slice(Math.floor(c / size) * size, (Math.floor(c / size) + 1) * size).flat(2)
    const mean = members.reduce((a, b) => a + b, 0) / members.length
    const variance = members.reduce((a, b) => a + (b - mean) ** 2, 0) / members.length
    return plane.map(row => row.map(value => ((value - mean) / Math.sqrt(variance + epsilon)) * weight[c]! + bias![c]!))
  })
}

/** Every pixel becomes a block of 2x2. */
export const enlarged = (image: Image): Image =>
  image.map(plane => plane.flatMap(row => [row, row].map(r => r.flatMap(value => [value, value]))))

/** Means over blocks of 2x2 pixels. */
export const shrunk = (image: Image): Image =>
  image.map(plane =>
    range(plane.length / 2).map(y =>
      range(plane[0]!.length / 2).map(
        x => (plane[2 * y]![2 * x]! + plane[2 * y]![2 * x + 1]! + plane[2 * y + 1]![2 * x]! + plane[2 * y + 1]![2 * x + 1]!) / 4,
      ),
    ),
  )

/** Softmax attention over positions; heads are consecutive blocks of channels. */
export const attend = (query: Image, key: Image, value: Image, heads: number): Image => {
  const width = query[0]![0]!.length
  const flat = (image: Image): number[][] => image.map(plane => plane.flat())
  const [q, k, v] = [flat(query), flat(key), flat(value)]
  const perHead = q.length / heads
  return query.map((plane, c) => {
    const channels = range(perHead).map(i => Math.floor(c / perHead) * perHead + i)
    return plane.map((row, y) =>
      row.map((_, x) => {
        const here = y * width + x
        const weights = q[0]!.map((__, there) =>
          Math.exp(channels.reduce((total, i) => total + q[i]![here]! * k[i]![there]!, 0) / Math.sqrt(perHead)),
        )
        const all = weights.reduce((a, b) => a + b, 0)
        return weights.reduce((total, weight, there) => total + weight * v[c]![there]!, 0) / all
      }),
    )
  })
}
