import type { BinaryName, UnaryName } from '../../../expr/expr.ts'
import type { Linear, Step } from '../../../expr/linear.ts'
import type { Local, SimdInstruction } from './assembler.ts'
import type { Lanes } from './lanes.ts'
import { cos, erf, exp, log, sigmoid, sin, tanh } from './simdMath.ts'

/** One instruction, or a function that writes several. */
const unaryEmitters: Record<UnaryName, SimdInstruction | ((v: Lanes, x: Local) => Local)> = {
  neg: 'f32x4Neg',
  abs: 'f32x4Abs',
  sqrt: 'f32x4Sqrt',
  floor: 'f32x4Floor',
  exp,
  log,
  sin,
  cos,
  tanh,
  sigmoid,
  erf,
}

const binaryInstructions: Record<BinaryName, SimdInstruction> = {
  add: 'f32x4Add',
  sub: 'f32x4Sub',
  mul: 'f32x4Mul',
  div: 'f32x4Div',
  min: 'f32x4Min',
  max: 'f32x4Max',
  lt: 'f32x4Lt',
  le: 'f32x4Le',
  eq: 'f32x4Eq',
}

const isComparison = (step: Step): boolean => step.kind === 'binary' && (step.name === 'lt' || step.name === 'le' || step.name === 'eq')

/**
 * Writes the steps of an expression as four-lane code. `emit` may be called in parts (first what does not vary in a loop,
 * then the rest); values are kept between the parts. Comparisons stay bit masks as long as only `select` reads them.
 */
export class ExprEmitter {
  private readonly values: (Local | undefined)[]

  constructor(
    private readonly v: Lanes,
    private readonly linear: Linear,
    private readonly read: (step: Extract<Step, { kind: 'input' | 'param' }>) => Local,
  ) {
    this.values = linear.steps.map(() => undefined)
  }

  /** Writes the steps for which `chosen` holds and returns nothing; call `results` after the last part. */
  emit(chosen: (position: number) => boolean): void {
    this.linear.steps.forEach((step, i) => {
      if (chosen(i)) this.values[i] = this.step(step)
    })
  }

  /** The number at a position: a comparison's mask becomes 1 or 0. */
  number(position: number): Local {
    const value = this.values[position]!
    return isComparison(this.linear.steps[position]!) ? this.v.op('v128And', value, this.v.constant(1)) : value
  }

  results(): Local[] {
    return this.linear.results.map(position => this.number(position))
  }

  private step(step: Step): Local {
    const { v } = this
    switch (step.kind) {
      case 'input':
      case 'param':
        return this.read(step)
      case 'const':
        return v.constant(step.value)
      case 'unary':
        return this.unary(step.name, this.number(step.x))
      case 'binary':
        return this.binary(step)
      case 'select': {
        const { condition } = step
        const mask = isComparison(this.linear.steps[condition]!)
          ? this.values[condition]!
          : v.op('f32x4Ne', this.values[condition]!, v.constant(0))
        return v.select(mask, this.number(step.a), this.number(step.b))
      }
    }
  }

  private unary(name: UnaryName, x: Local): Local {
    const emitter = unaryEmitters[name]
    return typeof emitter === 'string' ? this.v.op(emitter, x) : emitter(this.v, x)
  }

  private binary({ name, a, b }: Extract<Step, { kind: 'binary' }>): Local {
    const { v } = this
    const x = this.number(a)
    const y = this.number(b)
    if (name !== 'min' && name !== 'max') return v.op(binaryInstructions[name], x, y)
    // The single-instruction forms return their first operand when either is NaN: enough beside a constant, which is none.
    const isNumber = (i: number) => {
      const step = this.linear.steps[i]!
      return step.kind === 'const' && !Number.isNaN(step.value)
    }
    const quick = name === 'min' ? 'f32x4Pmin' : 'f32x4Pmax'
    if (isNumber(b)) return v.op(quick, x, y)
    if (isNumber(a)) return v.op(quick, y, x)
    return v.op(binaryInstructions[name], x, y)
  }
}
