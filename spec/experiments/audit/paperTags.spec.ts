import { describe, expect, it } from 'vitest'
import { lineOfSymbol, parsePaperTags } from '../../../experiments/audit/paperTags.ts'

const text = `import { x } from './x.ts'

/** Not about the paper. */
export const helper = 1

/**
 * Classifier guidance.
 *
 * @paper Appendix G (ADDT, all of it), E10 (CGPO)
 *
 *   delta = sum of gradients
 *
 * Deviations: losses are summed,
 * not averaged.
 */
export const cgpo = async (x: number): Promise<number> => {
  const inner = x
  return inner
}

/** @paper E8 */
export interface Ranks {
  readonly n: number
}

// A mention of @paper E1 in a plain comment is no tag.

/** Nor is one within a sentence (as @paper E2 is). */
export const mention = 1
`

describe('parsePaperTags', () => {
  it('should give each id with its line, symbol and deviations', () => {
    const place = { path: 'a.ts', line: 9, symbol: 'cgpo', deviations: 'losses are summed, not averaged.' }
    expect(parsePaperTags({ path: 'a.ts', text })).toEqual([
      { id: 'Appendix G', ...place },
      { id: 'E10', ...place },
      { id: 'E8', path: 'a.ts', line: 21, symbol: 'Ranks', deviations: '' },
    ])
  })

  it('should read ids before a parenthesis that goes on in the next line', () => {
    const split = '/**\n * @paper E13 (locked or drawn anew,\n *   by step)\n */\nexport const a = 1\n'
    expect(parsePaperTags({ path: 'a.ts', text: split }).map(({ id }) => id)).toEqual(['E13'])
  })
})

describe('lineOfSymbol', () => {
  it('should find declarations at the top of a file and nothing else', () => {
    expect(['helper', 'cgpo', 'Ranks', 'inner', 'absent'].map(symbol => lineOfSymbol(text, symbol))).toEqual([
      4,
      16,
      22,
      undefined,
      undefined,
    ])
  })
})
