import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { longFiles, rules } from './support/architectureRules.ts'
import { projectRoot, readSources, type Source } from './support/sources.ts'

const sources = readSources('core', 'algorithms', 'experiments', 'spec')

const file = (path: string, text: string): Source => ({ path, text })

/** For each rule a file that breaks it and one beside it that does not. */
const planted: Record<keyof typeof rules, readonly (readonly [broken: Source, sound: Source])[]> = {
  dependenciesPointOneWay: [
    [file('core/a.ts', "import { b } from '../algorithms/b.ts'"), file('core/a.ts', "import { b } from './b.ts'")],
    [
      file('algorithms/x/a.ts', "export { b } from '../../experiments/b.ts'"),
      file('algorithms/x/a.ts', "import { b } from '../../core/b.ts'"),
    ],
    [
      file('experiments/a.ts', "import { b } from '../spec/b.ts'"),
      file('experiments/audit/a.ts', "import { b } from '../../spec/claims.ts'"),
    ],
    [file('core/a.ts', "const b = await import('../spec/b.ts')"), file('spec/a.ts', "import '../experiments/b.ts'")],
    [file('core/a.ts', "import {\n  b,\n  c,\n} from '../spec/b.ts'"), file('spec/a.ts', "import {\n  b,\n  c,\n} from '../core/b.ts'")],
  ],
  packagesStayHome: [
    [file('core/a.ts', "import fc from 'fast-check'"), file('spec/a.ts', "import fc from 'fast-check'")],
    [file('experiments/a.ts', "import * as m from 'mathjs'"), file('spec/a.ts', "import * as m from 'mathjs'")],
    [file('algorithms/a.ts', "import { readFileSync } from 'node:fs'"), file('core/a.ts', "import { readFileSync } from 'node:fs'")],
  ],
  algorithmsKnowNoBackend: [
    [
      file('algorithms/a.ts', "import { createCpu } from '../core/backends/cpu/cpu.ts'"),
      file('algorithms/a.ts', "import { ops } from '../core/index.ts'"),
    ],
    [file('algorithms/a.ts', "await useBackend('cpu')"), file('experiments/a.ts', "await useBackend('cpu')")],
  ],
  noGlobalRandomness: [[file('algorithms/a.ts', 'const u = Math.random()'), file('algorithms/a.ts', 'const u = uniform(key, 1)')]],
  importsHaveExtensions: [[file('core/a.ts', "import { b } from './b'"), file('core/a.ts', "import { b } from './b.ts'")]],
  filesAreShort: [[file('core/a.ts', '\n'.repeat(300).concat('x')), file('core/a.ts', '\n'.repeat(299).concat('x'))]],
}

describe('architecture', () => {
  it.each(Object.keys(rules) as (keyof typeof rules)[])('should hold %s everywhere', name => {
    expect(sources.flatMap(source => rules[name](source))).toEqual([])
  })

  it.each(Object.keys(rules) as (keyof typeof rules)[])('should notice a file that breaks %s', name => {
    for (const [broken, sound] of planted[name]) {
      expect(rules[name](broken)).toHaveLength(1)
      expect(rules[name](sound)).toEqual([])
    }
  })

  it('should list as long only files that are', () => {
    for (const path of Object.keys(longFiles)) {
      expect(readFileSync(join(projectRoot, path), 'utf8').split('\n').length).toBeGreaterThan(300)
    }
  })

  it('should have at the top only what the README describes', () => {
    const described = ['core', 'algorithms', 'experiments', 'spec', 'package.json', 'package-lock.json', 'tsconfig.json']
    described.push('vitest.config.ts', 'biome.json', 'README.md', 'LICENSE')
    const ignored = readFileSync(join(projectRoot, '.gitignore'), 'utf8').split('\n').filter(Boolean)
    const isIgnored = (name: string) =>
      ignored.some(entry => entry === name || entry === `${name}/` || (entry === '*.log' && name.endsWith('.log')))
    const surplus = readdirSync(projectRoot).filter(name => !name.startsWith('.') && !described.includes(name) && !isIgnored(name))
    expect(surplus).toEqual([])
    expect(existsSync(join(projectRoot, '.gitignore'))).toBe(true)
  })
})
