import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FileError } from '../../../core/io/fileError.ts'
import { UserError } from '../../../experiments/support/errors.ts'
import { openRun } from '../../../experiments/support/runStore.ts'
import { spawnChild } from './children/spawnChild.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'runs-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const open = (options: object = { seed: 1 }, id = 'a') => openRun({ root, id, options })

describe('run store', () => {
  it('should give finished units back after it is opened again', () => {
    const first = open()
    first.put('cell 1', { accuracy: 0.5 })
    first.close()
    const second = open()
    expect([second.size, second.has('cell 1'), second.get('cell 1')]).toEqual([1, true, { accuracy: 0.5 }])
    expect([second.has('cell 2'), second.get('cell 2')]).toEqual([false, undefined])
    second.close()
  })

  it('should name some of many options that differ, and the remedy', () => {
    open(Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`option${i}`, 'value']))).close()
    expect(() => open({})).toThrow(
      /: option0 "value" -> not set, .* and 35 more; use the same options and code, delete the folder, or choose another --id$/,
    )
  })

  it('should write options, results and nothing else', () => {
    const run = open({ seed: 1, preset: undefined })
    run.writeJson('result.json', { accuracy: [0.5] })
    run.writeText('table.md', '| a |\n')
    run.close()
    expect(readdirSync(run.folder).sort()).toEqual(['journal.jsonl', 'options.json', 'result.json', 'table.md'])
    expect(JSON.parse(readFileSync(join(run.folder, 'options.json'), 'utf8'))).toEqual({ seed: 1 })
    expect(JSON.parse(readFileSync(run.path('result.json'), 'utf8'))).toEqual({ accuracy: [0.5] })
    expect(readFileSync(run.path('table.md'), 'utf8')).toBe('| a |\n')
  })

  it('should name new runs apart and create the root', () => {
    const runs = [1, 2].map(seed => openRun({ root: join(root, 'deep', 'runs'), options: { seed } }))
    expect(runs[0].id).toMatch(/^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-[0-9a-f]{4}$/)
    expect(runs[0].id).not.toBe(runs[1].id)
    for (const run of runs) run.close()
  })

  it('should refuse to resume with other options, and say which', () => {
    open({ seed: 1, attack: { steps: 20 } }).close()
    const act = () => open({ seed: 1, attack: { steps: 40 } })
    expect(act).toThrow(
      /options differ from those of .*: attack\.steps 20 -> 40; use the same options and code, delete the folder, or choose another --id/,
    )
    expect(act).toThrow(UserError)
    open({ attack: { steps: 20 }, seed: 1 }).close()
  })

  it('should refuse a folder that is no run', () => {
    mkdirSync(join(root, 'a'))
    writeFileSync(join(root, 'a', 'thesis.txt'), 'precious')
    expect(() => open()).toThrow(/is not the folder of a run: it has thesis\.txt but no options\.json/)
    expect(readdirSync(join(root, 'a'))).toEqual(['thesis.txt'])
  })

  it('should refuse damaged options in one line', () => {
    open().close()
    writeFileSync(join(root, 'a', 'options.json'), '{"seed":')
    expect(() => open()).toThrow(FileError)
    expect(() => open()).toThrow(/options\.json: this is no JSON .*; restore it/)
  })

  it('should explain a root it cannot create', () => {
    writeFileSync(join(root, 'file'), '')
    const act = () => openRun({ root: join(root, 'file', 'runs'), options: {} })
    expect(act).toThrow(/^cannot create the run's folder .*; choose another folder with --out$/)
    expect(act).toThrow(UserError)
  })

  it.each(['../a', 'a/b', '.hidden', '', 'a\nb'])('should refuse the name %j for runs and files', name => {
    expect(() => open({}, name)).toThrow(/is not a plain name/)
    const run = open()
    expect(() => run.writeText(name, '')).toThrow(/is not a plain name/)
    run.close()
  })

  it.each(['options.json', 'journal.jsonl', 'lock'])('should keep its own file %s from being overwritten', name => {
    const run = open()
    expect(() => run.writeText(name, '')).toThrow(/the store's own file/)
    run.close()
  })

  it('should be open for one user at a time', () => {
    const run = open()
    expect(() => open()).toThrow(/the run is in use by process \d+ on .*delete .*lock$/)
    run.close()
    run.close()
    open().close()
  })
})

describe('a killed run', () => {
  it('should keep every unit it reported, free its lock, and be continued', async () => {
    const child = spawnChild('work.ts', root, '1')
    await child.printed('done 20\n')
    expect(() => open({ seed: 1 }, 'killed')).toThrow(`in use by process ${child.process.pid} `)
    child.process.kill('SIGKILL')
    const { signal, stdout } = await child.ended
    expect(signal).toBe('SIGKILL')

    const run = open({ seed: 1 }, 'killed')
    const reported = stdout.split('\n').filter(line => line.startsWith('done ')).length
    expect(run.size).toBeGreaterThanOrEqual(reported)
    expect(run.size).toBeLessThanOrEqual(reported + 1)
    for (let unit = 0; unit < run.size; unit++) expect(run.get(`unit ${unit}`)).toMatchObject({ square: unit * unit })
    run.put('one more', 1)
    run.close()
  })

  it('should stop on Ctrl-C after the current unit and say how to continue', async () => {
    const child = spawnChild('work.ts', root, '20')
    await child.printed('done 2\n')
    child.process.kill('SIGINT')
    const { code, stdout, stderr } = await child.ended
    expect(code).toBe(130)
    expect(stderr).toMatch(/stopping after the current step.*\nstopped; what was done is kept, continue with: npm start -- --id killed\n$/)
    const run = open({ seed: 1 }, 'killed')
    expect(run.size).toBe(stdout.trim().split('\n').length)
    run.close()
  })
})
