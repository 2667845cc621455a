import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { FaultOutcome } from '../../../experiments/mutation/checkFault.ts'
import { checkFaults, knownOutcomes } from '../../../experiments/mutation/checkFaults.ts'
import type { Fault } from '../../../experiments/mutation/fault.ts'
import { mutationEntries, mutationProblems, mutationTable } from '../../../experiments/mutation/report.ts'
import { sourceClosure } from '../../../experiments/mutation/sourceHash.ts'
import type { JsonValue } from '../../../experiments/support/json.ts'
import { projectRoot } from '../../support/sources.ts'

/** A project of one function and its spec. */
const project: Readonly<Record<string, string>> = {
  'algorithms/sum.ts': 'export const sum = (a: number, b: number): number => a + b\nexport const unused = (a: number): number => 2 * a\n',
  'spec/sum.spec.ts':
    "import { expect, it } from 'vitest'\nimport { sum } from '../algorithms/sum.ts'\nit('should add (P1)', () => expect(sum(1, 2)).toBe(3))\n" +
    "it('should not be asked', () => expect(sum(1, 2)).toBe(4))\n",
  'core/none.ts': '',
  'experiments/none.ts': '',
  'package.json': '{ "type": "module" }',
  'tsconfig.json': '{}',
  'vitest.config.ts': "export default { test: { include: ['spec/**/*.spec.ts'] } }",
}

const sign: Fault = {
  id: 'sign',
  file: 'algorithms/sum.ts',
  find: 'a + b',
  replace: 'a - b',
  description: 'The second term is taken off.',
  place: 'E1',
  specs: ['spec/sum.spec.ts#(P1)'],
}
const unnoticed: Fault = { ...sign, id: 'unnoticed', find: '2 * a', replace: '3 * a', description: 'Twice is thrice.' }

let root: string
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'mutation-spec-'))
  for (const [path, text] of Object.entries(project)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  symlinkSync(join(projectRoot, 'node_modules'), join(root, 'node_modules'), 'junction')
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

const memory = () => {
  const entries = new Map<string, JsonValue>()
  return { entries, append: (key: string, value: unknown) => void entries.set(key, value as JsonValue) }
}

describe('checkFaults', () => {
  it('should tell a fault that a spec notices from one that none does, check only the former once, and leave no trace', async () => {
    const journal = memory()
    const copies = () => readdirSync(tmpdir()).filter(name => name.startsWith('mutation-') && !name.startsWith('mutation-spec-')).length
    const before = copies()
    const outcomes = await checkFaults([sign, unnoticed], { root, journal, copies: 1 })
    expect(outcomes.map(({ killedBy }) => killedBy)).toEqual([['spec/sum.spec.ts > should add (P1)'], []])
    expect(copies()).toBeLessThanOrEqual(before)
    expect(readFileSync(join(root, sign.file), 'utf8')).toBe(project[sign.file])
    expect([...knownOutcomes([sign, unnoticed], { root, journal }).keys()]).toEqual(['sign'])
    expect(await checkFaults([sign], { root, journal })).toEqual([outcomes[0]])

    writeFileSync(join(root, 'algorithms/sum.ts'), `${project['algorithms/sum.ts']}// changed\n`)
    expect(knownOutcomes([sign], { root, journal }).size).toBe(0)
    writeFileSync(join(root, 'algorithms/sum.ts'), project['algorithms/sum.ts']!)
  }, 120_000)

  it('should refuse to begin with a fault whose text is not there', async () => {
    await expect(checkFaults([{ ...sign, find: 'a * c' }], { root, journal: memory() })).rejects.toThrow('occurs not at all')
  })
})

describe('sourceClosure', () => {
  it('should follow imports and leave out what nothing imports', () => {
    expect(sourceClosure(root, ['spec/sum.spec.ts'])).toEqual(['algorithms/sum.ts', 'spec/sum.spec.ts'])
  })
})

describe('report', () => {
  const outcomes: FaultOutcome[] = [
    { killedBy: ['spec/sum.spec.ts > should add (P1)'], seconds: 1.5 },
    { killedBy: [], seconds: 2 },
    { killedBy: [], seconds: 2, problem: 'none of its specs ran' },
  ]
  const three = [sign, unnoticed, { ...sign, id: 'broken' }]

  it('should have an entry for each fault, without its text', () => {
    expect(mutationEntries(three, outcomes)[0]).toEqual({
      ...{ id: 'sign', file: 'algorithms/sum.ts', description: 'The second term is taken off.', place: 'E1' },
      ...outcomes[0],
    })
  })

  it('should call a fault that survives, or could not be checked, a problem', () => {
    expect(mutationProblems(three, outcomes)).toEqual([
      'fault unnoticed in algorithms/sum.ts survives spec/sum.spec.ts#(P1): Twice is thrice.',
      'fault broken in algorithms/sum.ts could not be checked: none of its specs ran',
    ])
    expect(mutationTable(three, outcomes).match(/spec\/sum|SURVIVED|PROBLEM/g)).toEqual(['spec/sum', 'SURVIVED', 'PROBLEM'])
  })
})
