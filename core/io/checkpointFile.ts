import { type ByteSource, withFileSource } from './byteSource.ts'
import { FileError, quoteKey } from './fileError.ts'
import type { HostDtype, HostTensor } from './hostTensor.ts'
import { requirePath } from './requirePath.ts'
import { openSafetensors } from './safetensors.ts'
import { LENGTH_BYTES } from './safetensorsHeader.ts'
import { isPickle, isZip, openTorchCheckpoint, type TorchOptions } from './torch/readTorchCheckpoint.ts'

export type CheckpointFormat = 'safetensors' | 'torch zip' | 'torch legacy'

export interface Checkpoint {
  readonly format: CheckpointFormat
  readonly tensors: Record<string, HostTensor>
  readonly metadata: Record<string, string>
}

/** What is known of a checkpoint without its values. */
export interface CheckpointSummary {
  readonly format: CheckpointFormat
  readonly tensors: Readonly<Record<string, { readonly dtype: HostDtype; readonly shape: readonly number[] }>>
  readonly metadata: Record<string, string>
}

/**
 * Loads a checkpoint of any supported format, told apart by its content and not by its name, tensor by tensor. The options
 * concern PyTorch files only; a safetensors file is taken as it is.
 *
 * @throws FileError when the file cannot be read, is damaged, of no known format, or asks for code
 */
export const loadCheckpoint = (path: string, options: TorchOptions = {}): Checkpoint =>
  withFileSource(requirePath(path, 'checkpoint'), source => {
    if (isTorch(source)) {
      const checkpoint = openTorchCheckpoint(source, options)
      return { format: checkpoint.format, ...checkpoint.read() }
    }
    return { format: 'safetensors', ...openSafetensors(source).read() }
  })

/**
 * Names, dtypes and shapes of a checkpoint; reads the header or the pickle and not the values.
 * @throws FileError as `loadCheckpoint`, for what can be known without the values
 */
export const inspectCheckpoint = (path: string, options: TorchOptions = {}): CheckpointSummary =>
  withFileSource(requirePath(path, 'checkpoint'), source => {
    if (isTorch(source)) {
      const { format, tensors, metadata } = openTorchCheckpoint(source, options)
      const facts = Object.entries(tensors).map(([name, { dtype, shape }]) => [name, { dtype, shape }] as const)
      return { format, tensors: Object.fromEntries(facts), metadata }
    }
    const { entries, metadata } = openSafetensors(source)
    return {
      format: 'safetensors',
      tensors: Object.fromEntries(entries.map(({ key, dtype, shape }) => [key, { dtype, shape }])),
      metadata,
    }
  })

/** True for a PyTorch file, false for safetensors: of these only the latter has a brace at byte 8. */
const isTorch = (source: ByteSource): boolean => {
  const head = source.read(0, Math.min(source.size, LENGTH_BYTES + 1))
  if (head[LENGTH_BYTES] === 0x7b) return false
  if (isZip(head) || isPickle(head)) return true
  throw new FileError(
    source.name,
    `the file is neither safetensors nor written by torch.save, it has ${source.size} bytes and begins with ${quoteKey(printable(head))}`,
    'check that it has been downloaded completely',
  )
}

const printable = (bytes: Uint8Array): string => String.fromCharCode(...bytes.map(byte => (byte >= 0x20 && byte < 0x7f ? byte : 0x2e)))
