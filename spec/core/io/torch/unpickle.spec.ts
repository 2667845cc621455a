import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { memorySource } from '../../../../core/io/byteSource.ts'
import { FileError } from '../../../../core/io/fileError.ts'
import { memoryBudget } from '../../../../core/io/memoryBudget.ts'
import { ByteReader } from '../../../../core/io/torch/byteReader.ts'
import { InertRecord, isTuple, type PickleValue } from '../../../../core/io/torch/pickleValue.ts'
import { torchGlobals } from '../../../../core/io/torch/torchGlobals.ts'
import { unpickle } from '../../../../core/io/torch/unpickle.ts'
import { runs } from '../../../support/replay.ts'
import { type Node, pickle } from './pickleWriter.ts'

const load = (bytes: Uint8Array, { inert = false } = {}): PickleValue => {
  const budget = memoryBudget('p', bytes.length)
  const persistentLoad = () => {
    throw new RangeError('persistent')
  }
  return unpickle(new ByteReader(memorySource(bytes, 'p')), { findGlobal: torchGlobals(budget, inert), persistentLoad, budget })
}

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'))

/** A pickle of protocol 2 with the given opcodes. */
const ops = (text: string): Uint8Array => hex(`8002 ${text} 2e`)

const messageOf = (bytes: Uint8Array): string => {
  try {
    load(bytes)
  } catch (error) {
    expect(error).toBeInstanceOf(FileError)
    return (error as Error).message
  }
  return 'loaded'
}

/** CPython's pickles, by protocol, of one value with every kind of data in it. */
const CPYTHON: Readonly<Record<number, string>> = {
  2: '80027d71002858010000006171015d7102284b014afeffffff4d2c014a701101004a90eefeff8a060000000000018a090000000000000000c04740040000000000004e8889635f636f646563730a656e636f64650a7103580300000078c3bf710458060000006c6174696e3171058671065271075802000000c3a97108655801000000737109635f5f6275696c74696e5f5f0a7365740a710a5d710b4b016185710c52710d580100000066710e635f5f6275696c74696e5f5f0a66726f7a656e7365740a710f5d71104b0261857111527112580100000074711328294b018571144b014b028671154b014b024b03877116284b014b024b034b0474711774711858010000006f711963636f6c6c656374696f6e730a4f726465726564446963740a711a2952711b58010000006b711c580100000076711d73580100000065711e635f5f6275696c74696e5f5f0a62797465730a711f29527120752e',
  3: '80037d71002858010000006171015d7102284b014afeffffff4d2c014a701101004a90eefeff8a060000000000018a090000000000000000c04740040000000000004e8889430278ff71035802000000c3a97104655801000000737105636275696c74696e730a7365740a71065d71074b0161857108527109580100000066710a636275696c74696e730a66726f7a656e7365740a710b5d710c4b026185710d52710e580100000074710f28294b018571104b014b028671114b014b024b03877112284b014b024b034b0474711374711458010000006f711563636f6c6c656374696f6e730a4f726465726564446963740a71162952711758010000006b7118580100000076711973580100000065711a4300711b752e',
  4: '800495b7000000000000007d94288c0161945d94284b014afeffffff4d2c014a701101004a90eefeff8a060000000000018a090000000000000000c04740040000000000004e8889430278ff948c02c3a994658c0173948f94284b01908c016694284b0291948c01749428294b0185944b014b0286944b014b024b038794284b014b024b034b04749474948c016f948c0b636f6c6c656374696f6e73948c0b4f726465726564446963749493942952948c016b948c017694738c016594430094752e',
}

