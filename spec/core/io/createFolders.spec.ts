import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createFolders } from '../../../core/io/createFolders.ts'

let root: string
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'folders-'))
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

describe('createFolders', () => {
  it('should make what is missing, and leave what is there', () => {
    for (let i = 0; i < 2; i++) createFolders(join(root, 'a/b/c'))
    createFolders(join(root, 'a/b/d'))
    for (const name of ['a/b/c', 'a/b/d']) expect(statSync(join(root, name)).isDirectory()).toBe(true)
  })

  it('should fail where a file is in the way, below it and in its place', () => {
    writeFileSync(join(root, 'file'), '')
    expect(() => createFolders(join(root, 'file'))).toThrow('EEXIST')
    expect(() => createFolders(join(root, 'file/a'))).toThrow('ENOTDIR')
  })

  it.runIf(process.platform === 'linux')('should fail, not hang, where the system makes no folders', () => {
    expect(() => createFolders('/proc/x/y')).toThrow('ENOENT')
  })
})
