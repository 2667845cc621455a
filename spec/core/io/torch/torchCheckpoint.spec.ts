import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { memorySource } from '../../../../core/io/byteSource.ts'
import { FileError } from '../../../../core/io/fileError.ts'
import type { HostTensor } from '../../../../core/io/hostTensor.ts'
import { openTorchCheckpoint, readTorchCheckpoint, type TorchOptions } from '../../../../core/io/torch/readTorchCheckpoint.ts'
import { runs } from '../../../support/replay.ts'
import { projectRoot } from '../../../support/sources.ts'
import { hostTensors } from '../arbitraries.ts'
import { type Node, pickle } from './pickleWriter.ts'
import {
  dict,
  type Layout,
  legacyCheckpoint,
  orderedDict,
  type Storage,
  storageNode,
  storageOf,
  TORCH_DTYPES,
  tensorNode,
  zipCheckpoint,
} from './torchWriter.ts'

const FORMATS = { zip: zipCheckpoint, legacy: legacyCheckpoint } as const
const formats = Object.keys(FORMATS) as (keyof typeof FORMATS)[]

const read = (bytes: Uint8Array, options: TorchOptions = {}) => readTorchCheckpoint(bytes, 'm.pt', options)

const messageOf = (bytes: Uint8Array, options: TorchOptions = {}): string => {
  try {
    read(bytes, options)
  } catch (error) {
    expect(error).toBeInstanceOf(FileError)
    return (error as Error).message
  }
  return 'loaded'
}

const floats = (...values: number[]): HostTensor => ({ dtype: 'F32', shape: [values.length], values: Float32Array.from(values) })

const w: Storage = storageOf('0', floats(1, 2, 3, 4, 5, 6))
const wNode = tensorNode(storageNode(w), { shape: [2, 3] })
const wTensor: HostTensor = { dtype: 'F32', shape: [2, 3], values: Float32Array.of(1, 2, 3, 4, 5, 6) }

/** A tensor of the legacy format: its storage reference has a sixth part. */
const oldNode = (view: Node, layout: Layout): Node => tensorNode(storageNode(w, view), layout, { name: '_rebuild_tensor', more: [] })

