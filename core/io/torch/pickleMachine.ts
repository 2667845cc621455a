import { FileError } from '../fileError.ts'
import type { MemoryBudget } from '../memoryBudget.ts'
import type { ByteReader } from './byteReader.ts'
import { InertRecord, isList, isTuple, kindOf, type PickleDict, PickleGlobal, type PickleValue, textOf } from './pickleValue.ts'
import { TorchTensor } from './torchTensor.ts'

export interface PickleContext {
  /** The stand-in for a class or function. @throws RangeError when it is refused */
  readonly findGlobal: (module: string, name: string) => PickleGlobal
  /** What a persistent id stands for. @throws RangeError when it is refused */
  readonly persistentLoad: (id: PickleValue) => PickleValue
  readonly budget: MemoryBudget
}

/** Upper estimates of what values take in memory, in bytes. */
const SLOT = 16
const MEMO_SLOT = 64
const LIST = 64
const DICT = 256
const DICT_SLOT = 64

/**
 * The stack machine that a pickle is a program for: pushes values, gathers them into containers, remembers them by
 * number. Everything it builds is paid from the budget first. Calls go to stand-ins only.
 */
export class PickleMachine {
  readonly reader: ByteReader
  readonly context: PickleContext
  private readonly stack: PickleValue[] = []
  /** The height of the stack at each open mark. */
  private readonly marks: number[] = []
  private readonly memo = new Map<number, PickleValue>()

  constructor(reader: ByteReader, context: PickleContext) {
    this.reader = reader
    this.context = context
  }

  error(rule: string, remedy = 'the file is damaged, fetch it again'): FileError {
    return new FileError(this.reader.source.name, `pickle at byte ${this.reader.position}: ${rule}`, remedy)
  }

  /** `size`: what the value takes beside its place on the stack. */
  push(value: PickleValue, size = 0): void {
    this.context.budget.spend(SLOT + size, 'the pickle')
    this.stack.push(value)
  }

  pop(): PickleValue {
    if (this.stack.length <= (this.marks.at(-1) ?? 0)) throw this.error('a value is missing on the stack')
    return this.stack.pop()!
  }

  top(): PickleValue {
    const value = this.pop()
    this.stack.push(value)
    return value
  }

  mark(): void {
    this.context.budget.spend(SLOT, 'the pickle')
    this.marks.push(this.stack.length)
  }

  /** The values above the last mark, which is removed. */
  popMark(): PickleValue[] {
    const height = this.marks.pop()
    if (height === undefined) throw this.error('a mark is missing on the stack')
    return this.stack.splice(height)
  }

  /** Drops the last value, or the last mark when there is no value above it. */
  drop(): void {
    if (this.marks.at(-1) === this.stack.length) this.marks.pop()
    else this.pop()
  }

  /** The only value left. */
  result(): PickleValue {
    const value = this.pop()
    if (this.stack.length > 0 || this.marks.length > 0) throw this.error(`it stops with ${this.stack.length} values left over`)
    return value
  }

  remember(index: number = this.memo.size): void {
    this.context.budget.spend(MEMO_SLOT, 'the pickle')
    this.memo.set(index, this.top())
  }

  recall(index: number): void {
    const value = this.memo.get(index)
    if (value === undefined) throw this.error(`value ${index} is not in the memo`)
    else this.push(value)
  }

  pushTuple(items: PickleValue[]): void {
    this.push(Object.freeze(items), LIST + SLOT * items.length)
  }

  pushList(items: PickleValue[]): void {
    this.push(items, LIST + SLOT * items.length)
  }

  pushDict(keysAndValues: readonly PickleValue[]): void {
    this.push(new Map(), DICT)
    this.setItems(keysAndValues)
  }

  pushSet(items: readonly PickleValue[]): void {
    this.push(new Set(), DICT)
    this.addItems(items)
  }

  appendItems(items: readonly PickleValue[]): void {
    this.context.budget.spend(SLOT * items.length, 'the pickle')
    const target = this.top()
    const list = target instanceof InertRecord ? target.items : target
    if (!isList(list)) throw this.error(`values are appended to ${kindOf(target)}`)
    for (const item of items) list.push(item)
  }

  setItems(keysAndValues: readonly PickleValue[]): void {
    if (keysAndValues.length % 2 !== 0) throw this.error('a dict has a key without value')
    this.context.budget.spend(DICT_SLOT * keysAndValues.length, 'the pickle')
    const target = this.top()
    const dict = target instanceof InertRecord ? target.entries : target
    if (!(dict instanceof Map)) throw this.error(`keys are set in ${kindOf(target)}`)
    for (let i = 0; i < keysAndValues.length; i += 2) this.setItem(dict, keysAndValues[i]!, keysAndValues[i + 1]!)
  }

  private setItem(dict: PickleDict, key: PickleValue, value: PickleValue): void {
    this.requireHashable(key)
    if (dict.has(key)) throw this.error(`a dict has the key ${JSON.stringify(textOf(key)).slice(0, 100)} twice`)
    dict.set(key, value)
  }

  addItems(items: readonly PickleValue[]): void {
    this.context.budget.spend(DICT_SLOT * items.length, 'the pickle')
    const target = this.top()
    if (!(target instanceof Set)) throw this.error(`values are added to ${kindOf(target)}`)
    for (const item of items) {
      this.requireHashable(item)
      target.add(item)
    }
  }

  private requireHashable(key: PickleValue): void {
    if (isList(key) || key instanceof Map || key instanceof Set) throw this.error(`${kindOf(key)} is used as a key`)
  }

  pushGlobal(module: string, name: string): void {
    this.push(
      this.guarded(
        () => this.context.findGlobal(module, name),
        'read it with unknownClasses "inert", which keeps such objects as data and runs no code',
      ),
      DICT,
    )
  }

  pushPersistent(id: PickleValue): void {
    this.push(this.guarded(() => this.context.persistentLoad(id)))
  }

  /** Pushes what a class or function gives for a tuple of arguments. */
  call(callee: PickleValue, args: PickleValue): void {
    if (!(callee instanceof PickleGlobal)) throw this.error(`${kindOf(callee)} is called`)
    if (!isTuple(args)) throw this.error(`${callee.name} is called with ${kindOf(args)} instead of a tuple`)
    this.push(
      this.guarded(() => callee.call(args)),
      DICT,
    )
  }

  /** Gives the value on top its state. Attributes of dicts and tensors (a state dict's `_metadata`) are not kept. */
  build(state: PickleValue): void {
    const target = this.top()
    if (target instanceof InertRecord) target.state = state
    else if (!(target instanceof Map || target instanceof TorchTensor)) throw this.error(`${kindOf(target)} is given a state`)
  }

  private guarded<T>(action: () => T, remedy?: string): T {
    try {
      return action()
    } catch (cause) {
      if (cause instanceof RangeError) throw this.error(cause.message, remedy)
      throw cause
    }
  }
}
