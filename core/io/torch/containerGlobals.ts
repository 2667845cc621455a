import type { MemoryBudget } from '../memoryBudget.ts'
import { isTuple, kindOf, type PickleDict, PickleGlobal, type PickleValue } from './pickleValue.ts'

/** What a copied element may take in memory. */
const SLOT = 64

const itemsOf = (args: readonly PickleValue[]): readonly PickleValue[] => {
  const [items = []] = args
  if (args.length > 1 || !Array.isArray(items)) throw new RangeError(`a container is made of ${args.map(kindOf).join(', ')}`)
  return items
}

const dictOf = (pairs: readonly PickleValue[]): PickleDict => {
  const dict: PickleDict = new Map()
  for (const pair of pairs) {
    if (!Array.isArray(pair) || pair.length !== 2) throw new RangeError(`an OrderedDict is made of ${kindOf(pair)}`)
    const [key, value] = pair as PickleValue[]
    if (typeof key !== 'string' && typeof key !== 'number') throw new RangeError(`${kindOf(key)} is used as a key of an OrderedDict`)
    if (dict.has(key)) throw new RangeError(`an OrderedDict has the key ${JSON.stringify(key)} twice`)
    dict.set(key, value!)
  }
  return dict
}

/** `bytes` under protocol 2: their text in latin1, to be encoded again. */
const latin1Bytes = (args: readonly PickleValue[], budget: MemoryBudget): Uint8Array => {
  const [content, encoding] = args
  if (typeof content !== 'string' || (encoding !== 'latin1' && encoding !== 'latin-1'))
    throw new RangeError('bytes are not given in latin1')
  budget.spend(content.length, 'the pickle')
  return Uint8Array.from(content, char => {
    const code = char.codePointAt(0)!
    if (code > 255) throw new RangeError(`bytes hold the character U+${code.toString(16)}`)
    return code
  })
}

/** Containers and bytes that older protocols build by calls. Copies are paid from the budget, since one list may be copied often. */
export const containerGlobals = (budget: MemoryBudget): readonly PickleGlobal[] => {
  const copied = (args: readonly PickleValue[]): readonly PickleValue[] => {
    const items = itemsOf(args)
    budget.spend(SLOT * items.length, 'the pickle')
    return items
  }
  const newSet = (args: readonly PickleValue[]): PickleValue => new Set(copied(args))
  return [
    new PickleGlobal('collections.OrderedDict', args => dictOf(copied(args))),
    ...['builtins', '__builtin__'].flatMap(module => [
      new PickleGlobal(`${module}.set`, newSet),
      new PickleGlobal(`${module}.frozenset`, newSet),
      new PickleGlobal(`${module}.bytes`, args => {
        if (args.length > 0) throw new RangeError(`bytes are made of ${args.map(kindOf).join(', ')}`)
        return new Uint8Array(0)
      }),
    ]),
    new PickleGlobal('_codecs.encode', args => latin1Bytes(args, budget)),
    new PickleGlobal('torch.Size', args => {
      const [extents] = args
      if (!isTuple(extents)) throw new RangeError(`a torch.Size is made of ${args.map(kindOf).join(', ')}`)
      return extents
    }),
  ]
}
