/**
 * Elementary functions on four float32 lanes: range reduction and a polynomial, each weighted-minimax coefficient set
 * fitted in 50 digits for its interval. Special values are those of Math: infinities, NaN and subnormals included.
 *
 * Largest errors against double precision, in units in the last place of the float32 result:
 * exp 2, boundedExp2 1.5, log 2, tanh 3, sigmoid 3, erf 2; sin and cos 2 or 1e-8 absolute near a root, for |x| <= 2^20.
 */
import type { Local } from './assembler.ts'
import type { Lanes } from './lanes.ts'

/** ln 2 in two parts; the first has 9 bits, so its product with an exponent is exact. */
const ln2High = 0.693359375
const ln2Low = Math.LN2 - ln2High

/** (exp r - 1 - r) / r² on |r| <= ln 2 / 2, error 3e-9. */
const expTail = [0.4999999403953552, 0.1666651964187622, 0.04166839271783829, 0.008368780836462975, 0.0013814466074109077]

const magic = 12582912
const magicBits = 0x4b400000

/** exp x = 2ⁿ exp r with n = round(x / ln 2); `shifted` is n plus a number whose low bits are free, so n is in its bits. */
const reduceExp = (v: Lanes, x: Local): { readonly shifted: Local; readonly mantissa: Local } => {
  const shifted = v.mulAdd(x, v.constant(Math.LOG2E), v.constant(magic))
  const n = v.sub(shifted, v.constant(magic))
  const r = v.mulSub(n, v.constant(ln2Low), v.mulSub(n, v.constant(ln2High), x))
  const tail = v.mulAdd(v.mul(r, r), v.polynomial(r, expTail), r)
  return { shifted, mantissa: v.add(tail, v.constant(1)) }
}

/** x between bounds; this order of operands lets a NaN pass. */
const clamp = (v: Lanes, x: Local, low: number, high: number): Local =>
  v.op('f32x4Pmax', v.op('f32x4Pmin', x, v.constant(high)), v.constant(low))

/** exp x. */
export const exp = (v: Lanes, x: Local): Local => {
  // Outside this range the result is infinite or zero.
  const { shifted, mantissa } = reduceExp(v, clamp(v, x, -104, 89))
  // 2ⁿ in two factors, since n reaches 128 and, for subnormal results, -150.
  const exponent = v.op('i32x4Sub', shifted, v.integer(magicBits))
  const half = v.shift('i32x4ShrS', exponent, 1)
  const powerOf = (e: Local) => v.shift('i32x4Shl', v.op('i32x4Add', e, v.integer(127)), 23)
  return v.mul(v.mul(mantissa, powerOf(half)), powerOf(v.op('i32x4Sub', exponent, half)))
}

/** (2ʳ as a polynomial in r) on |r| <= 1/2. */
const exp2Mantissa = [1, Math.LN2, ...expTail.map((coefficient, i) => coefficient * Math.LN2 ** (i + 2))]

/** 2ˣ for x <= 0, and 2⁻¹⁰⁰ for less than -100, so that shares of it are normal numbers and 2ⁿ is one factor. */
export const boundedExp2 = (v: Lanes, x: Local): Local => {
  const bounded = v.op('f32x4Pmax', x, v.constant(-100))
  const shifted = v.add(bounded, v.constant(magic))
  const r = v.sub(bounded, v.sub(shifted, v.constant(magic)))
  const power = v.op('i32x4Add', v.shift('i32x4Shl', shifted, 23), v.integer(127 << 23))
  return v.mul(v.polynomial(r, exp2Mantissa), power)
}

/** 1 / (1 + exp(-x)) with x clamped to ±87, so that 2ⁿ is one factor: absolute error 2e-7, and 1e-38 instead of less at -87. */
export const boundedSigmoid = (v: Lanes, x: Local): Local => {
  const { shifted, mantissa } = reduceExp(v, clamp(v, v.op('f32x4Neg', x), -87, 87))
  const e = v.op('i32x4Add', mantissa, v.shift('i32x4Shl', shifted, 23))
  const one = v.constant(1)
  return v.div(one, v.add(one, e))
}

