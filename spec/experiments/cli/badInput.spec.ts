import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { missingMode } from '../../../core/backends/gpu/modes.ts'
import { inspectCheckpoint } from '../../../core/io/checkpointFile.ts'
import { readFileBytes, saveSafetensors } from '../../../core/io/files.ts'
import { listOf, pathName, wholeNumber } from '../../../experiments/cli/arguments.ts'
import { createProgram } from '../../../experiments/cli/program.ts'
import { shippedWeights } from '../../../experiments/digits/shippedWeights.ts'
import { weightsOption } from '../../../experiments/digits/weightsOption.ts'
import { parseAuditOptions } from '../../../experiments/dwBox/options.ts'
import { armSettings } from '../../../experiments/quirks/arms.ts'
import { decidingOptions } from '../../../experiments/quirks/runQuirks.ts'
import { collectProvenance } from '../../../experiments/support/provenance.ts'
import { acquireRunLock } from '../../../experiments/support/runLock.ts'
import { openRun } from '../../../experiments/support/runStore.ts'
import { writeRandomWeights } from '../digits/randomWeights.ts'
import { callProgram } from './callProgram.ts'

let folder: string
let weights: string
let out: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cli-'))
  weights = join(folder, 'weights')
})
beforeEach(async () => {
  out = join(folder, 'out')
  rmSync(out, { recursive: true, force: true })
  await writeRandomWeights(weights)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A refusal: nothing on stdout, one line on stderr, nothing written. */
const refused = async (code: number, ...args: string[]): Promise<string> => {
  const ended = await callProgram(...args)
  expect(ended).toMatchObject({ code, stdout: '' })
  expect(ended.stderr).toMatch(/^[^\n]+\n$/)
  expect(existsSync(out)).toBe(false)
  return ended.stderr
}

const run = (...args: string[]): string[] => ['run', '--out', out, '--weights', weights, ...args]

describe('a command line that cannot be obeyed', () => {
  it.each([
    ['purify', /^error: unknown command 'purify' \(did you mean parity\?\); see --help\n$/],
    ['run --speed 3', /^error: unknown option '--speed' \(did you mean --seed\?\); see --help\n$/],
    ['quirks extra', /^error: too many arguments .*; see --help\n$/],
    ['evaluate', /^error: required option '--arch <name>' not specified; see --help\n$/],
    ['run --preset cifar', /^--preset is "cifar"; use digits\n/],
    ['run --backend cuda', /^--backend is "cuda"; use cpu, reference, gpu or gpu:<mode>\n/],
    ['run --epsilon -1', /^--epsilon is -1; use a number from 0 to 8/],
    ['run --epsilon tiny', /'--epsilon <radius>' argument 'tiny' is invalid\. Use a number\./],
    ['run --images 1', /^--images is 1; use a whole number from 2 to 500\n/],
    ['run --workers 0', /'--workers <n>' argument '0' is invalid\. Use a whole number of at least 1\./],
    ['--threads 1025 parity absent', /'--threads <n>' argument '1025' is invalid\. Use a whole number from 1 to 1024\./],
    ['run --workers 1.5', /Use a whole number of at least 1\./],
    ['train --preset cifar', /'--preset <name>' argument 'cifar' is invalid\. Allowed choices are digits\./],
    ['train --backend cuda', /Allowed choices are cpu, reference, gpu, gpu:webgpu, /],
    ['parity spec/golden --backend cuda', /Allowed choices are cpu, reference, gpu, gpu:webgpu, /],
    ['train --seed -1', /Use a whole number of at least 0\./],
    ['train --suffix a/b', /^--suffix is "a\/b"; use letters, digits, /],
    [
      'train --only vanila',
      /^--only: there is no training "vanila"; choose from the fine-tunings vanilla, .*, or base for the pre-training alone\n/,
    ],
  ])('should end with exit code 2 and one line: %s', async (line, message) => {
    expect(await refused(2, ...line.split(' '))).toMatch(message)
  })
})

describe('the number of threads that the environment asks for', () => {
  afterEach(() => vi.unstubAllEnvs())

  it.each(['abc', '0', '1e9'])('should be refused like that of --threads: %s', async text => {
    vi.stubEnv('DBP_THREADS', text)
    expect(await refused(2, 'parity', 'absent')).toBe(`DBP_THREADS is "${text}"; use a whole number from 1 to 1024\n`)
  })
})

it.runIf(await missingMode('headlessgl')).each<[string, () => string[]]>([
  ['run', () => run()],
  ['train', () => ['train', '--out', out]],
  ['evaluate', () => ['evaluate', '--arch', 'resnet20', '--checkpoint', weights]],
  ['parity', () => ['parity', 'spec/golden']],
  ['bench', () => ['bench', '--quick']],
  ['landscape', () => ['landscape', '--out', out, '--weights', weights]],
  ['certify', () => ['certify', '--weights', weights]],
  ['quality', () => ['quality', '--weights', weights]],
])('should say in one line what a missing mode of the gpu needs: %s', async (_, command) => {
  const message = await refused(1, ...command(), '--backend', 'gpu:headlessgl')
  expect(message).toMatch(/^backend gpu:headlessgl: the mode is not present, it needs [^\n]*; use gpu:webasm, which needs nothing\n$/)
})

describe('a run with bad weights', () => {
  const damage = (name: string, change: (bytes: Buffer) => Uint8Array): string => {
    const path = join(weights, `${name}.safetensors`)
    writeFileSync(path, change(readFileSync(path)))
    return path
  }

  it('should name the file that is missing, and how to make it', async () => {
    rmSync(join(weights, 'addt-paper.safetensors'))
    expect(await refused(1, ...run())).toBe(
      `weights "addt-paper" are in none of ${weights}; make them with npm run train (see its --help) and name their folder with --weights\n`,
    )
  })

  it.each(['absent', 'weights/vanilla.safetensors'])('should name a folder that is missing or none: %s', async name => {
    const absent = join(folder, name)
    expect(await refused(1, 'run', '--out', out, '--weights', absent)).toContain(`there is no folder of weights ${absent}; `)
  })

  it.each<[what: string, change: (bytes: Buffer) => Uint8Array]>([
    ['truncated', bytes => bytes.subarray(0, bytes.length / 2)],
    ['empty', () => new Uint8Array(0)],
    ['with a flipped bit', bytes => bytes.fill(bytes[bytes.length - 9]! ^ 4, bytes.length - 9, bytes.length - 8)],
  ])('should name the file that is %s', async (_, change) => {
    const path = damage('addt-scaled', change)
    expect(await refused(1, ...run())).toContain(`${path}: `)
  })

  it('should name the file that holds another network', async () => {
    const path = join(weights, 'vanilla.safetensors')
    saveSafetensors(path, { weight: { dtype: 'F32', shape: [1], values: Float32Array.of(1) } })
    expect(await refused(1, ...run())).toMatch(/vanilla\.safetensors: parameters do not fit the network: \d+ missing/)
  })
})

describe.each(['quality', 'certify'])('%s with bad weights', command => {
  it('should name what is missing before it begins', async () => {
    expect(await refused(1, command, '--models', 'none', '--weights', weights)).toContain(`weights "none" are in none of ${weights}; `)
    expect(await refused(1, command, '--weights', join(folder, 'absent'))).toContain('there is no folder of weights ')
  })
})

describe('a run that has no place', () => {
  it('should say which folder it cannot create', async () => {
    expect(await refused(1, 'run', '--weights', weights, '--out', '/dev/null/x')).toMatch(
      /^cannot create the run's folder \/dev\/null\/x\/.* \(ENOTDIR.*\); choose another folder with --out\n$/,
    )
  })

  it.each(['../elsewhere', '.hidden', 'a b'])('should refuse the name %j', async id => {
    expect(await refused(1, ...run('--id', id))).toBe(
      `run id ${JSON.stringify(id)} is not a plain name; use letters, digits, ".", "_" and "-" only\n`,
    )
  })

  it('should leave a run alone that another process works on, or that has other options, code or weights', async () => {
    const small = run('--id', 'a', '--images', '4')
    openRun({ root: out, id: 'a', options: { ...parseAuditOptions({}), code: 'older', weights: 'other' } }).close()
    const lock = acquireRunLock(join(out, 'a', 'lock'))
    expect(await callProgram(...small)).toMatchObject({ code: 1, stderr: expect.stringMatching(/in use by process \d+/) })
    lock.release()
    const other = await callProgram(...small)
    expect(other).toMatchObject({ code: 1, stdout: '' })
    expect(other.stderr).toMatch(
      /^options differ from those of .*images 128 -> 4.*code "older" -> "[^"]*", weights "other" -> "[0-9a-f]{16}"; use the same options and code, delete the folder, or choose another --id\n$/,
    )
    expect(readdirSync(join(out, 'a')).sort()).toEqual(['journal.jsonl', 'options.json'])
  })

  it.each(['run', 'landscape'])('should not be continued by other code: %s', async command => {
    openRun({ root: out, id: 'a', options: { code: 'older' } }).close()
    const { code, stderr } = await callProgram(command, '--out', out, '--weights', weights, '--id', 'a')
    expect([code, stderr]).toEqual([1, expect.stringMatching(/: code "older" -> "[^"]+", .*; use the same options and code, /)])
  })
})

describe('a comparison with nothing to compare', () => {
  it('should be refused', async () => {
    expect(await refused(1, 'parity', weights)).toMatch(
      /^parity: .* holds no golden vector of a known kind, only .*addt-paper.*; give a folder/,
    )
  })
})

describe('a training that has no place', () => {
  it('should say which folder it cannot create', async () => {
    expect(await refused(1, 'train', '--out', '/dev/null/x')).toMatch(
      /^cannot create the folder \/dev\/null\/x\/checkpoints .*; choose another one with --out\n$/,
    )
  })

  it('should be told of the option that it has when another process works there', async () => {
    mkdirSync(out)
    const lock = acquireRunLock(join(out, 'lock'))
    const { code, stderr } = await callProgram('train', '--out', out)
    lock.release()
    expect([code, stderr]).toEqual([1, expect.stringMatching(/in use by process \d+ .*; wait for it, choose another --out, or, .*\n$/)])
  })
})

describe('a measurement of quirks that cannot be kept', () => {
  it('should be refused before it is made', async () => {
    openRun({ root: out, id: 'quirks', options: { older: true } }).close()
    mkdirSync(join(out, 'quirks.json'))
    const { code, stderr } = await callProgram('quirks', '--out', out)
    expect([code, stderr]).toEqual([
      1,
      `--out: cannot write ${join(out, 'quirks.json')} (it is a folder); choose another place with --out\n`,
    ])
  })

  it('should be told of the option that it has where an older one lies', async () => {
    openRun({ root: out, id: 'quirks', options: { older: true } }).close()
    const { code, stderr } = await callProgram('quirks', '--out', out)
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(
        /^options differ from those of .*; use the same options and code, delete the folder, or choose another --out\n$/,
      ),
    ])
  })

  it('should not go on with what the code of another commit has measured', async () => {
    const provenance = collectProvenance({ seed: armSettings.seed, backend: 'cpu' })
    openRun({ root: out, id: 'quirks', options: decidingOptions({ ...provenance, git: { commit: '0'.repeat(40), dirty: true } }) }).close()
    const { code, stderr } = await callProgram('quirks', '--out', out)
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/: code "000000000000 with changes" -> "[^"]*"; use .* choose another --out\n$/),
    ])
  })
})

