import type { CheckpointFormat } from '../../core/io/checkpointFile.ts'
import { UsageError } from './errors.ts'

/** @throws UsageError when `--state-dict` is given for a file that has no place to look for one */
export const checkStateDictOption = (file: string, format: CheckpointFormat, keys: string | undefined): void => {
  if (keys === undefined || format !== 'safetensors') return
  throw new UsageError(
    `--state-dict is ${JSON.stringify(keys)}, but ${file} is a safetensors file, which has no nested state dict`,
    'leave the option away',
  )
}
