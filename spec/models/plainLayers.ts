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
      const values = normal(foldIn(key(seed), name), sizeOf(shape))
      return [name, name.endsWith('running_var') ? values.map(z => 0.5 + Math.abs(z)) : values.map(z => 0.4 * z)]
    }),
  )

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
