import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Fault, splitSpecs, withFault } from '../../../experiments/mutation/fault.ts'
import { faults } from '../../../experiments/mutation/faults/index.ts'
import { projectRoot } from '../../support/sources.ts'

const textOf = (path: string): string => readFileSync(join(projectRoot, path), 'utf8')

const fault: Fault = {
  id: 'one',
  file: 'a.ts',
  find: 'a + b',
  replace: 'a - b',
  description: 'A sign is wrong.',
  place: 'E1',
  specs: ['spec/a.spec.ts#(P1)', 'spec/a.spec.ts#(P2)', 'spec/b.spec.ts#(P1)'],
}

describe('the list of faults', () => {
  it('should give each fault an id of its own', () => {
    expect(new Set(faults.map(({ id }) => id)).size).toBe(faults.length)
  })

  it('should find the text of each fault exactly once, and change it', () => {
    for (const planted of faults) expect(withFault(textOf(planted.file), planted)).not.toBe(textOf(planted.file))
  })

  it('should name specs that are there, by a part of a title', () => {
    for (const { id, specs } of faults) {
      for (const reference of specs) {
        const [file, title] = reference.split('#')
        expect([id, reference, textOf(file!).includes(title!)]).toEqual([id, reference, title !== ''])
      }
    }
  })
})

describe('withFault', () => {
  it('should replace the text and nothing else', () => {
    expect(withFault('x = a + b // $&', { ...fault, replace: "$' - b" })).toBe("x = $' - b // $&")
  })

  it('should refuse a text that occurs not at all or more than once', () => {
    expect(() => withFault('a - b', fault)).toThrow('mutation: the text of fault one occurs not at all in a.ts: a + b; give in')
    expect(() => withFault('a + b + a + b', fault)).toThrow('the text of fault one occurs 2 times in a.ts')
  })
})

describe('splitSpecs', () => {
  it('should name each file and each title once', () => {
    expect(splitSpecs(fault.specs)).toEqual({ files: ['spec/a.spec.ts', 'spec/b.spec.ts'], titles: ['(P1)', '(P2)'] })
  })
})
