import type { FunctionBuilder, Local, SimdInstruction } from './assembler.ts'

/**
 * Writes four-lane code with named values: every method appends instructions and returns a new local with the result, so
 * kernels read like formulas. The engine turns locals into registers, so the many locals cost nothing.
 */
export class Lanes {
  constructor(
    readonly f: FunctionBuilder,
    readonly fma: boolean,
  ) {}

  /** Pops the vector on the stack into a new local. */
  keep(): Local {
    const local = this.f.local('v128')
    this.f.set(local)
    return local
  }
  op(name: SimdInstruction, ...operands: readonly Local[]): Local {
    for (const operand of operands) this.f.get(operand)
    this.f.simd(name)
    return this.keep()
  }
  /** Four equal floats. Shared by all uses in the function, so never assign to it: see `variable`. */
  constant(value: number): Local {
    return this.f.constant(new Uint8Array(new Float32Array(4).fill(value).buffer))
  }
  /** Four equal 32-bit integers. */
  integer(value: number): Local {
    return this.f.constant(new Uint8Array(new Int32Array(4).fill(value).buffer))
  }
  /** Two equal doubles. */
  double(value: number): Local {
    return this.f.constant(new Uint8Array(new Float64Array(2).fill(value).buffer))
  }
  /** A new local, set to four equal floats each time control comes here; for accumulators. */
  variable(value: number): Local {
    this.f.f32x4(value)
    return this.keep()
  }
  /** Four copies of an f32 local. */
  splat(scalar: Local): Local {
    return this.op('f32x4Splat', scalar)
  }
  /** Shifts of 32-bit lanes by a fixed number of bits. */
  shift(name: 'i32x4Shl' | 'i32x4ShrS' | 'i32x4ShrU', x: Local, bits: number): Local {
    this.f.get(x).i32(bits).simd(name)
    return this.keep()
  }
  shuffle(a: Local, b: Local, lanes: readonly [number, number, number, number]): Local {
    this.f.get(a).get(b).shuffle32(lanes)
    return this.keep()
  }
  load(pointer: Local, offset = 0): Local {
    this.f.get(pointer).mem('v128Load', offset)
    return this.keep()
  }
  loadSplat(pointer: Local, offset = 0): Local {
    this.f.get(pointer).mem('v128Load32Splat', offset)
    return this.keep()
  }
  store(pointer: Local, value: Local, offset = 0): void {
    this.f.get(pointer).get(value).mem('v128Store', offset)
  }
  /** Overwrites a `variable`. */
  assign(target: Local, value: Local): void {
    this.f.get(value).set(target)
  }

  add(a: Local, b: Local): Local {
    return this.op('f32x4Add', a, b)
  }
  sub(a: Local, b: Local): Local {
    return this.op('f32x4Sub', a, b)
  }
  mul(a: Local, b: Local): Local {
    return this.op('f32x4Mul', a, b)
  }
  div(a: Local, b: Local): Local {
    return this.op('f32x4Div', a, b)
  }
  /** a b + c, rounded once where FMA is on and twice otherwise. */
  mulAdd(a: Local, b: Local, c: Local): Local {
    return this.fma ? this.op('f32x4RelaxedMadd', a, b, c) : this.add(this.mul(a, b), c)
  }
  /** c - a b. */
  mulSub(a: Local, b: Local, c: Local): Local {
    return this.fma ? this.op('f32x4RelaxedNmadd', a, b, c) : this.sub(c, this.mul(a, b))
  }
  /** mask ? a : b, bit by bit. */
  select(mask: Local, a: Local, b: Local): Local {
    return this.op('v128Bitselect', a, b, mask)
  }
  /** Σ coefficients[i] xⁱ. */
  polynomial(x: Local, coefficients: readonly number[]): Local {
    let sum = this.constant(coefficients.at(-1)!)
    for (let i = coefficients.length - 2; i >= 0; i--) sum = this.mulAdd(sum, x, this.constant(coefficients[i]!))
    return sum
  }
  /** All bits set in the first `count` (i32 local) lanes. */
  tailMask(count: Local): Local {
    this.f.get(count).simd('i32x4Splat').i32x4Lanes([0, 1, 2, 3]).simd('i32x4GtS')
    return this.keep()
  }
  /** The sum of the four lanes, (0 + 2) + (1 + 3), as an f32 local. */
  sumLanes(x: Local): Local {
    const pairs = this.add(x, this.shuffle(x, x, [2, 3, 2, 3]))
    const total = this.f.local('f32')
    this.f.get(pairs).extractLane(0).get(pairs).extractLane(1).op('f32Add').set(total)
    return total
  }
}
