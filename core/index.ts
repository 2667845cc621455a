/** The tensor core: tensors, ops, gradients, memory, backends. */
export { type Backend, type DType, getBackend, type HostValues, setBackend, withBackend } from './backends/backend.ts'
export { backendNames, loadBackend, useBackend } from './backends/load.ts'
export { checkpoint, grad, stopGradient, type ValueAndGrad, valueAndGrad, vjp } from './grad.ts'
export { dispose, keep, tidy } from './memory.ts'
export * as ops from './ops/index.ts'
export { formatShape, type Shape, ShapeError, sizeOf } from './shape.ts'
export { full, liveTensors, ones, scalar, Tensor, type TensorOptions, tensor, zeros } from './tensor.ts'
export { mapTensors, type Tree, tensorsOf } from './tree.ts'
