import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { projectRoot } from '../../support/sources.ts'
import { callProgram } from './callProgram.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'loading-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The files that Node runs for a command line, as paths from the project's folder: Node's own coverage lists them. */
const loadedBy = async (...args: string[]): Promise<string[]> => {
  const coverage = mkdtempSync(join(folder, 'coverage-'))
  await promisify(execFile)(process.execPath, ['--import', 'tsx', ...args], {
    cwd: projectRoot,
    env: { ...process.env, NODE_V8_COVERAGE: coverage },
  })
  const root = `${pathToFileURL(projectRoot)}/`
  return readdirSync(coverage)
    .flatMap(name => (JSON.parse(readFileSync(join(coverage, name), 'utf8')) as { result: { url: string }[] }).result)
    .filter(({ url }) => url.startsWith(root))
    .map(({ url }) => url.slice(root.length))
}

/** Those whose help needs little: no list of theirs comes from what computes. */
const light = ['audit', 'bench', 'bundle', 'certify', 'fuzz', 'gpu', 'inspect', 'parity', 'quality', 'quirks']
const moduleOf = (name: string): string => `experiments/${name}/command.ts`
/** The tensor core, and packages that read files and check what is in them. */
const heavy = /^core\/(index|ops|backends\/cpu)\b|^node_modules\/(zod|fflate|hyparquet|fast-png)\//

describe.concurrent('what starting loads', () => {
  it.each(['inspect --help', '--threads 2 help inspect'])('should be one command and nothing that computes: %s', async line => {
    const loaded = await loadedBy('experiments/cli/main.ts', ...line.split(' '))
    expect(loaded.filter(path => path.endsWith('/command.ts'))).toEqual([moduleOf('inspect')])
    expect(loaded.filter(path => heavy.test(path))).toEqual([])
  })

  it('should be nothing that computes for any of the commands whose help needs little', async () => {
    const imports = light.map(name => `import './${moduleOf(name)}';`).join('')
    const loaded = await loadedBy('--input-type=module', '--eval', imports)
    expect(loaded).toEqual(expect.arrayContaining(light.map(moduleOf)))
    expect(loaded.filter(path => heavy.test(path))).toEqual([])
  })

  it('should be no check of options for a worker process of a run', async () => {
    const loaded = await loadedBy('experiments/dwBox/worker.ts')
    expect(loaded).toContain('experiments/dwBox/runUnit.ts')
    expect(loaded.filter(path => /\/options\.ts$|^node_modules\/(zod|commander|cli-progress)\//.test(path))).toEqual([])
  })
})

describe('the command that is called', () => {
  it.each([
    ['after an option of all commands', ['--threads', '2', 'inspect', '--help']],
    ['behind help and an option', ['help', '--threads', '2', 'inspect']],
  ])('should be found %s', async (_, words) => {
    const { code, stdout, stderr } = await callProgram(...words)
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toContain('Usage: npm run inspect -- [options] <file>')
  })

  it.each([
    ['parrity', 'parity'],
    ['--threads 2 inspekt run', 'inspect'],
  ])('should be guessed from all of them when there is none of that name: %s', async (line, guess) => {
    const { code, stderr } = await callProgram(...line.split(' '))
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(new RegExp(`^error: unknown command .* \\(did you mean ${guess}\\?\\); see --help\\n$`)),
    ])
  })

  it('should be none of the properties that every object has', async () => {
    expect(await callProgram('constructor')).toMatchObject({ code: 2, stderr: "error: unknown command 'constructor'; see --help\n" })
  })
})