it('should be told that a stored result is damaged before an audit begins', async () => {
  mkdirSync(out)
  for (const name of ['quirks.json', 'mutation.json']) {
    writeFileSync(join(out, name), '{}')
    const { code, stderr } = await callProgram('audit', '--reuse', 'absent.json', '--runs', out, '--out', out)
    expect([code, stderr]).toEqual([1, expect.stringContaining(`audit: ${join(out, name)} does not hold what it should; delete it`)])
    rmSync(join(out, name))
  }
})

it.each<[string, string[]]>([
  ['bench', ['--quick', '--out']],
  ['audit', ['--reuse', 'absent.json', '--out']],
  ['bundle', ['--out']],
  ['run', ['--profile']],
  ['quality', ['--profile']],
  ['certify', ['--profile']],
  ['quirks', ['--profile']],
])('should say that a result cannot be written before it is computed: %s', async (command, words) => {
  expect(await refused(1, command, ...words, '/dev/null/x')).toMatch(
    /^--(out|profile): cannot write \/dev\/null\/x.* \(E[A-Z]+: .*\); choose another place with --(out|profile)\n$/,
  )
  // A folder where a file is wanted; audit wants a folder.
  if (command === 'audit') return
  expect(await refused(1, command, ...words, folder)).toMatch(/\(it is a folder\); choose another place/)
  expect(await refused(1, command, ...words, `${out}/`)).toMatch(/\(it is the name of a folder\); choose another place/)
})

