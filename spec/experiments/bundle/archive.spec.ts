import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { presentCompression, writeArchive } from '../../../experiments/bundle/archive.ts'
import { type Entry, sorted } from '../../../experiments/bundle/entry.ts'
import { checkSize, formatSizes } from '../../../experiments/bundle/sizes.ts'
import { tarPieces } from '../../../experiments/bundle/tarWriter.ts'
import { tarFile } from '../../../experiments/data/tar.ts'
import { runs } from '../../support/replay.ts'
import { projectRoot } from '../../support/sources.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bundle-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const entry = (path: string, content: Uint8Array | string = '', more: Partial<Entry> = {}): Entry => ({
  path,
  content: Buffer.from(content),
  part: 'text',
  ...more,
})

const name = fc.stringMatching(/^[a-z]{1,12}$/)
const files = fc.dictionary(name, fc.uint8Array({ maxLength: 1100 }), { minKeys: 1, maxKeys: 5 })

describe('an archive', () => {
  it('should hold every file, in the order of names, whatever order they came in', () => {
    fc.assert(
      fc.property(files, contents => {
        const entries = Object.entries(contents).map(([path, content]) => entry(path, content))
        const archive = Buffer.concat([...tarPieces(sorted(entries))])
        expect(archive.equals(Buffer.concat([...tarPieces(sorted([...entries].reverse()))]))).toBe(true)
        for (const { path, content } of entries) expect(Buffer.from(tarFile(archive, path, 'archive')).equals(content)).toBe(true)
      }),
      { numRuns: runs(50) },
    )
  })

  it.each([...new Set([presentCompression(), 'gz' as const])])(
    'should be unpacked by tar, with modes and long paths (%s)',
    async compression => {
      const long = `${'folder/'.repeat(18)}${'n'.repeat(90)}.js`
      const entries = [entry('run', '#!/bin/sh\n', { executable: true }), entry(long, 'long')]
      const out = join(folder, `a.tar.${compression}`)
      expect(await writeArchive('top', entries, { out, compression })).toBe(statSync(out).size)
      execFileSync('tar', ['xf', out, '-C', folder])
      expect(readFileSync(join(folder, 'top', long), 'utf8')).toBe('long')
      expect(statSync(join(folder, 'top/run')).mode & 0o777).toBe(0o755)
      expect(statSync(join(folder, 'top', long)).mode & 0o111).toBe(0)
    },
  )

  it.each(['/etc/passwd', '../a', 'a/../b', 'a//b', './a', `${'n'.repeat(101)}`])(
    'should hold no path such as %s, and leave nothing',
    async path => {
      const out = join(folder, 'refused.tar.gz')
      expect(() => [...tarPieces([entry(path)])]).toThrow(/^tar: .*; (name files|use shorter)/)
      if (path.startsWith('/')) return
      await expect(writeArchive('top', [entry(`${path}/..`)], { out, compression: 'gz' })).rejects.toThrow(/^tar: /)
      expect(readdirSync(folder).filter(name => name.startsWith('refused'))).toEqual([])
    },
  )
})

describe('an archive that is interrupted', () => {
  it('should leave nothing, and share no file with another process meanwhile', async () => {
    const out = join(folder, 'interrupted.tar.gz')
    const code = `
      import { randomBytes } from 'node:crypto'
      import { writeArchive } from './experiments/bundle/archive.ts'
      const entries = Array.from({ length: 60 }, (_, i) => ({ path: 'f' + i, content: randomBytes(1e6), part: 'text' }))
      await writeArchive('top', entries, { out: ${JSON.stringify(out)}, compression: 'gz' })`
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', code], { cwd: projectRoot })
    const ended = new Promise(resolve => child.on('close', resolve))
    const files = (): string[] => readdirSync(folder).filter(name => name.startsWith('interrupted'))
    await vi.waitFor(() => expect(files()).toEqual([`interrupted.tar.gz.${child.pid}.part`]), { timeout: 25_000, interval: 5 })
    child.kill('SIGINT')
    expect([await ended, files()]).toEqual([130, []])
  })
})

describe('the size of an archive', () => {
  const entries = [entry('a', 'x'.repeat(3e6), { part: 'large' }), entry('b', 'x'.repeat(1e6), { part: 'small' })]

  it('should be refused beyond the limit, naming the largest parts first', () => {
    expect(() => checkSize(45e6, entries, { remedy: 'carry less' })).not.toThrow()
    expect(() => checkSize(45e6 + 1, entries, { remedy: 'carry less' })).toThrow(
      'bundle: the archive has 45.0 MB, more than 45.0; before compression: large 3.0, small 1.0; carry less',
    )
  })

  it('should be shown by parts, largest first', () => {
    expect(formatSizes(entries)).toMatch(/^ +3\.0 MB {2}large\n +1\.0 MB {2}small\n +4\.0 MB {2}before compression$/)
  })
})
