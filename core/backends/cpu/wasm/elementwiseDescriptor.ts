/**
 * The descriptor through which a call of an elementwise kernel is passed, in 32-bit words: n, rows, planes, output, then
 * for each input its address and its byte strides along rows and planes, then the parameters as floats.
 */

/** Three loops run inside the module: planes of rows of contiguous elements. More axes are looped over outside. */
export const innerAxes = 3

export const inputWord = (k: number): number => 4 + 3 * k
export const paramWord = (inputCount: number, index: number): number => 4 + 3 * inputCount + index
