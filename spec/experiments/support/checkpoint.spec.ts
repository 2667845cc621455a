import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FileError } from '../../../core/io/fileError.ts'
import { saveSafetensors } from '../../../core/io/files.ts'
import { loadState, saveState } from '../../../experiments/support/checkpoint.ts'
import { runs } from '../../support/replay.ts'

let folder: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'checkpoint-'))
  path = join(folder, 'state.safetensors')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const state = {
  tensors: {
    'conv.weight': { dtype: 'F32', shape: [2, 2], values: Float32Array.of(1, -2, 3, Number.NaN) },
    'adam.step': { dtype: 'I64', shape: [], values: Float64Array.of(12) },
  },
  meta: { step: 12, options: { lr: 2e-3 }, losses: [0.5] },
} as const

describe('training state', () => {
  it('should come back with the same bits', () => {
    saveState(path, state)
    expect(loadState(path)).toEqual(state)
    expect(readdirSync(folder)).toEqual(['state.safetensors'])
  })

  it('should replace the state before', () => {
    saveState(path, { ...state, meta: { step: 1 } })
    saveState(path, state)
    expect(loadState(path).meta).toEqual(state.meta)
  })

  it('should notice every changed byte, and any cut', () => {
    saveState(path, state)
    const whole = readFileSync(path)
    const load = (bytes: Uint8Array) => () => {
      writeFileSync(path, bytes)
      return loadState(path)
    }
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const damaged = Uint8Array.from(whole)
        damaged[at] ^= mask
        // A blank of the header's padding may become another one: that is no damage.
        const isPadding = whole[at] === 0x20 && [0x09, 0x0a, 0x0d].includes(damaged[at])
        if (isPadding) expect(load(damaged)()).toEqual(state)
        else expect(load(damaged)).toThrow(FileError)
        expect(load(whole.subarray(0, at))).toThrow(FileError)
      }),
      { numRuns: runs(300) },
    )
  })

  it('should refuse a file of weights', () => {
    saveSafetensors(path, state.tensors, { format: 'pt' })
    expect(() => loadState(path)).toThrow(/this is no "dbp-reference training state 1"; give the path of a saved training state/)
  })

  it('should refuse metadata JSON would change, before it writes', () => {
    expect(() => saveState(path, { ...state, meta: { loss: Number.NaN } })).toThrow('meta.loss is NaN')
    expect(readdirSync(folder)).toEqual([])
  })

  it('should refuse a tensor that does not fit its shape, before it writes', () => {
    const tensors = { w: { dtype: 'F32', shape: [3], values: Float32Array.of(1) } } as const
    expect(() => saveState(path, { tensors, meta: null })).toThrow(/tensor "w": shape \[3\] has 3 elements/)
    expect(readdirSync(folder)).toEqual([])
  })
})
