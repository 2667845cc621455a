import { ops, ShapeError, type Tensor, tensor } from '../index.ts'
import { requireWholeNumber } from '../wholeNumber.ts'

/** A linear map from `inputs` to `outputs` positions along one side of an image: row-major [outputs, inputs]. */
export interface SideMap {
  readonly inputs: number
  readonly outputs: number
  readonly weights: Float64Array
}

/** A side map from the contribution of each input to each output, `visit(output, add)` calling `add(input, weight)`. @throws RangeError */
export const sideMap = (
  inputs: number,
  outputs: number,
  visit: (output: number, add: (input: number, weight: number) => void) => void,
): SideMap => {
  requireWholeNumber('separableResample', 'a new side', outputs, 1)
  const weights = new Float64Array(inputs * outputs)
  for (let output = 0; output < outputs; output++) visit(output, (input, weight) => (weights[output * inputs + input]! += weight))
  return { inputs, outputs, weights }
}

/**
 * Applies one linear map to the columns and one to the rows of every image: R X C^T.
 * x: [batch, channels, height, width] with the sides the maps take; result [batch, channels, rows.outputs, columns.outputs].
 */
export const separableResample = (x: Tensor, rows: SideMap, columns: SideMap): Tensor => {
  if (x.rank !== 4 || x.shape[2] !== rows.inputs || x.shape[3] !== columns.inputs) {
    throw new ShapeError(
      `separableResample: x must be [batch,channels,${rows.inputs},${columns.inputs}], got [${x.shape}]; make the maps for its sides`,
    )
  }
  const { backend } = x
  const matrix = ({ weights, inputs, outputs }: SideMap): Tensor => tensor(weights, [outputs, inputs], { backend })
  return ops.matmul(matrix(rows), ops.matmul(x, matrix(columns), { transposeB: true }))
}
