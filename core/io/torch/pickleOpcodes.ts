import type { PickleMachine } from './pickleMachine.ts'
import type { PickleValue } from './pickleValue.ts'

/** What each opcode does, by its code. */
export type Opcodes = Readonly<Record<number, (machine: PickleMachine) => void>>

export const STOP = 0x2e

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const text = (machine: PickleMachine, bytes: Uint8Array): string => {
  try {
    return utf8.decode(bytes)
  } catch {
    throw machine.error('a text is not UTF-8')
  }
}

const pushText = (machine: PickleMachine, size: number): void => machine.push(text(machine, machine.reader.take(size)), 2 * size)

const pushBytes = (machine: PickleMachine, size: number): void => machine.push(machine.reader.take(size).slice(), size)

/** A `str` of Python 2 is text or bytes, and only its content tells. */
const pushPython2String = (machine: PickleMachine, size: number): void => {
  const bytes = machine.reader.take(size)
  let value: PickleValue
  try {
    value = utf8.decode(bytes)
  } catch {
    value = bytes.slice()
  }
  machine.push(value, 2 * size)
}

/** Integers of Python have no limit; generators of random numbers, the largest ones in checkpoints, need 2500 bytes. */
const MAX_INTEGER_BYTES = 4096

/** A little-endian two's complement integer of any length. */
const pushLong = (machine: PickleMachine, size: number): void => {
  if (size > MAX_INTEGER_BYTES) throw machine.error(`an integer has ${size} bytes, the limit is ${MAX_INTEGER_BYTES}`)
  const hex = [...machine.reader.take(size)].reverse().map(byte => byte.toString(16).padStart(2, '0'))
  const value = size === 0 ? 0n : BigInt.asIntN(8 * size, BigInt(`0x${hex.join('')}`))
  const number = Number(value)
  machine.push(Number.isSafeInteger(number) ? number : value, 2 * size)
}

const byte = (m: PickleMachine): number => m.reader.byte()
const uint16 = (m: PickleMachine): number => m.reader.view(2).getUint16(0, true)
const uint32 = (m: PickleMachine): number => m.reader.view(4).getUint32(0, true)

/** A size beyond 2^53 loses digits, which no file notices: all are larger than it. */
const uint64 = (m: PickleMachine): number => Number(m.reader.view(8).getBigUint64(0, true))

const popMany = (m: PickleMachine, count: number): PickleValue[] => Array.from({ length: count }, () => m.pop()).reverse()

const callNew = (m: PickleMachine): void => {
  const args = m.pop()
  m.call(m.pop(), args)
}

const callNewWithKeywords = (m: PickleMachine): void => {
  const keywords = m.pop()
  if (!(keywords instanceof Map) || keywords.size > 0) throw m.error('an object is made with keyword arguments')
  callNew(m)
}

const stackGlobal = (m: PickleMachine): void => {
  const name = m.pop()
  const module = m.pop()
  if (typeof name !== 'string' || typeof module !== 'string') throw m.error('the name of a class is no text')
  m.pushGlobal(module, name)
}

/**
 * The binary opcodes of the pickle protocols 2 to 5 (https://docs.python.org/3/library/pickletools.html). Left out are
 * the textual ones of protocol 0, which PyTorch cannot write, and those that need a registry or buffers from outside.
 */
export const OPCODES: Opcodes = {
  // Markers and stack: MARK, POP, POP_MARK, DUP.
  40: m => m.mark(),
  48: m => m.drop(),
  49: m => void m.popMark(),
  50: m => m.push(m.top()),

  // Constants and numbers: NONE, NEWTRUE, NEWFALSE, BININT, BININT1, BININT2, LONG1, LONG4, BINFLOAT (big endian).
  78: m => m.push(null),
  136: m => m.push(true),
  137: m => m.push(false),
  74: m => m.push(m.reader.view(4).getInt32(0, true)),
  75: m => m.push(byte(m)),
  77: m => m.push(uint16(m)),
  138: m => pushLong(m, byte(m)),
  139: m => pushLong(m, uint32(m)),
  71: m => m.push(m.reader.view(8).getFloat64(0), 16),

  // Texts and bytes: SHORT_BINUNICODE, BINUNICODE, BINUNICODE8, SHORT_BINSTRING, BINSTRING, SHORT_BINBYTES, BINBYTES,
  // BINBYTES8, BYTEARRAY8.
  140: m => pushText(m, byte(m)),
  88: m => pushText(m, uint32(m)),
  141: m => pushText(m, uint64(m)),
  85: m => pushPython2String(m, byte(m)),
  84: m => pushPython2String(m, uint32(m)),
  67: m => pushBytes(m, byte(m)),
  66: m => pushBytes(m, uint32(m)),
  142: m => pushBytes(m, uint64(m)),
  150: m => pushBytes(m, uint64(m)),

  // Tuples: EMPTY_TUPLE, TUPLE1, TUPLE2, TUPLE3, TUPLE.
  41: m => m.pushTuple([]),
  133: m => m.pushTuple(popMany(m, 1)),
  134: m => m.pushTuple(popMany(m, 2)),
  135: m => m.pushTuple(popMany(m, 3)),
  116: m => m.pushTuple(m.popMark()),

  // Lists: EMPTY_LIST, LIST, APPEND, APPENDS.
  93: m => m.pushList([]),
  108: m => m.pushList(m.popMark()),
  97: m => m.appendItems(popMany(m, 1)),
  101: m => m.appendItems(m.popMark()),

  // Dicts: EMPTY_DICT, DICT, SETITEM, SETITEMS.
  125: m => m.pushDict([]),
  100: m => m.pushDict(m.popMark()),
  115: m => m.setItems(popMany(m, 2)),
  117: m => m.setItems(m.popMark()),

  // Sets: EMPTY_SET, ADDITEMS, FROZENSET.
  143: m => m.pushSet([]),
  144: m => m.addItems(m.popMark()),
  145: m => m.pushSet(m.popMark()),

  // Memo: BINPUT, LONG_BINPUT, MEMOIZE, BINGET, LONG_BINGET.
  113: m => m.remember(byte(m)),
  114: m => m.remember(uint32(m)),
  148: m => m.remember(),
  104: m => m.recall(byte(m)),
  106: m => m.recall(uint32(m)),

  // Classes and objects: GLOBAL, STACK_GLOBAL, REDUCE, NEWOBJ, NEWOBJ_EX, BUILD, BINPERSID.
  99: m => {
    const module = text(m, m.reader.line())
    m.pushGlobal(module, text(m, m.reader.line()))
  },
  147: stackGlobal,
  82: callNew,
  129: callNew,
  146: callNewWithKeywords,
  98: m => m.build(m.pop()),
  81: m => m.pushPersistent(m.pop()),

  // FRAME: its length is only a hint for buffering.
  149: m => void m.reader.take(8),
}
