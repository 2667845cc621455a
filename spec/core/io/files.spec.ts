import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FileError, oneLine, quoteKey } from '../../../core/io/fileError.ts'
import { loadSafetensors, readFileBytes, saveSafetensors, toFileError, writeFileAtomic } from '../../../core/io/files.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'files-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const tensors = { w: { dtype: 'F32', shape: [2], values: Float32Array.of(1, 2) } } as const

describe('files', () => {
  it('should load what was saved', () => {
    const path = join(folder, 'w.safetensors')
    saveSafetensors(path, tensors, { note: 'x' })
    expect(loadSafetensors(path)).toEqual({ tensors, metadata: { note: 'x' } })
  })

  it('should replace a file and leave no temporary one', () => {
    const path = join(folder, 'a.txt')
    writeFileAtomic(path, 'old')
    writeFileAtomic(path, 'new')
    expect(readFileSync(path, 'utf8')).toBe('new')
    expect(readdirSync(folder)).toEqual(['a.txt'])
  })

  it('should keep the old file when the new content is refused', () => {
    const path = join(folder, 'w.safetensors')
    saveSafetensors(path, tensors)
    const before = readFileSync(path)
    expect(() => saveSafetensors(path, { w: { ...tensors.w, shape: [3] } })).toThrow(FileError)
    expect(readFileSync(path)).toEqual(before)
  })

  it('should leave no temporary file when the target cannot be replaced', () => {
    const target = join(folder, 'target')
    mkdirSync(target)
    expect(() => writeFileAtomic(target, 'text')).toThrow(FileError)
    expect(readdirSync(folder)).toEqual(['target'])
  })

  it.each([
    ['a missing file', () => readFileBytes(join(folder, 'none')), /none: reading failed: no such file or folder; check the path$/],
    ['a folder', () => readFileBytes(folder), /reading failed: it is a folder, not a file/],
    ['a missing folder', () => writeFileAtomic(join(folder, 'no', 'a'), 'text'), /writing failed: no such file or folder/],
  ])('should explain %s', (_, act, message) => {
    expect(act).toThrow(message)
    expect(act).toThrow(FileError)
  })

  it('should name the file when it is damaged', () => {
    const path = join(folder, 'bad.safetensors')
    writeFileSync(path, 'short')
    expect(() => loadSafetensors(path)).toThrow(`${path}: file has 5 bytes`)
  })

  it('should explain a full disk', () => {
    const cause = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
    expect(toFileError('writing', 'runs/a', cause).message).toBe(
      'runs/a: writing failed: the disk is full; free space or choose another place',
    )
  })
})

describe('FileError', () => {
  it('should stay on one line of bounded length whatever the file contains', () => {
    const { message } = new FileError('a\r\nb', `x\u2028\u0007${'y'.repeat(5000)}`, 'z')
    expect(message).toMatch(/^a b: x y+\.\.\.$/)
    expect(message.length).toBeLessThan(610)
    expect(oneLine(' a\tb \n')).toBe('a b')
  })

  it('should escape and shorten keys', () => {
    expect(quoteKey('a"\n')).toBe('"a\\"\\n"')
    expect(quoteKey('k'.repeat(200)).length).toBeLessThan(110)
  })
})
