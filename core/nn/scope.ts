import type { Tensor } from '../index.ts'

/** Flat tensors keyed by state-dict names: parameters, gradients, running statistics. */
export type TensorRecord = Readonly<Record<string, Tensor>>

/** The part of a flat record under one dotted path: what a layer sees of the parameters. */
export interface Scope {
  /** Dotted path of this scope; '' is the whole record. */
  readonly path: string
  /** The scope one or more names further down. */
  at(child: string): Scope
  /** Throws when the record has no such tensor. */
  get(name: string): Tensor
  find(name: string): Tensor | undefined
}

/** `scope(parameters, 'down_blocks.0.resnets.1').at('conv1').get('weight')`. */
export const scope = (tensors: TensorRecord, path = ''): Scope => {
  const nameOf = (name: string): string => (path === '' ? name : `${path}.${name}`)
  const find = (name: string): Tensor | undefined => (Object.hasOwn(tensors, nameOf(name)) ? tensors[nameOf(name)] : undefined)
  return {
    path,
    at: child => scope(tensors, nameOf(child)),
    find,
    get: name => {
      const found = find(name)
      if (!found)
        throw new Error(`parameters: "${nameOf(name)}" is missing among ${Object.keys(tensors).length}; load or initialise all of them`)
      return found
    },
  }
}
