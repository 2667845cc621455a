import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { parseAuditOptions } from '../../../experiments/dwBox/options.ts'
import { planRows, planUnits, type Unit } from '../../../experiments/dwBox/plan.ts'
import { runPool } from '../../../experiments/dwBox/pool.ts'
import { UserError } from '../../../experiments/support/errors.ts'
import { writeRandomWeights } from '../digits/randomWeights.ts'

const started: ChildProcess[] = []
vi.mock('node:child_process', async original => {
  const actual = await original<typeof import('node:child_process')>()
  const fork = (...args: Parameters<typeof actual.fork>): ChildProcess => {
    const child = actual.fork(...args)
    started.push(child)
    return child
  }
  return { ...actual, fork }
})

let weights: string
beforeAll(async () => {
  weights = mkdtempSync(join(tmpdir(), 'pool-'))
  await writeRandomWeights(weights)
})
afterAll(() => rmSync(weights, { recursive: true, force: true }))
afterEach(() => {
  started.length = 0
})

const o = parseAuditOptions({ images: 3, imagesDeterministic: 3, steps: 1, eotSamples: 2, reverseSteps: 1, reportDraws: 2 })
const plan = planUnits(planRows(o), o)
const units = [
  'accuracy/undefended/White/0',
  'accuracy/ddpm-vanilla/White/0',
  'accuracy/ddim-vanilla/DW_Both/0',
  'gallery/ddpm-vanilla',
].map(key => plan.find(unit => unit.key === key)!)

const run = async (
  list: readonly Unit[],
  { workers = 1, signal = new AbortController().signal, folders = [weights], onWork = (_: number) => {} } = {},
): Promise<Map<string, unknown>> => {
  const results = new Map<string, unknown>()
  await runPool(list, {
    workers,
    backend: 'cpu',
    weights: folders,
    signal,
    onWork,
    onResult: (unit, result) => results.set(unit.key, result),
  })
  return results
}

describe('runPool', () => {
  it('should give the same results with one worker and with two, and report all of the work', async () => {
    let work = 0
    const one = await run(units, { onWork: gradients => (work += gradients) })
    expect(started.length).toBe(1)
    expect(work).toBe(units.reduce((total, unit) => total + unit.work, 0))
    const two = await run(units, { workers: 2 })
    expect(started.length).toBe(3)
    expect([...one.keys()].sort()).toEqual(units.map(({ key }) => key).sort())
    for (const [key, result] of one) expect(two.get(key)).toEqual(result)
  })

  it('should fail when a worker dies, naming its unit, and stop the others', async () => {
    const long = units.map(unit => ({ ...unit, row: { ...unit.row, attack: { ...unit.row.attack, steps: 100_000 } } }))
    const act = run(long, { workers: 2 })
    const working = new Promise<ChildProcess>(resolve => {
      for (const child of started) child.on('message', message => 'work' in (message as object) && resolve(child))
    })
    working.then(child => child.kill('SIGKILL'))
    await expect(act).rejects.toThrow(
      /^a worker process ended with SIGKILL while computing accuracy\/(undefended|ddpm-vanilla)\/White\/0; run the same command again/,
    )
    await vi.waitFor(() => expect(started.map(({ signalCode }) => signalCode)).toEqual(['SIGKILL', 'SIGKILL']), 10_000)
  })

  it('should pass on what a worker says about bad input, and the stack of a bug', async () => {
    const act = run(units, { folders: [join(weights, 'none')] })
    await expect(act).rejects.toThrow(UserError)
    await expect(act).rejects.toThrow(/^weights "classifier" are in none of .* \(while loading the networks\); what was done is kept$/)
    const broken = { ...units[0]!, imageIds: [-1] }
    const bug = await run([broken]).catch(error => error)
    expect(bug).not.toBeInstanceOf(UserError)
    expect(bug.stack).toMatch(/in a worker, while computing accuracy\/undefended\/White\/0\)\n[^\n]*\n {4}at /)
  })

  it('should begin no unit once it is asked to stop', async () => {
    const controller = new AbortController()
    controller.abort()
    expect((await run(units, { signal: controller.signal })).size).toBe(0)
  })
})
