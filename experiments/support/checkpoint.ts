import { createHash } from 'node:crypto'
import { FileError } from '../../core/io/fileError.ts'
import { loadSafetensors, saveSafetensors } from '../../core/io/files.ts'
import type { HostTensor } from '../../core/io/hostTensor.ts'
import { encodeTensor } from '../../core/io/safetensors.ts'
import { type JsonValue, toJsonValue } from './json.ts'

const FORMAT = 'dbp-reference training state 1'
const REMEDY = 'delete it to start again, or restore a copy'

/** A training state: parameters, optimiser moments and averages by name, and where the training stands. */
export interface TrainingState {
  readonly tensors: Readonly<Record<string, HostTensor>>
  /** Step, seed, options: anything JSON holds. */
  readonly meta: JsonValue
}

/** SHA-256 of the metadata and of every tensor's name, dtype, shape and bytes. The file format itself has no checksum. */
const digest = (tensors: TrainingState['tensors'], meta: string): string => {
  const hash = createHash('sha256').update(meta)
  for (const [key, tensor] of Object.entries(tensors)) {
    hash.update(JSON.stringify([key, tensor.dtype, tensor.shape])).update(encodeTensor(key, tensor))
  }
  return hash.digest('hex')
}

/**
 * Saves a training state atomically as a safetensors file, whose metadata holds `meta` and a checksum: a process killed
 * meanwhile leaves the state before.
 * @throws FileError when a tensor is inconsistent or the file cannot be written, TypeError when JSON cannot hold `meta`
 */
export const saveState = (
  path: string,
  { tensors, meta }: { readonly tensors: TrainingState['tensors']; readonly meta: unknown },
): void => {
  const text = JSON.stringify(toJsonValue(meta, 'meta'))
  saveSafetensors(path, tensors, { format: FORMAT, meta: text, sha256: digest(tensors, text) })
}

/** @throws FileError when the file is missing, damaged in any byte, or no training state */
export const loadState = (path: string): TrainingState => {
  const { tensors, metadata } = loadSafetensors(path)
  if (metadata.format !== FORMAT || metadata.meta === undefined)
    throw new FileError(path, `this is no "${FORMAT}"`, 'give the path of a saved training state')
  if (metadata.sha256 !== digest(tensors, metadata.meta))
    throw new FileError(path, 'the training state does not match its checksum', REMEDY)
  return { tensors, meta: JSON.parse(metadata.meta) }
}
