import type { DType } from './backends/backend.ts'
import type { OpDefinition } from './op.ts'
import { formatShape } from './shape.ts'
import { attachNode, isRecording, isTraced, refuseTraced } from './tape.ts'
import { makeTensor, type Tensor } from './tensor.ts'

/** Throws unless every input still has its memory, and all are on one backend. */
export const checkInputs = (name: string, inputs: readonly Tensor[]): void => {
  const { backend } = inputs[0]!
  for (const input of inputs) {
    if (input.disposed)
      throw new Error(`${name}: an input of shape ${formatShape(input.shape)} was disposed; keep() it or return it from tidy()`)
    if (input.backend !== backend) {
      throw new Error(`${name}: inputs live on "${backend.name}" and "${input.backend.name}"; create them on one backend`)
    }
  }
}

/** Runs an op on the backend of its inputs and, while a gradient is being traced, notes it on the tape. */
export const apply = <Attributes>(op: OpDefinition<Attributes>, inputs: readonly Tensor[], attributes: Attributes): Tensor => {
  checkInputs(op.name, inputs)
  const { backend } = inputs[0]!
  const shape = op.shape(
    inputs.map(input => input.shape),
    attributes,
  )
  refuseTraced(op.name, inputs)
  const dtype: DType = backend.floatType
  const output = makeTensor(backend, backend.run(op, inputs, attributes, shape, dtype), shape)
  if (isRecording() && isTraced(inputs)) {
    attachNode(output, op.name, inputs, outputGradient => op.gradient({ inputs, output, attributes, outputGradient }))
  }
  return output
}