describe.each(formats)('torch checkpoint, %s', format => {
  const write = FORMATS[format]

  it('should give back names, dtypes, shapes and values of any tensors', () => {
    fc.assert(
      fc.property(hostTensors, all => {
        const tensors = Object.entries(all).filter(([, { dtype }]) => TORCH_DTYPES.includes(dtype))
        const storages = tensors.map(([, tensor], i) => storageOf(`s${i}`, tensor))
        const nodes = tensors.map(([key, { shape }], i) => [key, tensorNode(storageNode(storages[i]!), { shape })] as const)
        const back = read(write(orderedDict(Object.fromEntries(nodes)), storages), { stripPrefixes: [] }).tensors
        expect(Object.keys(back)).toEqual(Object.keys(Object.fromEntries(tensors)))
        for (const [i, [key, tensor]] of tensors.entries()) {
          const found = Object.getOwnPropertyDescriptor(back, key)!.value as HostTensor
          expect([found.dtype, found.shape]).toEqual([tensor.dtype, tensor.shape])
          // 16-bit floats are compared as written, rounded (see halfFloat.spec.ts).
          expect(storageOf(`s${i}`, found).bytes).toEqual(storages[i]!.bytes)
        }
      }),
      { numRuns: runs(100) },
    )
  })

  it('should read any strided view of a storage in row-major order', () => {
    const axes = fc.array(fc.record({ extent: fc.nat(3), stride: fc.nat(5) }), { maxLength: 4 })
    fc.assert(
      fc.property(axes, fc.nat(4), (list, offset) => {
        const shape = list.map(({ extent }) => extent)
        const strides = list.map(({ stride }) => stride)
        let places = [offset]
        for (const { extent, stride } of list) places = places.flatMap(at => Array.from({ length: extent }, (_, i) => at + i * stride))
        const storage = storageOf('0', { dtype: 'I32', shape: [100], values: Int32Array.from({ length: 100 }, (_, i) => 7 * i) })
        const bytes = write(dict({ v: tensorNode(storageNode(storage), { offset, shape, strides }) }), [storage])
        expect(read(bytes).tensors).toEqual({ v: { dtype: 'I32', shape, values: Int32Array.from(places, at => 7 * at) } })
      }),
      { numRuns: runs(100) },
    )
  })

  it('should find nested state dicts, strip wrappers from all names, and tell what stands beside', () => {
    const state = orderedDict({ 'module._orig_mod.w': wNode })
    for (const key of ['state_dict', 'model_state_dict', 'model', 'net']) {
      const { tensors, metadata } = read(write(dict({ epoch: 3, best: 91.5, [key]: state, note: 'x', ok: true }), [w]))
      expect(tensors).toEqual({ w: wTensor })
      expect(metadata).toEqual({ epoch: '3', best: '91.5', note: 'x', ok: 'true' })
    }
  })

  it('should leave a prefix that not every name has, and all of them on request', () => {
    const bytes = write(dict({ 'module.a': wNode, b: wNode }), [w])
    expect(Object.keys(read(bytes).tensors)).toEqual(['module.a', 'b'])
    const wrapped = write(dict({ 'module.a': wNode }), [w])
    expect(Object.keys(read(wrapped, { stripPrefixes: [] }).tensors)).toEqual(['module.a'])
  })

  it('should take the state dict it is told to, and none when there are two', () => {
    const root = dict({ model: dict({ w: wNode }), net: dict({ v: wNode }), ema: dict({ inner: dict({ u: wNode }) }) })
    const bytes = write(root, [w])
    expect(messageOf(bytes)).toMatch(/it holds model and net, name one of them/)
    expect(Object.keys(read(bytes, { stateDictKey: 'ema.inner' }).tensors)).toEqual(['u'])
    expect(messageOf(bytes, { stateDictKey: 'ema.outer' })).toMatch(/there is no "outer" in a dict of 1: inner/)
  })

  it.each<[what: string, root: Node, storages: Storage[], message: RegExp]>([
    ['a number', 5, [], /no state dict found: it holds a number/],
    ['a bare tensor', wNode, [w], /it holds a tensor, no state dict/],
    ['no tensor', dict({ a: 1, b: dict({}) }), [], /no tensors in a dict of 2: a, b/],
    ['a dict among tensors', dict({ w: wNode, more: dict({}) }), [w], /"more" beside tensors is a dict/],
    ['tensors without names', new Map([[1, wNode]]), [w], /no tensors in a dict of 1: 1/],
  ])('should refuse %s instead of a state dict', (_, root, storages, message) => {
    expect(messageOf(write(root, storages))).toMatch(message)
  })

  it('should unwrap parameters', () => {
    const parameter: Node = { call: { global: ['torch._utils', '_rebuild_parameter'] }, args: [wNode, true, orderedDict({})] }
    expect(read(write(dict({ w: parameter }), [w])).tensors).toEqual({ w: wTensor })
  })

  it('should share the values of tied weights', () => {
    const { tensors } = read(write(dict({ a: wNode, b: wNode }), [w]))
    expect(tensors.a!.values).toBe(tensors.b!.values)
  })

  it.each<[what: string, node: Node, message: RegExp]>([
    ['beyond its storage', tensorNode(storageNode(w), { shape: [7] }), /tensor \[7\] .* ends beyond the 6 elements/],
    ['at an offset beyond it', tensorNode(storageNode(w), { offset: 1, shape: [6] }), /offset 1 ends beyond the 6 elements/],
    ['with a negative stride', tensorNode(storageNode(w), { shape: [2], strides: [-1] }), /whole numbers >= 0/],
    ['with a negative offset', tensorNode(storageNode(w), { offset: -1, shape: [1] }), /offset of a tensor must be/],
    ['with half an element', tensorNode(storageNode(w), { shape: [0.5] }), /whole numbers >= 0/],
    ['of too many axes', tensorNode(storageNode(w), { shape: Array(65).fill(1) }), /at most 64 whole numbers/],
    ['of more elements than can be counted', tensorNode(storageNode(w), { shape: [2 ** 30, 2 ** 30], strides: [0, 0] }), /beyond 2\^53/],
    ['with fewer strides than axes', tensorNode(storageNode(w), { shape: [1, 1], strides: [1] }), /differ in length/],
    ['repeated without end', tensorNode(storageNode(w), { shape: [2 ** 30], strides: [0] }), /would bring memory to 4\d{9} bytes/],
    ['without storage', tensorNode(null, { shape: [1] }), /needs a storage/],
    ['lazily negated', tensorNode(storageNode(w), { shape: [1] }, { more: [false, null, dict({ neg: true })] }), /lazily negated/],
  ])('should refuse a tensor %s', (_, node, message) => {
    expect(messageOf(write(dict({ w: wNode, v: node }), [w]))).toMatch(message)
  })

  it('should refuse one storage under two descriptions', () => {
    const other = storageOf('0', { dtype: 'I32', shape: [6], values: new Int32Array(6) })
    const root = dict({ a: wNode, b: tensorNode(storageNode(other), { shape: [1] }) })
    expect(messageOf(write(root, [w]))).toMatch(/storage "0" is once F32 \[6\], once I32 \[6\]/)
  })

  const module = (parts: { parameters?: Node; buffers?: Node; modules?: Node; transient?: Node }): Node => ({
    make: { global: ['nets', 'Net'] },
    state: dict({
      training: false,
      _parameters: parts.parameters ?? dict({}),
      _buffers: parts.buffers ?? dict({}),
      _non_persistent_buffers_set: { call: { global: ['builtins', 'set'] }, args: [parts.transient ?? []] },
      _modules: parts.modules ?? dict({}),
      forward: { global: ['os', 'system'] },
    }),
  })

  it.each<[what: string, parts: Parameters<typeof module>[0], message: RegExp]>([
    ['two tensors of one name', { parameters: dict({ a: wNode }), buffers: dict({ a: wNode }) }, /the module has two tensors "a"/],
    ['a tensor without a name', { parameters: new Map([[1, wNode]]) }, /a name below "" is a number/],
    ['a module without a name', { parameters: dict({ p: wNode }), modules: new Map([[1, module({})]]) }, /a name below "" is a number/],
  ])('should refuse a module with %s', (_, parts, message) => {
    expect(messageOf(write(dict({ net: module(parts) }), [w]), { unknownClasses: 'inert' })).toMatch(message)
  })

  it('should refuse whole modules, and read their parameters and lasting buffers as inert data', () => {
    const inner = module({
      parameters: dict({ weight: wNode, bias: null }),
      buffers: dict({ mean: wNode, cache: wNode }),
      transient: ['cache'],
    })
    const net = module({
      modules: dict({ module: module({ modules: orderedDict({ conv: inner, none: null }), parameters: dict({ p: wNode }) }) }),
    })
    const bytes = write(dict({ net, epoch: 1 }), [w])
    expect(messageOf(bytes)).toMatch(/asks for "nets.Net", .*; read it with unknownClasses "inert"/)
    const { tensors, metadata } = read(bytes, { unknownClasses: 'inert' })
    expect(tensors).toEqual({ p: wTensor, 'conv.weight': wTensor, 'conv.mean': wTensor })
    expect(metadata).toEqual({ epoch: '1' })
  })

  it('should know everything but the values from the pickle and the tables', () => {
    const large = storageOf('0', floats(...Array(100_000).fill(1)))
    const source = memorySource(write(dict({ w: tensorNode(storageNode(large), { shape: [100_000] }) }), [large]), 'm.pt')
    let fetched = 0
    const counted = {
      ...source,
      read: (begin: number, end: number) => {
        fetched += end - begin
        return source.read(begin, end)
      },
    }
    expect(openTorchCheckpoint(counted).tensors.w!.shape).toEqual([100_000])
    expect(fetched).toBeLessThan(source.size / 2)
  })
})

