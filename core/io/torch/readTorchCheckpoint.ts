import { type ByteSource, memorySource } from '../byteSource.ts'
import { FileError } from '../fileError.ts'
import type { HostTensor } from '../hostTensor.ts'
import { memoryBudget } from '../memoryBudget.ts'
import { openLegacyCheckpoint } from './legacyCheckpoint.ts'
import { materialise } from './materialise.ts'
import { findStateDict, type StateDict, type StateDictOptions } from './stateDict.ts'
import type { TorchTensor } from './torchTensor.ts'
import { openZipCheckpoint } from './zipCheckpoint.ts'

export interface TorchOptions extends StateDictOptions {
  /**
   * 'refuse' (default): a file that names any class beside tensors, containers and numbers is not read. 'inert': objects
   * of such classes become plain data, without running any code, and a whole pickled module stands for its state dict.
   */
  readonly unknownClasses?: 'refuse' | 'inert'
}

export interface TorchCheckpoint {
  readonly tensors: Record<string, HostTensor>
  /** The numbers and texts beside the state dict (`epoch`, `best_prec1`), as text. */
  readonly metadata: Record<string, string>
}

/** A checkpoint whose structure is known and whose values have not been read. */
export interface OpenTorchCheckpoint {
  readonly format: 'torch zip' | 'torch legacy'
  readonly tensors: Readonly<Record<string, TorchTensor>>
  readonly metadata: Record<string, string>
  /** Reads all values. @throws FileError */
  readonly read: () => TorchCheckpoint
}

const PICKLE_BYTE = 0x80

export const isZip = (head: Uint8Array): boolean => head[0] === 0x50 && head[1] === 0x4b
export const isPickle = (head: Uint8Array): boolean => head[0] === PICKLE_BYTE

/**
 * Opens what `torch.save` has written, in the zip format or the one before it, and finds the state dict in it. Reads
 * the pickle and the tables only.
 *
 * @throws FileError naming the file, the rule and the remedy; `unpickle`, `findStateDict` and `zipDirectory` have the rules
 */
export const openTorchCheckpoint = (source: ByteSource, options: TorchOptions = {}): OpenTorchCheckpoint => {
  const head = source.read(0, Math.min(4, source.size))
  const format = isZip(head) ? 'torch zip' : 'torch legacy'
  const budget = memoryBudget(source.name, source.size)
  const input = { source, budget, inert: options.unknownClasses === 'inert' }
  const file = format === 'torch zip' ? openZipCheckpoint(input) : openLegacyCheckpoint(input)
  let found: StateDict
  try {
    found = findStateDict(file.root, { ...options, budget })
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new FileError(source.name, `no state dict found: ${cause.message}`, 'see the options stateDictKey and unknownClasses', { cause })
  }
  const { tensors, metadata } = found
  return { format, tensors, metadata, read: () => ({ tensors: materialise(tensors, { file, budget, name: source.name }), metadata }) }
}

/**
 * The tensors of a PyTorch checkpoint in memory. No code from the file is run, and memory stays below twice the file's
 * size and 16 MiB beside the file itself.
 *
 * @param source the file's name, for messages
 * @throws FileError see `openTorchCheckpoint`
 */
export const readTorchCheckpoint = (bytes: Uint8Array, source: string, options: TorchOptions = {}): TorchCheckpoint =>
  openTorchCheckpoint(memorySource(bytes, source), options).read()
