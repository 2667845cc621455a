import fc from 'fast-check'
import type { AnyOp, HostArray, TestCase, TestInput } from '../../core/op.ts'
import { normal, permutation, uniform } from '../../core/random/distributions.ts'
import { foldIn, type Key, key } from '../../core/random/key.ts'
import { sizeOf } from '../../core/shape.ts'
import { chosen } from './choose.ts'

/** Shapes, attributes and the seed of the values of one random call of an op. */
export interface OpCase {
  readonly testCase: TestCase<unknown>
  readonly seed: number
}

/** Random calls within the op's own test domain. */
export const opCases = (op: AnyOp): fc.Arbitrary<OpCase> =>
  fc.record({ testCase: chosen(choose => op.domain(choose)), seed: fc.nat(2 ** 30) })

const margin = 1e-2

/** Moves a value outward from a point it is close to, keeping the order of values. */
const avoid = (value: number, kinks: readonly number[]): number => {
  const kink = kinks.find(k => Math.abs(value - k) < margin)
  if (kink === undefined) return value
  return value < kink ? value - margin : value + margin
}

/** `k`-th of `n` cells of the input's range, `within` saying where in the cell. */
const inCell = ({ low = -2, high = 2, kinks = [] }: TestInput, k: number, n: number, within: number): number =>
  avoid(low + ((high - low) * (k + within)) / n, kinks)

const discreteValues = (random: Key, size: number, values: readonly number[]): Float64Array =>
  uniform(random, size).map(u => values[Math.floor(u * values.length)]!)

/**
 * Inputs for derivatives. No two elements of the whole case are close to each other, so no maximum is near a tie. Values
 * are representable in float32, so that every backend sees the same.
 */
export const distinctInputs = ({ testCase, seed }: OpCase): HostArray[] => {
  const total = testCase.inputs.reduce((sum, { shape }) => sum + sizeOf(shape), 0)
  const order = permutation(foldIn(key(seed), 'order'), total)
  const within = uniform(foldIn(key(seed), 'within'), 1)[0]!
  let next = 0
  return testCase.inputs.map((input, index) => {
    const size = sizeOf(input.shape)
    const cells = Float64Array.from({ length: size }, () => Math.fround(inCell(input, order[next++]!, total, within)))
    const values = input.discrete ? discreteValues(foldIn(key(seed), index), size, input.discrete) : cells
    return { values, shape: input.shape }
  })
}

/** Inputs for values: multiples of 1/4, so that ties and equal operands are frequent. */
export const tiedInputs = (given: OpCase): HostArray[] =>
  distinctInputs(given).map(({ values, shape }, i) => {
    const { low = -2, high = 2, discrete } = given.testCase.inputs[i]!
    return { values: discrete ? values : values.map(v => Math.min(high, Math.max(low, Math.round(4 * v) / 4))), shape }
  })

/** A direction in the space of the inputs: standard normal, zero along discrete inputs. */
export const directionOf = ({ testCase, seed }: OpCase, name: string): Float64Array[] =>
  testCase.inputs.map(({ shape, discrete }, i) => {
    const values = normal(foldIn(foldIn(key(seed), name), i), sizeOf(shape))
    return discrete ? values.fill(0) : values
  })

/** Standard normal values for a tensor of that shape: an output's cotangent. */
export const cotangentOf = ({ seed }: OpCase, size: number): Float64Array => normal(foldIn(key(seed), 'cotangent'), size)
