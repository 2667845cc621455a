import type { CheckpointSummary } from '../../core/io/checkpointFile.ts'
import { oneLine } from '../../core/io/fileError.ts'
import { elementCount } from '../../core/io/hostTensor.ts'
import { type Guess, guessNetwork } from './guess.ts'

/** What `inspect` tells of a checkpoint. */
export interface Inspection {
  readonly file: string
  readonly format: CheckpointSummary['format']
  readonly tensors: readonly { readonly name: string; readonly shape: readonly number[]; readonly dtype: string }[]
  /** Values that are trained. */
  readonly parameters: number
  /** Values of running statistics and counters. */
  readonly buffers: number
  readonly metadata: Readonly<Record<string, string>>
  readonly guess: Guess | null
}

const isBuffer = (name: string): boolean => /(^|\.)(running_mean|running_var|num_batches_tracked)$/.test(name)

export const inspection = (file: string, { format, tensors, metadata }: CheckpointSummary): Inspection => {
  const entries = Object.entries(tensors)
  const valuesIn = (wanted: (name: string) => boolean): number =>
    entries.filter(([name]) => wanted(name)).reduce((sum, [, { shape }]) => sum + elementCount(shape), 0)
  return {
    file,
    format,
    tensors: entries.map(([name, { shape, dtype }]) => ({ name, shape, dtype })),
    parameters: valuesIn(name => !isBuffer(name)),
    buffers: valuesIn(isBuffer),
    metadata,
    guess: guessNetwork(Object.fromEntries(entries.map(([name, { shape }]) => [name, shape]))),
  }
}

const count = (n: number): string => n.toLocaleString('en-US')

const guessLines = (guess: Guess | null): string[] => {
  if (!guess) return ['network     not recognised: its names are those of none of the networks here']
  const how = guess.sure === 'certain' ? 'every name and shape agrees' : `${guess.agreeing} of ${guess.compared} names and shapes agree`
  const config = Object.entries(guess.config).map(([name, value]) => `            ${name}: ${JSON.stringify(value)}`)
  const unknown = guess.unknown.length > 0 ? [`            not visible in the weights: ${guess.unknown.join(', ')}`] : []
  return [`network     ${guess.network}, ${guess.sure}: ${how}`, ...config, ...unknown]
}

/** For the terminal. Names and texts of the file are shown on one line, whatever control characters they hold. */
export const formatInspection = ({ file, format, tensors, parameters, buffers, metadata, guess }: Inspection): string => {
  const rows = tensors.map(({ name, shape, dtype }) => [oneLine(name), `[${shape.join(', ')}]`, dtype] as const)
  const width = (column: 0 | 1): number => rows.reduce((max, row) => Math.max(max, row[column].length), 0)
  const [nameWidth, shapeWidth] = [width(0), width(1)]
  return [
    ...rows.map(([name, shape, dtype]) => `${name.padEnd(nameWidth)}  ${shape.padEnd(shapeWidth)}  ${dtype}`),
    '',
    `file        ${file}`,
    `format      ${format}`,
    `tensors     ${count(tensors.length)}`,
    `parameters  ${count(parameters)}${buffers > 0 ? `, and ${count(buffers)} values of running statistics` : ''}`,
    ...Object.entries(metadata).map(([name, value]) => `metadata    ${oneLine(`${name}: ${value}`)}`),
    ...guessLines(guess),
  ].join('\n')
}
