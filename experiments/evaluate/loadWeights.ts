import type { Parameters } from '../../algorithms/models/types.ts'
import { tensor } from '../../core/index.ts'
import { loadCheckpoint } from '../../core/io/checkpointFile.ts'
import { FileError } from '../../core/io/fileError.ts'
import type { HostTensor } from '../../core/io/hostTensor.ts'
import type { TorchOptions } from '../../core/io/torch/readTorchCheckpoint.ts'
import { checkParameters, type ParameterShapes } from '../../core/nn/index.ts'
import { checkStateDictOption } from '../support/stateDictOption.ts'

const COUNTER = /(^|\.)num_batches_tracked$/

type HostTensors = Readonly<Record<string, HostTensor>>

export interface LoadWeightsOptions extends TorchOptions {
  /** Brings the file's names to the network's. */
  readonly rename?: (tensors: HostTensors) => HostTensors
}

/**
 * The parameters of a network from a checkpoint of any supported format, on the current backend: exactly the names and
 * shapes of the network, all values finite. Counters of batches, which PyTorch before 0.4.1 did not save and which
 * nothing in evaluation reads, may be missing and are then 0.
 * @throws FileError when the file cannot be read or does not fit; all names and shapes that do not are listed at once;
 * UsageError on a place of the state dict in a file that has none
 */
export const loadWeights = (
  path: string,
  shapes: ParameterShapes,
  { rename = tensors => tensors, ...options }: LoadWeightsOptions = {},
): Parameters => {
  const checkpoint = loadCheckpoint(path, options)
  checkStateDictOption(path, checkpoint.format, options.stateDictKey)
  const loaded = rename(checkpoint.tensors)
  const counters = Object.keys(shapes).filter(name => COUNTER.test(name) && !Object.hasOwn(loaded, name))
  const zero: HostTensor = { dtype: 'F32', shape: [], values: new Float32Array(1) }
  const tensors = { ...loaded, ...Object.fromEntries(counters.map(name => [name, zero])) }
  checkParameters(shapes, tensors, path)
  for (const [name, { values }] of Object.entries(tensors)) {
    const at = values.findIndex(value => !Number.isFinite(value))
    if (at >= 0) throw new FileError(path, `tensor "${name}" is ${values[at]} at index ${at}`, 'fetch or train it again')
  }
  return Object.fromEntries(Object.keys(shapes).map(name => [name, tensor(tensors[name]!.values, tensors[name]!.shape)]))
}
