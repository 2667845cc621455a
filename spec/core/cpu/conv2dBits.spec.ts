import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { setWinograd } from '../../../core/backends/cpu/conv2d.ts'
import { setSmallestShare } from '../../../core/backends/cpu/threads/onThreads.ts'
import { setThreads, startThreads } from '../../../core/backends/cpu/threads/pool.ts'
import { setExactArithmetic } from '../../../core/backends/cpu/wasm/link.ts'
import { bitsOf, type ConvCase } from './conv2dDefinition.ts'

const base: ConvCase = {
  batch: 3,
  inChannels: 6,
  outChannels: 9,
  size: [9, 11],
  kernel: [3, 3],
  stride: [1, 1],
  padding: [1, 1, 1, 1],
  groups: 1,
}

const plain: Partial<ConvCase> = { kernel: [1, 1], padding: [0, 0, 0, 0] }

/** Every path of the kernels: several blocks of taps, of pixels, of tiles and of channels, and one of each. */
const cases: readonly (readonly [string, Partial<ConvCase>])[] = [
  ['3x3', {}],
  ['3x3 of one image', { batch: 1, inChannels: 40, outChannels: 33, size: [8, 8] }],
  ['3x3 of one image with many filters', { batch: 1, inChannels: 24, outChannels: 200, size: [8, 4] }],
  ['3x3 of small images', { batch: 37, size: [4, 4], inChannels: 20 }],
  ['3x3 with many tiles', { batch: 5, size: [24, 21], inChannels: 4, outChannels: 66 }],
  ['3x3 without padding', { padding: [0, 0, 0, 0] }],
  ['3x3 with stride two', { stride: [2, 2], inChannels: 40, padding: [0, 1, 0, 1] }],
  ['1x1', { ...plain, size: [12, 12], inChannels: 12 }],
  ['1x1 of small images', { ...plain, size: [7, 9], inChannels: 12, batch: 9 }],
  ['1x1 with stride two', { ...plain, stride: [2, 2] }],
  ['1x1 of one image with many filters', { ...plain, batch: 1, size: [20, 17], inChannels: 20, outChannels: 40 }],
  ['groups', { groups: 3, stride: [2, 1] }],
]

/**
 * In exact arithmetic the kernels use no operation but loads, stores, and the binary32 additions and multiplications of
 * WebAssembly, each rounded to nearest, ties to even, in an order that the sizes determine. IEEE 754 leaves such a result no
 * freedom but the payload of a not-a-number, so x86-64 and arm64 give the same bits. Of each case's SHA-256, computed on x86-64.
 */
const exactBits = [
  '8deb5d13a4705ef7',
  '17b57b91f67f95b1',
  '01d6562013ee9141',
  '700fe0c995d3ccb2',
  '220baa646c34ce4f',
  '091844e58a8795f9',
  'ff41f4365e550aff',
  'ea0fe8cfbcc9cc12',
  '0fa194d3ef2a985e',
  '9e5e0fe9915c0927',
  '055159cbd363ddbd',
  'eb5d61f7343c8e32',
]

describe('bits of cpu conv2d', () => {
  afterEach(() => {
    setExactArithmetic(false)
    setWinograd('auto')
  })

  it('should be those of the IEEE 754 operations in their order, in exact arithmetic', () => {
    setExactArithmetic(true)
    expect(cases.map(([, change]) => bitsOf({ ...base, ...change }).slice(0, 16))).toEqual(exactBits)
  })

  describe.each([2, 3])('on %i threads', threads => {
    beforeAll(async () => {
      setThreads(threads)
      expect(await startThreads()).toBe(threads)
    })
    afterAll(() => {
      setThreads(1)
      setSmallestShare()
    })

    it.each(cases)('should be those of one thread: %s', (_, change) => {
      for (const mode of ['F4', 'F2', 'off'] as const) {
        setWinograd(mode)
        const c = { ...base, ...change }
        setSmallestShare(Infinity)
        const alone = bitsOf(c)
        setSmallestShare(0)
        for (let i = 0; i < 2; i++) expect(bitsOf(c)).toBe(alone)
      }
    })
  })
})