describe('unpickle', () => {
  it.each(Object.keys(CPYTHON).map(Number))('should read what CPython writes in protocol %i', protocol => {
    const value = load(hex(CPYTHON[protocol]!)) as Map<string, PickleValue>
    expect([...value.keys()]).toEqual(['a', 's', 'f', 't', 'o', 'e'])
    expect(value.get('a')).toEqual([
      1,
      -2,
      300,
      70000,
      -70000,
      2 ** 40,
      -(2n ** 70n),
      2.5,
      null,
      true,
      false,
      Uint8Array.of(0x78, 0xff),
      'é',
    ])
    expect([value.get('s'), value.get('f')]).toEqual([new Set([1]), new Set([2])])
    expect(value.get('t')).toEqual([[], [1], [1, 2], [1, 2, 3], [1, 2, 3, 4]])
    expect([value.get('t'), value.get('a')].map(isTuple)).toEqual([true, false])
    expect([value.get('o'), value.get('e')]).toEqual([new Map([['k', 'v']]), new Uint8Array(0)])
  })

  it('should give one object for one object', () => {
    const value = load(hex('80027d71002858010000007871015d71024b016158010000007971036802752e')) as Map<string, PickleValue>
    expect(value.get('x')).toEqual([1])
    expect(value.get('y')).toBe(value.get('x'))
  })

  it('should read texts of Python 2, and bytes where they are no text', () => {
    expect([load(ops('55 02 c3a9')), load(ops('54 01000000 ff'))]).toEqual(['é', Uint8Array.of(0xff)])
  })

  it.each<[what: string, bytes: string, value: PickleValue]>([
    ['stack opcodes', '4b05 32 30', 5],
    ['a dropped mark', '4b05 28 30', 5],
    ['values dropped to the mark', '4b05 28 4b06 31', 5],
    ['a list from the stack', '28 4b01 4e 6c', [1, null]],
    ['a dict from the stack', '28 4b01 4b02 64', new Map([[1, 2]])],
    ['long memo numbers', '4b07 72 00000100 30 6a 00000100', 7],
    ['an 8-byte length', '8d 0100000000000000 61', 'a'],
    ['numbers that the memo gives itself', '4b05 94 30 4b06 94 30 6800', 5],
    ['a long of 4-byte length', '8b 02000000 ff00', 255],
    ['an empty long', '8a00', 0],
    ['bytes of 4- and 8-byte lengths', '42 01000000 09 8e 0100000000000000 08 86', [Uint8Array.of(9), Uint8Array.of(8)]],
    ['a bytearray', '96 0200000000000000 6162', Uint8Array.of(0x61, 0x62)],
  ])('should read %s', (_, bytes, value) => {
    expect(load(ops(bytes))).toEqual(value)
  })

  it('should give back any nested value, independently of the reader', () => {
    const { tree } = fc.letrec<{ tree: Node }>(self => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        fc.oneof(fc.constant(null), fc.boolean(), fc.integer(), fc.double(), fc.string({ unit: 'grapheme' })),
        fc.array(self('tree'), { maxLength: 4 }),
        fc.dictionary(fc.string({ unit: 'grapheme' }), self('tree'), { maxKeys: 4 }).map(entries => new Map(Object.entries(entries))),
      ),
    }))
    fc.assert(
      fc.property(tree, node => {
        expect(load(pickle(node))).toEqual(node)
      }),
      { numRuns: runs(100) },
    )
  })

  it.each<[what: string, bytes: Uint8Array, message: RegExp]>([
    ['nothing', new Uint8Array(0), /truncated: 1 bytes at byte 0/],
    ['no protocol', hex('4e2e'), /does not begin with a protocol number/],
    ['protocol 0', hex('80004e2e'), /protocol 0 is not one of 2, 3, 4, 5/],
    ['a textual opcode', ops('490a'), /pickle at byte 3: opcode 0x49 is not one of/],
    ['the extension registry', ops('8201'), /opcode 0x82 is not one of/],
    ['no end', hex('80024e'), /truncated/],
    ['a length beyond the file', ops('58 ffffffff 61'), /truncated: 4294967295 bytes at byte 7/],
    ['a huge length', ops('8e ffffffffffffffff'), /truncated/],
    ['an empty stack', ops(''), /a value is missing on the stack/],
    ['two results', ops('4e4e'), /stops with 1 values left over/],
    ['an open mark', ops('4e 28'), /a value is missing/],
    ['a mark among the results', ops('28 4e'), /stops with 0 values left over/],
    ['no mark', ops('4e 74'), /a mark is missing/],
    ['a value below the mark', ops('5d 28 61'), /a value is missing/],
    ['an unknown memo number', ops('6805'), /value 5 is not in the memo/],
    ['a list as a key', ops('28 5d 4e 64'), /a list is used as a key/],
    ['a list in a set', ops('8f 28 5d 90'), /a list is used as a key/],
    ['a key without value', ops('7d 28 4e 75'), /key without value/],
    ['a key twice', ops('7d 28 4b01 4e 4b01 4e 75'), /has the key "1" twice/],
    ['appending to a tuple', ops('29 4e 61'), /values are appended to a tuple/],
    ['keys in a list', ops('5d 4e 4e 73'), /keys are set in a list/],
    ['adding to a dict', ops('7d 28 4e 90'), /values are added to a dict/],
    ['a call of a number', ops('4b01 29 52'), /a number is called/],
    [
      'a dict made of numbers',
      pickle({ call: { global: ['collections', 'OrderedDict'] }, args: [[1]] }),
      /an OrderedDict is made of a number/,
    ],
    ['arguments in a list', ops('63 6275696c74696e730a7365740a 5d 52'), /called with a list instead of a tuple/],
    ['keyword arguments', ops('63 636f6c6c656374696f6e730a4f726465726564446963740a 29 7d 4b01 4b01 73 92'), /keyword arguments/],
    ['a state for a number', ops('4b01 4e 62'), /a number is given a state/],
    ['a class named by a number', ops('4b01 4b01 93'), /name of a class is no text/],
    ['a class name without end', ops(`63 ${'61'.repeat(1100)}`), /name at byte \d+ has no end/],
    ['an integer of 5000 bytes', ops(`8b 88130000 ${'01'.repeat(5000)}`), /an integer has 5000 bytes, the limit is 4096/],
    ['a text that is not UTF-8', ops('58 01000000 ff'), /text is not UTF-8/],
  ])('should refuse %s', (_, bytes, message) => {
    expect(messageOf(bytes)).toMatch(message)
  })

  it.each([
    ['os', 'system'],
    ['builtins', 'eval'],
    ['posix', 'system'],
    ['torch', 'load'],
    ['numpy.core.multiarray', 'scalar'],
    ['__builtin__', 'getattr'],
    ['collections', 'OrderedDict.fromkeys'],
  ])('should refuse %s.%s by its name', (module, name) => {
    const attack = pickle({ call: { global: [module, name] }, args: ['touch owned'] })
    expect(messageOf(attack)).toMatch(new RegExp(`asks for "${module}.${name}", which is no tensor`))
  })

  it('should keep an unknown call as data on request', () => {
    const record = load(pickle({ make: { global: ['os', 'Thing'] }, state: new Map([['x', 1]]) }), { inert: true })
    expect(record).toBeInstanceOf(InertRecord)
    expect(record).toMatchObject({ className: 'os.Thing', args: [], state: new Map([['x', 1]]) })
  })

  it('should keep items and entries that are put into an unknown object', () => {
    const made = '63 610a620a 29 81' // class a.b
    expect(load(ops(`${made} 28 4b01 4b02 65 4b03 61 4b04 4b05 73`), { inert: true })).toMatchObject({
      items: [1, 2, 3],
      entries: new Map([[4, 5]]),
    })
  })

  it.each([
    ['dicts', '7d'],
    ['lists', '5d'],
  ])('should stop before a flood of %s fills the memory', (_, opcode) => {
    const flood = Buffer.concat([hex('8002'), Buffer.alloc(2 ** 20, hex(opcode)), hex('2e')])
    expect(messageOf(flood)).toMatch(/would bring memory to/)
  })

  it('should stop before one list is copied too often', () => {
    const items = `5d 28 ${'4e'.repeat(10_000)} 65 7100 30`
    const copies = '63 6275696c74696e730a7365740a 6800 85 52 30'.repeat(300)
    expect(messageOf(ops(`${items} ${copies} 4e`))).toMatch(/would bring memory to/)
  })
})