describe('torch zip checkpoint', () => {
  const root = dict({ w: wNode })

  it.each([{ folder: '' }, { zip64: false }, { deflate: true }, { byteorder: 'little' }])('should read a file with %j', options => {
    expect(read(zipCheckpoint(root, [w], options)).tensors).toEqual({ w: wTensor })
  })

  it('should swap the bytes of a big-endian file', () => {
    const big = { ...w, bytes: Uint8Array.from([...w.bytes].map((_, i, all) => all[i - (i % 4) + 3 - (i % 4)]!)) }
    const bytes = Buffer.from(zipCheckpoint(root, [big], { byteorder: 'big' }))
    const before = Buffer.from(bytes)
    expect(read(bytes).tensors).toEqual({ w: wTensor })
    expect(bytes).toEqual(before)
  })

  it.each<[what: string, bytes: Uint8Array, message: RegExp]>([
    ['of unknown byte order', zipCheckpoint(root, [w], { byteorder: 'odd' }), /byte order is "odd"/],
    ['without a storage', zipCheckpoint(root, []), /no file "archive\/data\/0"/],
    ['with a short storage', zipCheckpoint(root, [{ ...w, bytes: w.bytes.slice(4) }]), /storage "0" has 20 bytes, F32 \[6\] needs 24/],
    ['without pickle', zipCheckpoint(root, [w], { folder: 'a/b/' }), /has 3 files, 0 of them named data.pkl/],
    ['with a second pickle', zipCheckpoint(Uint8Array.from([...pickle(root), ...pickle(1)]), [w]), /bytes follow the end of the pickle/],
  ])('should refuse a file %s', (_, bytes, message) => {
    expect(messageOf(bytes)).toMatch(message)
  })
})

