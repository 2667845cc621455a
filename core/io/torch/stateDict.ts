import type { MemoryBudget } from '../memoryBudget.ts'
import { isModule, moduleTensors } from './moduleTensors.ts'
import { kindOf, type PickleDict, type PickleValue, textOf } from './pickleValue.ts'
import { TorchTensor } from './torchTensor.ts'

export interface StateDictOptions {
  /**
   * Where the state dict lies, as keys joined by dots (`ema.model`). By default the one of `state_dict`,
   * `model_state_dict`, `model` and `net` that is there, repeatedly, and the outermost dict if there is none.
   */
  readonly stateDictKey?: string
  /** Prefixes removed from the names, repeatedly, while every name begins with the same one. Default `module.`, `_orig_mod.`. */
  readonly stripPrefixes?: readonly string[]
}

export interface StateDict {
  readonly tensors: Record<string, TorchTensor>
  /** The numbers and texts beside and around the tensors, as text. */
  readonly metadata: Record<string, string>
}

const WELL_KNOWN = ['state_dict', 'model_state_dict', 'model', 'net']
/** What `DataParallel` and `torch.compile` put in front of every name. */
const PREFIXES = ['module.', '_orig_mod.']
const MAX_NESTING = 8

/**
 * Finds the tensors of a checkpoint and their names, by the rules in `StateDictOptions`. A module that was pickled whole
 * stands for its state dict.
 *
 * @throws RangeError saying what is there instead
 */
export const findStateDict = (
  root: PickleValue,
  { stateDictKey, stripPrefixes = PREFIXES, budget }: StateDictOptions & { readonly budget: MemoryBudget },
): StateDict => {
  const metadata = new Map<string, string>()
  let value = root
  if (stateDictKey !== undefined) {
    for (const key of stateDictKey.split('.')) value = descend(value, key, metadata)
  } else {
    for (let depth = 0; depth < MAX_NESTING; depth++) {
      const key = wellKnownKey(value)
      if (key === undefined) break
      value = descend(value, key, metadata)
    }
  }
  const tensors = isModule(value) ? moduleTensors(value, budget) : dictTensors(value, metadata)
  return { tensors: Object.fromEntries(stripped(tensors, stripPrefixes)), metadata: Object.fromEntries(metadata) }
}

const isHolder = (value: PickleValue | undefined): boolean => value instanceof Map || isModule(value)

const wellKnownKey = (value: PickleValue): string | undefined => {
  if (!(value instanceof Map)) return undefined
  const keys = WELL_KNOWN.filter(key => isHolder(value.get(key)))
  if (keys.length > 1) throw new RangeError(`it holds ${keys.join(' and ')}, name one of them as the state dict`)
  return keys[0]
}

const descend = (value: PickleValue, key: string, metadata: Map<string, string>): PickleValue => {
  const inner = value instanceof Map ? value.get(key) : undefined
  if (inner === undefined) throw new RangeError(`there is no ${JSON.stringify(key)} in ${listed(value)}`)
  collectMetadata(value as PickleDict, metadata)
  return inner
}

/** Only what stands directly in a dict on the way: anything deeper belongs to optimisers and the like. */
const collectMetadata = (dict: PickleDict, metadata: Map<string, string>): void => {
  for (const [key, value] of dict) {
    if (typeof key === 'string' && ['string', 'number', 'bigint', 'boolean'].includes(typeof value)) metadata.set(key, String(value))
  }
}

const dictTensors = (value: PickleValue, metadata: Map<string, string>): Map<string, TorchTensor> => {
  if (!(value instanceof Map)) throw new RangeError(`it holds ${kindOf(value)}, no state dict`)
  const tensors = new Map<string, TorchTensor>()
  for (const [key, tensor] of value) if (typeof key === 'string' && tensor instanceof TorchTensor) tensors.set(key, tensor)
  if (tensors.size === 0 && value.size > 0) throw new RangeError(`no tensors in ${listed(value)}`)
  const other = [...value].find(([key, item]) => typeof key !== 'string' || isHolder(item) || Array.isArray(item))
  if (other) throw new RangeError(`${JSON.stringify(textOf(other[0]).slice(0, 100))} beside tensors is ${kindOf(other[1])}`)
  collectMetadata(value, metadata)
  return tensors
}

const listed = (value: PickleValue): string => {
  if (!(value instanceof Map)) return kindOf(value)
  const keys = [...value.keys()].slice(0, 10).map(key => textOf(key).slice(0, 40))
  return `a dict of ${value.size}${keys.length > 0 ? `: ${keys.join(', ')}` : ''}`
}

const stripped = <T>(tensors: ReadonlyMap<string, T>, prefixes: readonly string[]): [string, T][] => {
  let entries = [...tensors]
  for (;;) {
    const prefix = prefixes.find(p => p !== '' && entries.length > 0 && entries.every(([name]) => name.startsWith(p)))
    if (prefix === undefined) return entries
    entries = entries.map(([name, tensor]) => [name.slice(prefix.length), tensor])
  }
}
