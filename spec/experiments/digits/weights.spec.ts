import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { useBackend } from '../../../core/index.ts'
import { FileError } from '../../../core/io/fileError.ts'
import { loadSafetensors, saveSafetensors } from '../../../core/io/files.ts'
import { key } from '../../../core/random/key.ts'
import { digitsClassifier, digitsUnet } from '../../../experiments/digits/networks.ts'
import { shippedWeights } from '../../../experiments/digits/shippedWeights.ts'
import { classifierShapes, findWeights, loadParameters, readWeights, saveParameters } from '../../../experiments/digits/weights.ts'
import { runs } from '../../support/replay.ts'

let folder: string
let path: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'weights-'))
  path = join(folder, 'classifier.safetensors')
  await useBackend('cpu')
  await saveParameters(path, digitsClassifier.init(key(1)), { seed: '1' })
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const altered = (name: string, content: Uint8Array): string => {
  const file = join(folder, name)
  writeFileSync(file, content)
  return file
}

describe('weights', () => {
  it('should come back with the same bits and metadata', async () => {
    const saved = digitsClassifier.init(key(1))
    const loaded = loadParameters(path, classifierShapes)
    expect(Object.keys(loaded).sort()).toEqual(Object.keys(saved).sort())
    for (const [name, t] of Object.entries(saved)) expect(await loaded[name]!.data()).toEqual(await t.data())
    expect(readWeights(path, classifierShapes).metadata.seed).toBe('1')
  })

  it('should be refused, naming the file, when a bit of a value is flipped or the end is missing', () => {
    const whole = readFileSync(path)
    const start = 8 + Number(whole.readBigUInt64LE(0))
    fc.assert(
      fc.property(fc.integer({ min: start, max: whole.length - 1 }), fc.nat(7), (at, bit) => {
        const flipped = Uint8Array.from(whole)
        flipped[at]! ^= 1 << bit
        const file = altered('damaged.safetensors', flipped)
        expect(() => readWeights(file, classifierShapes)).toThrow(FileError)
        expect(() => readWeights(file, classifierShapes)).toThrow(file)
        expect(() => readWeights(altered('damaged.safetensors', whole.subarray(0, at)), classifierShapes)).toThrow(FileError)
      }),
      { numRuns: runs(20) },
    )
  })

  it('should be refused with a value that is no number, or those of another network', () => {
    const { tensors } = loadSafetensors(path)
    const [first] = Object.keys(tensors) as [string]
    const values = Float32Array.from(tensors[first]!.values)
    values[2] = Number.NaN
    const file = join(folder, 'nan.safetensors')
    saveSafetensors(file, { ...tensors, [first]: { ...tensors[first]!, dtype: 'F32', values } })
    expect(() => readWeights(file, classifierShapes)).toThrow(`tensor "${first}" is NaN at index 2; restore the file or train it again`)
    expect(() => readWeights(path, digitsUnet.parameterShapes())).toThrow(/classifier\.safetensors: parameters do not fit the network/)
  })

  it('should be accepted from programs that write no checksum, and be told apart by their content alone', () => {
    const file = join(folder, 'foreign.safetensors')
    const { tensors } = loadSafetensors(path)
    saveSafetensors(file, Object.fromEntries(Object.entries(tensors).reverse()), { format: 'pt' })
    expect(readWeights(file, classifierShapes).sha256).toBe(readWeights(path, classifierShapes).sha256)
  })

  it('should be found in the first folder that has them, or be asked for', () => {
    const empty = join(folder, 'empty')
    expect(findWeights([empty, folder], 'classifier')).toBe(path)
    expect(() => findWeights([empty, folder], 'vanilla')).toThrow(
      `weights "vanilla" are in none of ${empty}, ${folder}; make them with npm run train`,
    )
  })

  it('should come with the project undamaged', () => {
    for (const name of readdirSync(shippedWeights).filter(file => file.endsWith('.safetensors'))) {
      const shapes = name === 'classifier.safetensors' ? classifierShapes : digitsUnet.parameterShapes()
      expect(readWeights(join(shippedWeights, name), shapes).metadata).toHaveProperty('sha256')
    }
  })
})
