import { describe, expect, it } from 'vitest'
import { FileError } from '../../../../core/io/fileError.ts'
import { readTorchCheckpoint } from '../../../../core/io/torch/readTorchCheckpoint.ts'
import { type Node, pickle } from './pickleWriter.ts'
import { legacyCheckpoint, type Storage, storageNode, storageOf, tensorNode, zipCheckpoint } from './torchWriter.ts'

const opcodes = (node: Node): number[] => [...pickle(node).slice(2, -1)]

/** A pickle of protocol 2. */
const program = (...parts: (number | readonly number[])[]): Uint8Array => Uint8Array.of(0x80, 2, ...parts.flat(), 0x2e)

/** Opcodes for a text paired with itself, and each pair with itself again (DUP, TUPLE2): 40 bytes for 2^20 texts. */
const doubled = [...opcodes('ab'), ...Array.from({ length: 20 }, () => [0x32, 0x86]).flat()]
const [NONE, EMPTY_DICT, SETITEM, MARK, TUPLE, BINPERSID, EMPTY_LIST, APPEND] = [0x4e, 0x7d, 0x73, 0x28, 0x74, 0x51, 0x5d, 0x61] as const
const [put, get] = [[0x71, 0] as const, [0x68, 0] as const]

const w: Storage = storageOf('0', { dtype: 'F32', shape: [1], values: Float32Array.of(1) })
const wItem = [...opcodes('w'), ...opcodes(tensorNode(storageNode(w), { shape: [1] })), SETITEM]
const sized = [...['storage', { global: ['torch', 'FloatStorage'] } as const, '0', 'cpu'].flatMap(opcodes), ...doubled]
const legacy = legacyCheckpoint(null, [], { keys: null })

describe('a tuple that is far longer as text than its file', () => {
  it.each<[what: string, bytes: Uint8Array, message: RegExp]>([
    ['a key', zipCheckpoint(program(EMPTY_DICT, doubled, NONE, SETITEM), []), /no tensors in a dict of 1: a tuple;/],
    [
      'a key beside tensors',
      zipCheckpoint(program(EMPTY_DICT, wItem, doubled, NONE, SETITEM), [w]),
      /no state dict found: "a tuple" beside tensors is None/,
    ],
    [
      'a key twice',
      zipCheckpoint(program(EMPTY_DICT, doubled, put, NONE, SETITEM, get, NONE, SETITEM), []),
      /a dict has the key "a tuple" twice/,
    ],
    ['the size of a storage', zipCheckpoint(program(MARK, sized, TUPLE, BINPERSID), []), /a number of elements is a tuple/],
    ['the protocol', Uint8Array.from([...legacy.slice(0, 15), ...program(doubled)]), /the protocol is a tuple/],
    [
      'the key of a storage',
      Uint8Array.from([...legacy.slice(0, -pickle(null).length), ...program(EMPTY_LIST, doubled, APPEND)]),
      /storage "a tuple" is listed twice or belongs to no tensor/,
    ],
  ])('should be refused without being written out, as %s', (_, bytes, message) => {
    const load = () => readTorchCheckpoint(bytes, 'm')
    expect(load).toThrow(FileError)
    expect(load).toThrow(message)
  })
})
