import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { collectProvenance, nameOfCode } from '../../../experiments/support/provenance.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'provenance-'))
  writeFileSync(join(root, 'package.json'), '{"version":"1.2.3","dependencies":{"there":"^2.0.0","missing":"1.0.0"}}')
  mkdirSync(join(root, 'node_modules', 'there'), { recursive: true })
  writeFileSync(join(root, 'node_modules', 'there', 'package.json'), '{"version":"2.5.0"}')
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const collect = (folder = root) => collectProvenance({ seed: 7, backend: 'cpu', root: folder })
const git = (...args: string[]): string =>
  execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.org', ...args], { cwd: root, encoding: 'utf8' }).trim()

describe('collectProvenance', () => {
  it('should tell seed, backend, machine, time and installed versions', () => {
    const { time, cpu, ...rest } = collect()
    expect(rest).toEqual({
      seed: 7,
      backend: 'cpu',
      git: null,
      version: '1.2.3',
      node: process.version,
      platform: `${process.platform} ${process.arch}`,
      dependencies: { there: '2.5.0', missing: null },
    })
    expect(cpu.count).toBeGreaterThan(0)
    expect(cpu.model).not.toBe('')
    expect(Math.abs(Date.parse(time) - Date.now())).toBeLessThan(60_000)
    expect(time).toMatch(/Z$/)
  })

  it('should tell the commit, and whether the tree has changes beside it', () => {
    git('init', '-q')
    git('add', 'package.json')
    writeFileSync(join(root, '.git', 'info', 'exclude'), 'node_modules\n')
    git('commit', '-q', '-m', 'first')
    const commit = git('rev-parse', 'HEAD')
    expect(collect().git).toEqual({ commit, dirty: false })
    writeFileSync(join(root, 'new.ts'), '')
    expect(collect().git).toEqual({ commit, dirty: true })
  })

  it('should not take the commit of a checkout that only contains the project', () => {
    git('init', '-q')
    git('add', 'package.json')
    git('commit', '-q', '-m', 'first')
    mkdirSync(join(root, 'unpacked'))
    writeFileSync(join(root, 'unpacked', 'package.json'), '{"version":"1.0.0"}')
    expect(collect(join(root, 'unpacked')).git).toBeNull()
  })

  it('should describe this project by default', () => {
    const { version, dependencies } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'))
    const provenance = collectProvenance({ seed: 0, backend: 'reference' })
    expect(provenance.version).toBe(version)
    expect(Object.keys(provenance.dependencies)).toEqual(Object.keys(dependencies))
  })
})

describe('the name of the code', () => {
  it('should tell commits and changes apart, and be the version where neither is known', () => {
    const commit = `${'0123456789ab'}${'c'.repeat(28)}`
    const name = (git: { commit: string; dirty: boolean } | null): string => nameOfCode({ git, version: '1.2.3' })
    expect([name({ commit, dirty: false }), name({ commit, dirty: true }), name(null)]).toEqual([
      '0123456789ab',
      '0123456789ab with changes',
      'version 1.2.3',
    ])
  })
})