/** (log(1 + f) - f + f²/2) / f³ on sqrt(1/2) <= 1 + f <= sqrt 2, error 6e-9. */
const logTail = [
  0.3333333134651184, -0.2500081956386566, 0.20001226663589478, -0.16623356938362122, 0.14201760292053223, -0.13160181045532227,
  0.12761564552783966, -0.07634483277797699,
]

/** log x = e ln 2 + log(1 + f) with x = 2ᵉ (1 + f). */
export const log = (v: Lanes, x: Local): Local => {
  const subnormal = v.op('f32x4Lt', x, v.constant(2 ** -126))
  const scaled = v.select(subnormal, v.mul(x, v.constant(2 ** 23)), x)
  // Subtracting the bits of sqrt(1/2) puts 1 + f between sqrt(1/2) and sqrt 2.
  const exponent = v.shift('i32x4ShrS', v.op('i32x4Sub', scaled, v.integer(0x3f3504f3)), 23)
  const f = v.sub(v.op('i32x4Sub', scaled, v.shift('i32x4Shl', exponent, 23)), v.constant(1))
  const bias = v.op('v128And', subnormal, v.constant(-23))
  const e = v.add(v.op('f32x4ConvertI32x4S', exponent), bias)
  const square = v.mul(f, f)
  const tail = v.mulAdd(e, v.constant(ln2Low), v.mul(v.mul(square, f), v.polynomial(f, logTail)))
  const fraction = v.add(f, v.mulSub(square, v.constant(0.5), tail))
  const finite = v.mulAdd(e, v.constant(ln2High), fraction)
  const infinite = v.select(v.op('f32x4Lt', x, v.constant(Infinity)), finite, x)
  const special = v.select(v.op('f32x4Eq', x, v.constant(0)), v.constant(-Infinity), v.constant(NaN))
  return v.select(v.op('f32x4Gt', x, v.constant(0)), infinite, special)
}

const signBit = (v: Lanes): Local => v.integer(0x80000000 | 0)

/** The magnitude with the sign of x. */
const copySign = (v: Lanes, magnitude: Local, x: Local): Local => v.op('v128Or', magnitude, v.op('v128And', x, signBit(v)))

/** (tanh x - x) / x³ as a polynomial in x², |x| <= 0.625, error 4e-9. */
const tanhTail = [-0.3333328068256378, 0.13331441581249237, -0.05373971164226532, 0.020639078691601753, -0.005704978480935097]

/** tanh x = 1 - 2 / (exp 2x + 1), which cancels near zero, where a polynomial takes over. */
export const tanh = (v: Lanes, x: Local): Local => {
  const magnitude = v.op('f32x4Abs', x)
  const square = v.mul(x, x)
  const small = v.mulAdd(v.mul(square, x), v.polynomial(square, tanhTail), x)
  const one = v.constant(1)
  const large = v.sub(one, v.div(v.constant(2), v.add(exp(v, v.add(magnitude, magnitude)), one)))
  return v.select(v.op('f32x4Lt', magnitude, v.constant(0.625)), small, copySign(v, large, x))
}

/** sigmoid x = 1 / (1 + exp(-x)), through exp(-|x|), which never overflows. */
export const sigmoid = (v: Lanes, x: Local): Local => {
  const e = exp(v, v.op('v128Or', x, signBit(v)))
  const one = v.constant(1)
  const numerator = v.select(v.op('f32x4Lt', x, v.constant(0)), e, one)
  return v.div(numerator, v.add(e, one))
}

