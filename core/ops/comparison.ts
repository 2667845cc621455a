import * as e from '../expr/expr.ts'
import type { Tensor } from '../tensor.ts'
import { broadcastInputs, defineElementwise } from './elementwise.ts'

const lessOp = defineElementwise('less', { inputs: 2 }, ([a, b]) => e.lt(a!, b!))
const equalOp = defineElementwise('equal', { inputs: 2 }, ([a, b]) => e.eq(a!, b!))
const whereOp = defineElementwise('where', { inputs: 3 }, ([c, a, b]) => e.select(c!, a!, b!), {
  inputs: choose => broadcastInputs(choose, 3, { kinks: [0] }),
})

/** 1 where a < b, else 0. No gradient. */
export const less = (a: Tensor, b: Tensor): Tensor => lessOp([a, b])
/** 1 where a = b, else 0. No gradient. */
export const equal = (a: Tensor, b: Tensor): Tensor => equalOp([a, b])
/** a where condition is not 0, else b. No gradient to the condition. */
export const where = (condition: Tensor, a: Tensor, b: Tensor): Tensor => whereOp([condition, a, b])
