/**
 * exp, sin and cos in float32 with the rounding of the vectorised library SLEEF (Shibata and Petrogalli 2020, the variants of
 * one unit in the last place), which PyTorch calls on processors with a fused multiply-add.
 *
 * They serve where the numbers of published networks are to be met bit for bit: a timestep near 999 magnifies the last bit
 * of a frequency a thousandfold. Besides, JavaScript leaves the last bit of Math.exp, Math.sin and Math.cos to the engine,
 * while these functions, made of exactly rounded operations alone, give the same bits everywhere.
 *
 * Arguments and results are float32 values held in numbers.
 */

const f32 = Math.fround

/** a b + c, rounded once to float32. */
export const fusedMultiplyAdd = (a: number, b: number, c: number): number => {
  // The product of two float32 is exact in float64. The sum is not; `error` is what it lost (Knuth's two-sum).
  const product = a * b
  const sum = product + c
  const back = sum - product
  const error = product - (sum - back) + (c - back)
  const nearest = f32(sum)
  // Only where the float64 sum lies exactly between two float32 can what it lost decide between them.
  const mirrored = 2 * sum - nearest
  if (error === 0 || mirrored === nearest || f32(mirrored) !== mirrored) return nearest
  return error > 0 ? Math.max(nearest, mirrored) : Math.min(nearest, mirrored)
}

const fma = fusedMultiplyAdd

const roundHalfToEven = (x: number): number => {
  const rounded = Math.round(x)
  return rounded - x === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded
}

/** Horner's rule with fused steps, highest power first. */
const polynomial = (x: number, coefficients: readonly number[]): number => coefficients.reduce((sum, c) => fma(sum, x, c))

const LN2_HIGH = 0.693145751953125
const LN2_LOW = f32(1.428606765330187e-6)
const EXP = [1.9852762e-4, 1.3930436e-3, 8.3333608e-3, 4.1666485e-2, 0.16666667, 0.5].map(f32)

/** e^x for -87 < x < 88: 2^q times a polynomial of x - q ln 2. */
export const exp32 = (x: number): number => {
  const q = roundHalfToEven(f32(x * f32(Math.LOG2E)))
  const s = fma(q, -LN2_LOW, fma(q, -LN2_HIGH, x))
  return f32(f32(1 + fma(f32(s * s), polynomial(s, EXP), s)) * 2 ** q)
}

/** A value as the sum of two float32, of which the second is what the first lacks. */
type Pair = readonly [high: number, low: number]

/** a + b, of any sizes. */
const addTo = ([high, low]: Pair, b: number): Pair => {
  const sum = f32(high + b)
  const back = f32(sum - high)
  return [sum, f32(f32(f32(high - f32(sum - back)) + f32(b - back)) + low)]
}

/** a + b, where b is the smaller. */
const addSmaller = ([high, low]: Pair, b: number): Pair => {
  const sum = f32(high + b)
  return [sum, f32(f32(f32(high - sum) + b) + low)]
}

const square = ([high, low]: Pair): Pair => {
  const product = f32(high * high)
  return [product, fma(f32(high + high), low, fma(high, high, -product))]
}

const multiply = ([a, aLow]: Pair, [b, bLow]: Pair): Pair => {
  const product = f32(a * b)
  return [product, fma(a, bLow, fma(aLow, b, fma(a, b, -product)))]
}

const PI_1 = 3.1414794921875
const PI_2 = f32(1.1315942e-4)
const PI_3 = f32(1.9841873e-9)
const SIN = [2.608316e-6, -1.981069e-4, 8.333079e-3].map(f32)
const SIN_CUBED = f32(-0.1666666)

/** sin of an angle within a quarter turn: x (1 + x^2 (SIN_CUBED + x^2 (...))). */
const sinOfReduced = (x: Pair): number => {
  const xx = square(x)
  const inner = addSmaller([SIN_CUBED, 0], f32(polynomial(xx[0], SIN) * xx[0]))
  const [product, productLow] = multiply(inner, xx)
  const [factor, factorLow] = addSmaller([1, 0], product)
  return fma(x[0], factor, fma(x[1], factor, f32(x[0] * f32(factorLow + productLow))))
}

/** sin x, |x| < 4000, of the angle less the nearest multiple of pi, which goes off in three parts. */
export const sin32 = (x: number): number => {
  const halfTurns = roundHalfToEven(f32(x * f32(1 / Math.PI)))
  const first = addTo([fma(halfTurns, -PI_1, x), 0], f32(halfTurns * -PI_2))
  const result = sinOfReduced(addSmaller(first, f32(halfTurns * -PI_3)))
  return halfTurns % 2 === 0 ? result : -result
}

/** cos x, |x| < 4000, as the sine of the angle less the nearest odd multiple of pi / 2. */
export const cos32 = (x: number): number => {
  const quarterTurns = 2 * roundHalfToEven(fma(x, f32(1 / Math.PI), -0.5)) + 1
  const reduced = [PI_1, PI_2, PI_3].reduce<Pair>((sum, part) => addTo(sum, f32(quarterTurns * (-part / 2))), [x, 0])
  const result = sinOfReduced(reduced)
  return (quarterTurns & 2) === 0 ? -result : result
}
