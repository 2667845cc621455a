import * as e from '../expr/expr.ts'
import type { Tensor } from '../tensor.ts'
import { broadcastInputs, defineElementwise } from './elementwise.ts'

const lessOp = defineElementwise('less', { inputs: 2 }, ([a, b]) => e.lt(a!, b!))
const equalOp = defineElementwise('equal', { inputs: 2 }, ([a, b]) => e.eq(a!, b!))
const whereOp = defineElementwise('where', { inputs: 3 }, ([c, a, b]) => e.select(c!, a!, b!), {
  // Conditions of 0 occur, so that both branches are taken.
  inputs: choose => broadcastInputs(choose, 3).map((x, i) => (i === 0 ? { ...x, discrete: [0, 1, -2] } : x)),
})

/** 1 where a < b, else 0. No gradient. */
export const less = (a: Tensor, b: Tensor): Tensor => lessOp([a, b])
/** 1 where a = b, else 0. No gradient. */
export const equal = (a: Tensor, b: Tensor): Tensor => equalOp([a, b])
/** a where condition is not 0, else b. No gradient to the condition. */
export const where = (condition: Tensor, a: Tensor, b: Tensor): Tensor => whereOp([condition, a, b])
