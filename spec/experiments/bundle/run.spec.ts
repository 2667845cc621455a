import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compile } from '../../../experiments/bundle/compile.ts'
import { launcherEntries } from '../../../experiments/bundle/launcher.ts'
import { stripElf } from '../../../experiments/bundle/stripElf.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bundle run-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe.skipIf(process.platform === 'win32')('a bundle', () => {
  it('should run compiled sources by their TypeScript names, from any folder and through a link', async () => {
    const put = (path: string, content: Uint8Array | string): void => {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), content)
    }
    for (const { path, content, executable } of launcherEntries()) {
      put(path, content)
      if (executable) chmodSync(join(folder, path), 0o755)
    }
    symlinkSync(process.execPath, join(folder, 'node'))
    const sources = {
      'experiments/cli/main.ts': `import { type Word, say } from './say.ts'
const words: Word[] = process.argv.slice(2)
console.log(import.meta.resolve('tsx').endsWith('/node_modules/tsx/index.mjs'), say(words), process.env.DBP_COMMAND)`,
      'experiments/cli/say.ts': "export type Word = string\nexport const say = (words: readonly Word[]): string => words.join('+')",
    }
    for (const [path, source] of Object.entries(sources)) {
      put(path, "throw new Error('the source was run')")
      put(path.replace(/ts$/, 'js'), await compile(source, path))
    }
    const link = join(folder, 'bin/link')
    mkdirSync(dirname(link))
    symlinkSync('../dbp', link)
    const env = { PATH: '/usr/bin:/bin', HOME: folder }
    expect(execFileSync(link, ['a b', 'c'], { cwd: tmpdir(), env, encoding: 'utf8' })).toBe(`true a b+c ${link}\n`)
  })
})

describe.skipIf(process.platform !== 'linux' || process.arch !== 'x64')('a program without symbols', () => {
  it('should still run, be shorter, and name no sections', () => {
    const file = readFileSync('/bin/true')
    const stripped = stripElf(file)
    expect(stripped.length).toBeLessThan(file.length)
    expect(new DataView(stripped.buffer).getBigUint64(40, true)).toBe(0n)
    const copy = join(folder, 'true')
    writeFileSync(copy, stripped)
    chmodSync(copy, 0o755)
    expect(execFileSync(copy, ['--version'], { encoding: 'utf8' })).toMatch(/\S/)
    expect(file.equals(readFileSync('/bin/true'))).toBe(true)
  })

  it('should be left alone when it is no such program', () => {
    const text = Buffer.from('x'.repeat(100))
    expect(stripElf(text)).toBe(text)
  })
})
