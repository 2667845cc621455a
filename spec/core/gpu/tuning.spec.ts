import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { readTuning, tuningPath, writeTuning } from '../../../core/backends/gpu/webgpu/tuningFile.ts'
import {
  candidateTiles,
  columnsOf,
  deepest,
  fits,
  paddedResults,
  rowsOf,
  tileName,
  usualTile,
  usualTiles,
} from '../../../core/backends/gpu/wgsl/tile.ts'
import { isTuning, kindOf, type Tuning, tunedTile } from '../../../core/backends/gpu/wgsl/tuning.ts'

const [large, medium, small] = usualTiles.map(tileName) as [string, string, string]
const tuning: Tuning = {
  gemm: [
    { results: 100, costs: { [medium]: 2, [small]: 1 } },
    { results: 10_000, costs: { [large]: 1, [small]: 3 } },
  ],
}

describe('tiles', () => {
  it('should have names of their own, depths that divide the parts of sums, and sides of whole vectors', () => {
    expect(new Set(candidateTiles.map(tileName)).size).toBe(candidateTiles.length)
    for (const { depth, registers } of candidateTiles) expect([deepest % depth, registers[0] % 4, registers[1] % 4]).toEqual([0, 0, 0])
  })

  it('should be usual ones without measurement, which every device has room for', () => {
    const promised = { maxComputeWorkgroupStorageSize: 16_384, maxComputeInvocationsPerWorkgroup: 256 }
    for (const tile of usualTiles) expect(fits(tile, promised), tileName(tile)).toBe(true)
    expect(candidateTiles.some(tile => !fits(tile, promised))).toBe(true)
    expect(usualTile({ batches: 1, m: 4096, n: 4096 })).toBe(usualTiles[0])
    expect(usualTile({ batches: 1, m: 8, n: 4096 })).toBe(usualTiles.at(-1))
  })

  it('should cover a product with whole tiles, and no more than one beyond each edge', () => {
    const side = fc.integer({ min: 1, max: 1000 })
    fc.assert(
      fc.property(side, side, fc.constantFrom(...candidateTiles), (m, n, tile) => {
        const padded = paddedResults({ batches: 3, m, n }, tile) / 3
        expect(padded % (rowsOf(tile) * columnsOf(tile))).toBe(0)
        expect(padded).toBeGreaterThanOrEqual(m * n)
        expect(padded).toBeLessThan((m + rowsOf(tile)) * (n + columnsOf(tile)))
      }),
    )
  })
})

describe('what was measured', () => {
  it.each<[string, Parameters<typeof tunedTile>[2], string | undefined]>([
    ['the least cost at the largest size that is reached', { batches: 2, m: 128, n: 128 }, large],
    ['the least cost with what is beyond the edges', { batches: 1, m: 160, n: 32 }, small],
    ['a size that is only reached by half', { batches: 1, m: 60, n: 100 }, large],
    ['the smaller size below', { batches: 1, m: 64, n: 64 }, small],
    ['nothing below the smallest size', { batches: 1, m: 7, n: 7 }, undefined],
  ])('should choose by %s', (_, extent, name) => {
    const tile = tunedTile(tuning, 'gemm', extent)
    expect(tile && tileName(tile)).toBe(name)
    expect(tunedTile(tuning, 'conv2d', extent)).toBeUndefined()
  })

  it('should tell flat and upright products from others, and convolutions by what they are', () => {
    expect(kindOf({ batches: 1, m: 8, n: 900 })).toBe('skinny')
    expect(kindOf({ batches: 1, m: 900, n: 33 })).toBe('gemm')
    expect(kindOf({ batches: 1, m: 8, n: 900 }, 'conv2dWeightGrad')).toBe('conv2dWeightGrad')
  })
})

describe('the file of what was measured', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tuning-'))
  const adapter = { vendor: 'a', architecture: 'b', device: 'c', description: 'driver 1' }
  const path = tuningPath(adapter, folder)
  beforeAll(() => {
    vi.stubEnv('DBP_CACHE', folder)
    mkdirSync(dirname(path), { recursive: true })
  })
  afterAll(() => {
    vi.unstubAllEnvs()
    rmSync(folder, { recursive: true })
  })

  it('should be read as it was written, by the same adapter and driver only', () => {
    const tell = vi.fn()
    expect(writeTuning(adapter, tuning)).toBe(path)
    expect(readdirSync(dirname(path)), 'nothing but the file').toHaveLength(1)
    expect(readTuning(adapter, tell)).toEqual(tuning)
    for (const field of Object.keys(adapter)) expect(readTuning({ ...adapter, [field]: 'other' }, tell)).toBeUndefined()
    expect(tell).not.toHaveBeenCalled()
  })

  type Written = { key: Record<string, string>; tuning: unknown }
  const [other, noTuning] = ['it is of another adapter or of other kernels', 'it does not hold times of tiles']
  it.each<[string, string, (written: Written) => unknown]>([
    ['of another driver', other, ({ key }) => ({ key: { ...key, description: 'driver 2' }, tuning })],
    [
      'of other kernels',
      other,
      ({ key }) => ({ key: { ...key, kernels: key.kernels!.replace(/^./, first => (first === '0' ? '1' : '0')) }, tuning }),
    ],
    ['of unknown tiles', noTuning, ({ key }) => ({ key, tuning: { gemm: [{ results: 1, costs: { big: 1 } }] } })],
    ['without times', noTuning, ({ key }) => ({ key, tuning: { gemm: [{ results: 1, costs: { [large]: null } }] } })],
    ['without tiles', noTuning, ({ key }) => ({ key, tuning: { gemm: [{ results: 1, costs: {} }] } })],
    ['null', '', () => null],
    ['empty', '', () => ''],
    ['cut off', '', written => JSON.stringify(written).slice(0, -20)],
  ])('should be ignored with one line when it is damaged or of something else: %s', (_, why, damage) => {
    const told: string[] = []
    writeTuning(adapter, tuning)
    const damaged = damage(JSON.parse(readFileSync(path, 'utf8')))
    writeFileSync(path, typeof damaged === 'string' ? damaged : JSON.stringify(damaged))
    expect(readTuning(adapter, line => told.push(line))).toBeUndefined()
    expect(told).toHaveLength(1)
    expect(told[0]).toMatch(/^gpu: .*\.json is ignored: [^\n]+; npm run gpu:doctor -- --tiles measures anew$/)
    expect(told[0]).toContain(why)
  })

  it('should only be taken for a tuning in its form', () => {
    fc.assert(fc.property(fc.jsonValue(), value => isTuning(value) === false || Object.keys(value as object).length === 0))
    expect(isTuning(tuning)).toBe(true)
  })
})
