import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { AuditResults } from '../../../experiments/dwBox/results.ts'
import { loadState } from '../../../experiments/support/checkpoint.ts'
import { readJournal } from '../../../experiments/support/journal.ts'
import { writeRandomWeights } from '../digits/randomWeights.ts'
import { callProgram } from './callProgram.ts'

let folder: string
let weights: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'run-'))
  weights = join(folder, 'weights')
  await writeRandomWeights(weights)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const main = fileURLToPath(new URL('../../../experiments/cli/main.ts', import.meta.url))

/** The command line in a process group of its own, as a shell starts it. */
const start = (...args: string[]) => {
  const child: ChildProcess = spawn(process.execPath, ['--import', 'tsx', main, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const written = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]!.on('data', data => {
      written[name] += data
    })
  }
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>(resolve =>
    child.on('close', code => resolve({ code, ...written })),
  )
  /** A terminal sends the signal to the whole group. */
  const pressCtrlC = (): void => {
    process.kill(-child.pid!, 'SIGINT')
  }
  return { pressCtrlC, ended }
}

const until = (condition: () => boolean): Promise<void> =>
  vi.waitFor(() => expect(condition()).toBe(true), { timeout: 25_000, interval: 5 })

const small = '--images 3 --images-partial 2 --images-deterministic 4 --steps 1 --eot-samples 2 --reverse-steps 1 --report-draws 2'.split(
  ' ',
)
const run = (...args: string[]): string[] => ['run', '--weights', weights, '--out', join(folder, 'runs'), ...small, ...args]
const inRun = (id: string, name: string): string => join(folder, 'runs', id, name)
const resultsOf = (id: string): AuditResults => JSON.parse(readFileSync(inRun(id, 'results.json'), 'utf8'))

describe('a run stopped with Ctrl-C', () => {
  it('should say how to go on, and then give the results of an uninterrupted run', async () => {
    const first = start(...run('--id', 'stopped', '--workers', '1'))
    await until(() => existsSync(inRun('stopped', 'journal.jsonl')) && readJournal(inRun('stopped', 'journal.jsonl')).size > 0)
    first.pressCtrlC()
    const stopped = await first.ended
    expect([stopped.code, stopped.stdout]).toEqual([130, ''])
    const lines = stopped.stderr.trim().split('\n')
    expect(lines.some(line => line.startsWith('stopping after the current step; press Ctrl-C again'))).toBe(true)
    expect(lines.at(-1)).toMatch(/^stopped; what was done is kept, continue with: npm start -- /)
    expect(existsSync(inRun('stopped', 'results.json'))).toBe(false)
    const kept = [...readJournal(inRun('stopped', 'journal.jsonl')).keys()]

    const words = lines.at(-1)!.split('npm start -- ')[1]!.split(' ')
    const resumed = await callProgram('run', ...words, '--json')
    expect([resumed.code, resumed.stderr]).toEqual([0, ''])
    expect(JSON.parse(resumed.stdout)).toEqual(resultsOf('stopped'))
    expect([...readJournal(inRun('stopped', 'journal.jsonl')).keys()].slice(0, kept.length)).toEqual(kept)

    const whole = await callProgram(...run('--id', 'whole', '--workers', '2'))
    expect(whole.code, whole.stderr).toBe(0)
    const measured = ({ id: _, seconds: __, provenance: { seed, backend }, ...rest }: AuditResults) => ({ ...rest, seed, backend })
    expect(measured(resultsOf('stopped'))).toEqual(measured(resultsOf('whole')))
    expect(whole.stdout).toContain(`report   ${inRun('whole', 'report.html')}`)
    expect(readFileSync(inRun('whole', 'report.html'), 'utf8')).toContain('</html>')
  }, 120_000)
})

describe('a training stopped with Ctrl-C', () => {
  it('should keep its last step and say how to go on', async () => {
    const out = join(folder, 'trained')
    const { pressCtrlC, ended } = start('train', '--out', out, '--only', 'vanilla')
    await until(() => existsSync(join(out, 'lock')))
    pressCtrlC()
    const { code, stdout, stderr } = await ended
    expect([code, stdout]).toEqual([130, ''])
    expect(stderr).toMatch(
      new RegExp(`\\nstopped; what was done is kept, continue with: npm run train -- --preset digits --out ${out} --only vanilla\\n$`),
    )
    const { step } = loadState(join(out, 'checkpoints', 'classifier.safetensors')).meta as { step: number }
    expect(step).toBeGreaterThanOrEqual(1)
    expect(existsSync(join(out, 'lock'))).toBe(false)
  })
})

describe('a measurement of quirks stopped with Ctrl-C', () => {
  it('should say how to go on in the same folder', async () => {
    const out = join(folder, 'quirks')
    const { pressCtrlC, ended } = start('quirks', '--out', out)
    await until(() => existsSync(join(out, 'quirks', 'weights')))
    pressCtrlC()
    const { code, stdout, stderr } = await ended
    expect([code, stdout]).toEqual([130, ''])
    expect(stderr).toMatch(new RegExp(`\\nstopped; what was done is kept, continue with: npm run quirks -- --out ${out}\\n$`))
  })
})

describe('a full run stopped with Ctrl-C while it trains', () => {
  it('should stop the training after its step and say how to go on', async () => {
    const out = join(folder, 'full')
    const { pressCtrlC, ended } = start('run', '--full', '--workers', '1', '--weights', weights, '--out', out)
    const training = join(out, 'full-weights', 'seed1')
    await until(() => existsSync(join(training, 'lock')))
    pressCtrlC()
    const { code, stdout, stderr } = await ended
    expect([code, stdout]).toEqual([130, ''])
    expect(stderr).toMatch(/\nstopped; what was done is kept, continue with: npm start -- --full --weights \S+ --out \S+full\n$/)
    expect(stderr).not.toContain('npm run train')
    expect(loadState(join(training, 'checkpoints', 'base-seed1.safetensors')).meta).toMatchObject({ step: expect.any(Number) })
    expect(existsSync(join(training, 'lock'))).toBe(false)
  })

  it('should pass on why a training cannot be done', async () => {
    const { code, stderr } = await callProgram('run', '--full', '--quiet', '--workers', '1', '--weights', weights, '--out', '/dev/null/x')
    expect(code).toBe(1)
    expect(stderr).toMatch(/^cannot write to \/dev\/null\/x\/full-weights\/seed1 \(.*\); choose another folder with --out\n$/)
  })
})

describe('the process', () => {
  it('should end with the exit code of the failure', async () => {
    const { code, stdout, stderr } = await start('run', '--epsilon', '-1').ended
    expect([code, stdout, stderr]).toEqual([2, '', '--epsilon is -1; use a number from 0 to 8 (pixels lie in [0,1])\n'])
  })
})
