/**
 * The descriptor through which a call of an elementwise kernel is passed, in 32-bit words: n, rows, planes, the outputs, then
 * for each input its address and its byte strides along rows and planes, then the parameters as floats.
 */

/** How many arrays a kernel writes and reads. */
export interface Counts {
  readonly outputs: number
  readonly inputs: number
}

/** Three loops run inside the module: planes of rows of contiguous elements. More axes are looped over outside. */
export const innerAxes = 3

export const outputWord = (k: number): number => 3 + k
export const inputWord = ({ outputs }: Pick<Counts, 'outputs'>, k: number): number => 3 + outputs + 3 * k
export const paramWord = (counts: Counts, index: number): number => inputWord(counts, counts.inputs) + index
