import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FileError } from '../../../../core/io/fileError.ts'
import { elementCount } from '../../../../core/io/hostTensor.ts'
import { readSafetensors, writeSafetensors } from '../../../../core/io/safetensors.ts'
import { readTorchCheckpoint, type TorchCheckpoint } from '../../../../core/io/torch/readTorchCheckpoint.ts'
import { runs } from '../../../support/replay.ts'
import { type Node, pickle } from './pickleWriter.ts'
import { dict, legacyCheckpoint, orderedDict, storageNode, storageOf, tensorNode, zipCheckpoint } from './torchWriter.ts'

const tensors = {
  a: { dtype: 'F32', shape: [2, 2], values: Float32Array.of(1, 2, 3, 4) },
  b: { dtype: 'BOOL', shape: [3], values: Uint8Array.of(1, 0, 1) },
} as const
const storages = Object.entries(tensors).map(([key, tensor]) => storageOf(key, tensor))
const [a, b] = storages.map((storage, i) => tensorNode(storageNode(storage), { shape: Object.values(tensors)[i]!.shape }))
const module: Node = {
  make: { global: ['nets', 'Net'] },
  state: dict({ _parameters: orderedDict({ a: a! }), _buffers: dict({ b: b! }), _modules: dict({}) }),
}
const roots = [dict({ epoch: 3, state_dict: orderedDict({ 'module.a': a!, 'module.b': b! }) }), dict({ net: module })].map(pickle)

const torch = (bytes: Uint8Array): TorchCheckpoint => readTorchCheckpoint(bytes, 'm', { unknownClasses: 'inert' })

/** What is damaged, and how a file is made of the damaged bytes: the pickle alone too, since checksums guard it in an archive. */
const TARGETS: Readonly<Record<string, readonly [seeds: readonly Uint8Array[], load: (bytes: Uint8Array) => TorchCheckpoint]>> = {
  safetensors: [[writeSafetensors(tensors, { note: 'x' })], bytes => readSafetensors(bytes, 'm')],
  'a zip file': [
    [...roots.map(root => zipCheckpoint(root, storages)), zipCheckpoint(roots[0]!, storages, { deflate: true, zip64: false })],
    torch,
  ],
  'a pickle in a zip file': [roots, bytes => torch(zipCheckpoint(bytes, storages))],
  'a legacy file': [roots.map(root => legacyCheckpoint(root, storages)), torch],
}

/** Changes that damage and attacks make: bits, bytes, special numbers, cut ends, missing, repeated and swapped parts. */
const change = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), at: fc.nat(), value: fc.integer({ min: 1, max: 255 }) }),
  fc.record({
    kind: fc.constant('set' as const),
    at: fc.nat(),
    value: fc.constantFrom(0, 1, 0x7f, 0x80, 0xff, 0x28, 0x2e, 0x52, 0x71, 0x68),
  }),
  fc.record({ kind: fc.constant('fill' as const), at: fc.nat(), value: fc.constantFrom(0, 0xff) }),
  fc.record({ kind: fc.constant('cut' as const), at: fc.nat(), value: fc.constant(0) }),
  fc.record({ kind: fc.constant('remove' as const), at: fc.nat(), value: fc.integer({ min: 1, max: 40 }) }),
  fc.record({ kind: fc.constant('repeat' as const), at: fc.nat(), value: fc.integer({ min: 1, max: 40 }) }),
)

const damaged = (bytes: Uint8Array, { kind, at, value }: { kind: string; at: number; value: number }): Uint8Array => {
  const place = bytes.length === 0 ? 0 : at % bytes.length
  const [before, rest] = [bytes.slice(0, place), bytes.slice(place)]
  if (kind === 'cut') return before
  if (kind === 'remove') return Uint8Array.from([...before, ...rest.slice(value)])
  if (kind === 'repeat') return Uint8Array.from([...before, ...rest.slice(0, value), ...rest])
  if (kind === 'fill') rest.fill(value, 0, 8)
  else if (rest.length > 0) rest[0] = kind === 'set' ? value : rest[0]! ^ value
  return Uint8Array.from([...before, ...rest])
}

/** Twice the file and 16 MiB is what a reader may take; a value is held in at most 8 bytes per element. */
const heldBytes = ({ tensors }: TorchCheckpoint): number => Object.values(tensors).reduce((sum, { values }) => sum + values.byteLength, 0)

describe('damaged checkpoints', () => {
  it.each(Object.keys(TARGETS))(
    'should load correctly or be refused in one line: %s',
    name => {
      const [seeds, load] = TARGETS[name]!
      const outcomes = { loaded: 0, refused: 0 }
      fc.assert(
        fc.property(fc.constantFrom(...seeds), fc.array(change, { minLength: 1, maxLength: 3 }), (seed, changes) => {
          const bytes = changes.reduce(damaged, seed)
          try {
            const checkpoint = load(bytes)
            outcomes.loaded++
            for (const { shape, values } of Object.values(checkpoint.tensors)) expect(values.length).toBe(elementCount(shape))
            expect(heldBytes(checkpoint)).toBeLessThanOrEqual(16 * 2 ** 20 + 2 * (bytes.length + 4096))
          } catch (error) {
            if (!(error instanceof FileError)) throw error
            outcomes.refused++
            expect(error.message).toMatch(/^m[^\n]*: [^\n]+; [^\n]+$/)
          }
        }),
        { numRuns: runs(300) },
      )
      expect(outcomes.refused).toBeGreaterThan(0)
    },
    600_000,
  )

  it.each(Object.keys(TARGETS))('should refuse every truncation: %s', name => {
    const [seeds, load] = TARGETS[name]!
    for (const seed of seeds) {
      expect(Object.keys(load(seed).tensors)).toEqual(['a', 'b'])
      for (let end = 0; end < seed.length; end += 7) expect(() => load(seed.slice(0, end))).toThrow(FileError)
    }
  })
})
