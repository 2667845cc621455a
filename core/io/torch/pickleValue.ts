import type { StorageView, TorchTensor } from './torchTensor.ts'

/**
 * What a pickle may build. A list is an array, a tuple a frozen one, a dict or OrderedDict a `Map` in order of insertion,
 * None is null; whole numbers beyond 2^53 are bigints.
 */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly PickleValue[]
  | PickleDict
  | ReadonlySet<PickleValue>
  | PickleGlobal
  | InertRecord
  | StorageView
  | TorchTensor

export type PickleDict = Map<PickleValue, PickleValue>

/** A class or function that the pickle asks for by name; `call` is this project's stand-in for it. */
export class PickleGlobal {
  readonly name: string
  /** @throws RangeError when the arguments are not what the original takes */
  readonly call: (args: readonly PickleValue[]) => PickleValue

  constructor(name: string, call: (args: readonly PickleValue[]) => PickleValue) {
    this.name = name
    this.call = call
  }
}

/** An object of an unknown class, kept as data: what it was made of and what was put into it. None of its code runs. */
export class InertRecord {
  readonly className: string
  readonly args: readonly PickleValue[]
  /** What `__setstate__` would have received: by default the object's `__dict__`. */
  state: PickleValue = null
  readonly items: PickleValue[] = []
  readonly entries: PickleDict = new Map()

  constructor(className: string, args: readonly PickleValue[]) {
    this.className = className
    this.args = args
  }
}

export const isTuple = (value: unknown): value is readonly PickleValue[] => Array.isArray(value) && Object.isFrozen(value)

export const isList = (value: unknown): value is PickleValue[] => Array.isArray(value) && !Object.isFrozen(value)

/** What a value is, for messages, in the language of the file. Its time does not depend on what a container holds. */
export const kindOf = (value: PickleValue | undefined): string => {
  if (value === null) return 'None'
  if (value instanceof InertRecord) return `a ${value.className}`
  if (value instanceof PickleGlobal) return `the class ${value.name}`
  if (value instanceof Map) return 'a dict'
  if (value instanceof Set) return 'a set'
  if (value instanceof Uint8Array) return 'bytes'
  if (Array.isArray(value)) return isTuple(value) ? 'a tuple' : 'a list'
  return typeof value === 'object' ? 'a tensor' : `a ${typeof value}`
}

/** A number or text as it is, of anything else the kind: a tuple of tuples may be far longer as text than the file. */
export const textOf = (value: PickleValue | undefined): string =>
  ['string', 'number', 'bigint', 'boolean'].includes(typeof value) ? String(value) : kindOf(value)
