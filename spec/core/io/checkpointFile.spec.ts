import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { inspectCheckpoint, loadCheckpoint } from '../../../core/io/checkpointFile.ts'
import { writeSafetensors } from '../../../core/io/safetensors.ts'
import { dict, legacyCheckpoint, storageNode, storageOf, tensorNode, zipCheckpoint } from './torch/torchWriter.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'checkpoint-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const tensor = { dtype: 'F16', shape: [2], values: Float32Array.of(1, -0.5) } as const
const storage = storageOf('0', tensor)
const root = dict({ epoch: '4', model: dict({ w: tensorNode(storageNode(storage), { shape: [2] }) }) })

const FILES = {
  safetensors: writeSafetensors({ w: tensor }, { epoch: '4' }),
  'torch zip': zipCheckpoint(root, [storage]),
  'torch legacy': legacyCheckpoint(root, [storage]),
} as const

const saved = (content: Uint8Array | string): string => {
  const path = join(folder, 'weights.bin')
  writeFileSync(path, content)
  return path
}

describe('checkpoint file', () => {
  it.each(Object.entries(FILES))('should know %s by its content, and load and inspect it', (format, bytes) => {
    const path = saved(bytes)
    expect(loadCheckpoint(path)).toEqual({ format, tensors: { w: tensor }, metadata: { epoch: '4' } })
    expect(inspectCheckpoint(path)).toEqual({ format, tensors: { w: { dtype: 'F16', shape: [2] } }, metadata: { epoch: '4' } })
  })

  it.each<[what: string, content: Uint8Array | string, message: RegExp]>([
    ['an empty file', '', /it has 0 bytes and begins with ""; check that it has been downloaded completely$/],
    ['a page of a web server', '<!DOCTYPE html>', /neither safetensors nor written by torch.save, .* begins with "<!DOCTYPE"/],
    ['odd bytes', Uint8Array.of(1, 10, 13, 0, 200), /begins with "....."/],
    ['a header longer than the file', FILES.safetensors.slice(0, 20), /truncated: its header ends at byte/],
    ['data shorter than the header says', FILES.safetensors.slice(0, -1), /truncated: header says/],
  ])('should refuse %s, loading or inspecting', (_, content, message) => {
    const path = saved(content)
    for (const action of [loadCheckpoint, inspectCheckpoint]) {
      expect(() => action(path)).toThrow(message)
      expect(() => action(path)).toThrow(`${path}: `)
    }
  })

  it('should refuse a folder and a path that is not there', () => {
    expect(() => loadCheckpoint(folder)).toThrow(/reading failed: it is a folder, not a file/)
    expect(() => loadCheckpoint(join(folder, 'none'))).toThrow(/reading failed: no such file or folder/)
  })
})
