import { formatShape, type Shape } from '../index.ts'
import { FileError } from '../io/fileError.ts'
import type { ParameterShapes } from './shapes.ts'

/** Names shown per kind of fault; the counts are complete. */
const SHOWN = 4

const listed = (title: string, names: readonly string[]): string[] => {
  if (names.length === 0) return []
  return [`${names.length} ${title} (${names.slice(0, SHOWN).join(', ')}${names.length > SHOWN ? ', ...' : ''})`]
}

/**
 * Checks that the tensors are exactly those of a network: nothing missing, nothing unexpected, every shape right.
 * `source` names the file they came from.
 * @throws FileError that lists all three kinds of fault at once
 */
export const checkParameters = (
  shapes: ParameterShapes,
  tensors: Readonly<Record<string, { readonly shape: Shape }>>,
  source: string,
): void => {
  const names = Object.keys(shapes)
  const missing = names.filter(name => !Object.hasOwn(tensors, name))
  const unexpected = Object.keys(tensors).filter(name => !Object.hasOwn(shapes, name))
  const misshaped = names
    .filter(name => Object.hasOwn(tensors, name) && formatShape(tensors[name]!.shape) !== formatShape(shapes[name]!))
    .map(name => `${name} ${formatShape(tensors[name]!.shape)} instead of ${formatShape(shapes[name]!)}`)
  const faults = [...listed('missing', missing), ...listed('unexpected', unexpected), ...listed('of another shape', misshaped)]
  if (faults.length > 0) {
    throw new FileError(source, `parameters do not fit the network: ${faults.join(', ')}`, 'use the configuration they were saved with')
  }
}
