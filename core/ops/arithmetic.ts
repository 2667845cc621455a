import * as e from '../expr/expr.ts'
import { Tensor } from '../tensor.ts'
import { broadcastInputs, defineElementwise } from './elementwise.ts'

/** Binary arithmetic with broadcasting. A number operand is a scalar parameter of the kernel, not a tensor. */
type Operand = Tensor | number

const positive = { low: 0.5, high: 2.5 }

const addTensors = defineElementwise('add', { inputs: 2 }, ([a, b]) => e.add(a!, b!))
const addScalar = defineElementwise('addScalar', { inputs: 1, params: 1 }, ([a], [s]) => e.add(a!, s!), { params: [0.7] })
const subTensors = defineElementwise('sub', { inputs: 2 }, ([a, b]) => e.sub(a!, b!))
const mulTensors = defineElementwise('mul', { inputs: 2 }, ([a, b]) => e.mul(a!, b!))
const mulScalar = defineElementwise('mulScalar', { inputs: 1, params: 1 }, ([a], [s]) => e.mul(a!, s!), { params: [-1.3] })
const divTensors = defineElementwise('div', { inputs: 2 }, ([a, b]) => e.div(a!, b!), {
  inputs: choose => broadcastInputs(choose, 2, positive),
})
const divScalar = defineElementwise('divScalar', { inputs: 1, params: 1 }, ([a], [s]) => e.div(a!, s!), { params: [3] })
const maxTensors = defineElementwise('maximum', { inputs: 2 }, ([a, b]) => e.max(a!, b!))
const maxScalar = defineElementwise('maximumScalar', { inputs: 1, params: 1 }, ([a], [s]) => e.max(a!, s!), {
  params: [0.25],
  inputs: choose => broadcastInputs(choose, 1, { kinks: [0.25] }),
})
const minTensors = defineElementwise('minimum', { inputs: 2 }, ([a, b]) => e.min(a!, b!))
const minScalar = defineElementwise('minimumScalar', { inputs: 1, params: 1 }, ([a], [s]) => e.min(a!, s!), {
  params: [0.25],
  inputs: choose => broadcastInputs(choose, 1, { kinks: [0.25] }),
})
const mixTensors = defineElementwise('addScaled', { inputs: 2, params: 2 }, ([a, b], [s, t]) => e.add(e.mul(a!, s!), e.mul(b!, t!)), {
  params: [0.6, -1.2],
})

/** a + b. */
export const add = (a: Tensor, b: Operand): Tensor => (b instanceof Tensor ? addTensors([a, b]) : addScalar([a], [b]))
/** a - b. */
export const sub = (a: Tensor, b: Operand): Tensor => (b instanceof Tensor ? subTensors([a, b]) : addScalar([a], [-b]))
/** a * b. */
export const mul = (a: Tensor, b: Operand): Tensor => (b instanceof Tensor ? mulTensors([a, b]) : mulScalar([a], [b]))
/** a / b. */
export const div = (a: Tensor, b: Operand): Tensor => (b instanceof Tensor ? divTensors([a, b]) : divScalar([a], [b]))
/** The larger of a and b; where they are equal the gradient goes to b. */
export const maximum = (a: Tensor, b: Operand): Tensor => (b instanceof Tensor ? maxTensors([a, b]) : maxScalar([a], [b]))
/** The smaller of a and b; where they are equal the gradient goes to b. */
export const minimum = (a: Tensor, b: Operand): Tensor => (b instanceof Tensor ? minTensors([a, b]) : minScalar([a], [b]))
/** s a + t b, for numbers s and t: one kernel for the affine mixes that diffusion is made of. */
export const addScaled = (a: Tensor, s: number, b: Tensor, t: number): Tensor => mixTensors([a, b], [s, t])