/** erf x / x - 1 as a polynomial in x², |x| <= 1, error 1e-9. */
const erfTail = [
  0.12837916709551256, -0.3761262595653534, 0.1128358542919159, -0.026853810995817184, 0.00518832728266716, -0.000801019137725234,
  7.853854185668752e-5,
]
/** log erfc x on 1 <= x <= 3.95, beyond which erf x rounds to 1; error 1e-9 of erf. */
const logErfc = [
  -0.000341551611199975, -1.127089023590088, -0.6381450295448303, -0.10310660302639008, 0.02183799259364605, -0.00294764107093215,
  0.00018637748144101351,
]

/** erf x, as x p(x²) up to 1 and as 1 - exp q(|x|) above. */
export const erf = (v: Lanes, x: Local): Local => {
  const magnitude = v.op('f32x4Abs', x)
  const small = v.mulAdd(x, v.polynomial(v.mul(x, x), erfTail), x)
  const bounded = v.op('f32x4Pmin', magnitude, v.constant(3.95))
  const large = v.sub(v.constant(1), exp(v, v.polynomial(bounded, logErfc)))
  return v.select(v.op('f32x4Lt', magnitude, v.constant(1)), small, copySign(v, large, x))
}

/** (sin r - r) / r³ and (cos r - 1 + r²/2) / r⁴ as polynomials in r², |r| <= π/4, errors 4e-9 and 1e-10. */
const sinTail = [-0.16666655242443085, 0.008332155644893646, -0.00019514630548655987]
const cosTail = [0.04166664555668831, -0.0013887309469282627, 2.443241282890085e-5]

/** π/2 in two parts; the first has 33 bits, so its product with a quadrant number below 2²⁰ is exact in double precision. */
const halfPiHigh = 1.5707963267341256
const halfPiLow = 6.077100506506192e-11

/** Quadrant k = round(x / (π/2)) in the low bits of two doubles, and r = x - k π/2. */
const reducePair = (v: Lanes, x: Local): { readonly quadrant: Local; readonly r: Local } => {
  const d = v.op('f64x2PromoteLowF32x4', x)
  const magic = v.double(1.5 * 2 ** 52)
  const quadrant = v.op('f64x2Add', v.op('f64x2Mul', d, v.double(2 / Math.PI)), magic)
  const k = v.op('f64x2Sub', quadrant, magic)
  const high = v.op('f64x2Sub', d, v.op('f64x2Mul', k, v.double(halfPiHigh)))
  const r = v.op('f64x2Sub', high, v.op('f64x2Mul', k, v.double(halfPiLow)))
  return { quadrant, r: v.op('f32x4DemoteF64x2Zero', r) }
}

/** sin(x + quarterTurns π/2). The reduction is done in double precision; from |x| = 2³⁰, where it has no digits left, NaN. */
const sine = (v: Lanes, x: Local, quarterTurns: number): Local => {
  const low = reducePair(v, x)
  const high = reducePair(v, v.shuffle(x, x, [2, 3, 2, 3]))
  const r = v.shuffle(low.r, high.r, [0, 1, 4, 5])
  const quadrant = v.op('i32x4Add', v.shuffle(low.quadrant, high.quadrant, [0, 2, 4, 6]), v.integer(quarterTurns))
  const square = v.mul(r, r)
  const sinR = v.mulAdd(v.mul(square, r), v.polynomial(square, sinTail), r)
  const cosHead = v.mulSub(square, v.constant(0.5), v.constant(1))
  const cosR = v.mulAdd(v.mul(square, square), v.polynomial(square, cosTail), cosHead)
  const odd = v.shift('i32x4ShrS', v.shift('i32x4Shl', quadrant, 31), 31)
  const sign = v.op('v128And', v.shift('i32x4Shl', quadrant, 30), signBit(v))
  const value = v.op('v128Xor', v.select(odd, cosR, sinR), sign)
  return v.select(v.op('f32x4Lt', v.op('f32x4Abs', x), v.constant(2 ** 30)), value, v.constant(NaN))
}

export const sin = (v: Lanes, x: Local): Local => sine(v, x, 0)
export const cos = (v: Lanes, x: Local): Local => sine(v, x, 1)