describe('an empty name of a file or folder', () => {
  it.each<[what: string, args: string[]]>([
    ["option '--runs <folder>' argument '' is invalid", ['audit', '--reuse', 'absent.json', '--runs', '']],
    ["option '--profile [file]' argument '' is invalid", ['parity', 'absent', '--profile=']],
    ["option '--weights <folders...>' argument '' is invalid", ['certify', '--weights', 'experiments', '']],
    ["command-argument value '' is invalid for argument 'file'", ['inspect', '']],
  ])('should be refused before anything is done: %s', async (what, args) => {
    expect(await refused(2, ...args)).toBe(`error: ${what}. Name a file or folder, "." for the current folder.\n`)
  })

  it('should be refused by every option and argument of every command that names one', async () => {
    const places = (await createProgram([])).commands.flatMap(({ options, registeredArguments }) => [
      ...options.filter(({ flags }) => /[<[](files?|folders?|json|model)\b/.test(flags)),
      ...registeredArguments,
    ])
    expect(places.length).toBeGreaterThan(20)
    for (const place of places) {
      expect(() => place.parseArg?.('', undefined), place.description).toThrow(/^Name a file or folder/)
    }
  })

  it('should be refused by whatever reads or writes a file', () => {
    expect(() => readFileBytes('')).toThrow(/^reading: the name is empty; /)
    expect(() => saveSafetensors('', {})).toThrow(/^writing: the name is empty; /)
    expect(() => inspectCheckpoint('')).toThrow(/^checkpoint: the name is empty; /)
  })
})

describe('an option that takes several values', () => {
  it('should replace its default by all that are given, however often', () => {
    const valuesOf = (...words: string[]): unknown =>
      new Command()
        .addOption(weightsOption())
        .option('--data <files...>', '', listOf(pathName), [])
        .option('--memory [steps...]', '', listOf(wholeNumber(1)))
        .parse(words, { from: 'user' })
        .opts()
    expect(valuesOf()).toEqual({ weights: [shippedWeights], data: [] })
    expect(valuesOf('--weights', 'a', 'b', '--weights', 'c', '--data', 'd')).toEqual({ weights: ['a', 'b', 'c'], data: ['d'] })
    expect(valuesOf('--memory', '--data', 'a', 'b', '--memory', '11', '21')).toMatchObject({ data: ['a', 'b'], memory: [11, 21] })
  })
})