describe('torch legacy checkpoint', () => {
  it('should read views of a storage, and tensors rebuilt the old way', () => {
    const root = dict({ v: oldNode({ tuple: ['view', 2, 3] }, { offset: 1, shape: [2] }), w: oldNode(null, { shape: [2, 3] }) })
    expect(read(legacyCheckpoint(root, [w])).tensors).toEqual({ v: { ...floats(4, 5) }, w: wTensor })
    const beyond = dict({ v: oldNode({ tuple: ['view', 2, 3] }, { offset: 2, shape: [2] }) })
    expect(messageOf(legacyCheckpoint(beyond, [w]))).toMatch(/ends beyond the 3 elements/)
    const outside = dict({ v: oldNode({ tuple: ['view', 4, 3] }, { shape: [1] }) })
    expect(messageOf(legacyCheckpoint(outside, [w]))).toMatch(/view of 3 elements at 4 ends beyond the 6/)
  })

  it('should take the class of a module saved with its source text, and ignore the text', () => {
    const cls: Node = { persistent: { tuple: ['module', { global: ['nets', 'Net'] }, 'net.py', 'import os'] } }
    const state = dict({ _parameters: dict({ w: wNode }), _buffers: dict({}), _modules: dict({}) })
    const bytes = legacyCheckpoint(dict({ net: { make: cls, state } }), [w])
    expect(read(bytes, { unknownClasses: 'inert' }).tensors).toEqual({ w: wTensor })
  })

  const root = dict({ w: wNode })
  const whole = legacyCheckpoint(root, [w])

  it.each<[what: string, bytes: Uint8Array, message: RegExp]>([
    ['of another protocol', legacyCheckpoint(root, [w], { protocol: 1002 }), /protocol is 1002, only 1001/],
    ['of a big-endian machine', legacyCheckpoint(root, [w], { machine: dict({ little_endian: false }) }), /not little endian/],
    ['that is another pickle', pickle(dict({ a: 1 })), /not the magic number of torch.save/],
    ['that is a plain pickle', pickle(5), /not the magic number of torch.save/],
    ['without its last byte', whole.slice(0, -1), /storage "0" ends at byte/],
    ['with bytes too many', Uint8Array.from([...whole, 0]), /1 bytes follow the last storage/],
    ['that lists a storage twice', legacyCheckpoint(root, [w], { keys: ['0', '0'] }), /listed twice/],
    ['that lists an unknown storage', legacyCheckpoint(root, [w], { keys: ['9'] }), /storage "9" is listed twice or belongs to no/],
    ['that lists no storage', legacyCheckpoint(root, [], { keys: [] }), /storage "0" is not in the file/],
    ['without a list', legacyCheckpoint(root, [w], { keys: 5 }), /list of storages is no list/],
    ['with a short storage', legacyCheckpoint(root, [{ ...w, bytes: w.bytes.slice(4) }]), /has 5 elements, its tensors need 6/],
  ])('should refuse a file %s', (_, bytes, message) => {
    expect(messageOf(bytes)).toMatch(message)
  })

  const published = join(projectRoot, '..', 'shared', 'data', 'resnet20-12fca82f.th')

  it.runIf(existsSync(published))('should read a published ResNet-20', () => {
    const { tensors, metadata } = read(readFileSync(published))
    const trained = Object.entries(tensors).filter(([name]) => !/running_|num_batches/.test(name))
    const count = trained.reduce((sum, [, { values }]) => sum + values.length, 0)
    // 0.27 M parameters (He et al. 2016, table 6), exactly those of 19 convolutions, their norms, and the classifier.
    expect(count).toBe(269_722)
    expect(Object.keys(tensors).slice(0, 2)).toEqual(['conv1.weight', 'bn1.weight'])
    expect(tensors['conv1.weight']!.shape).toEqual([16, 3, 3, 3])
    expect(metadata).toEqual({ best_prec1: '91.78000183105469' })
  })
})
