import { existsSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { FileError } from '../../../core/io/fileError.ts'
import { MemoryError } from '../../../core/memoryError.ts'
import { describeFailure, UserError } from '../../../experiments/support/errors.ts'
import { spawnChild } from './children/spawnChild.ts'

describe('UserError', () => {
  it('should put what and remedy on one line', () => {
    const error = new UserError('no\nweights', 'train them')
    expect([error.message, error.exitCode]).toEqual(['no weights; train them', 1])
  })
})

describe('describeFailure', () => {
  it('should show a damaged file as one line', () => {
    const shown = describeFailure(new FileError('a.csv', 'is bad', 'fetch it again'))
    expect(shown).toEqual({ text: 'a.csv: is bad; fetch it again\n', exitCode: 1 })
  })

  it.each([
    [0, 0],
    [1, 2],
  ])('should add nothing to what commander printed and turn its code %i into %i', (theirs, ours) => {
    const error = Object.assign(new Error('x'), { code: 'commander.unknownOption', exitCode: theirs })
    expect(describeFailure(error)).toEqual({ text: '', exitCode: ours })
  })

  it('should show work that is too large for the memory as one line', () => {
    expect(describeFailure(new MemoryError('conv2d: the memory is exhausted; take less'))).toEqual({
      text: 'conv2d: the memory is exhausted; take less\n',
      exitCode: 1,
    })
  })

  it.runIf(existsSync('/dev/full'))('should show an output that takes no more as one line', async () => {
    const { code, stderr } = await spawnChild('fail.ts', 'full').ended
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^writing the output failed: ENOSPC[^\n]*; free space or send it elsewhere\n$/),
    ])
  })

  it('should show a thrown value that is no error', () => {
    expect(describeFailure('text')).toMatchObject({ text: expect.stringContaining('thrown value: text'), exitCode: 70 })
  })
})

describe('runMain', () => {
  it('should go on for its results when nobody reads its messages any more', async () => {
    const child = spawnChild('fail.ts', 'unread')
    child.process.stderr?.destroy()
    expect(await child.ended).toMatchObject({ code: 0, stdout: 'result\n' })
  })

  it.each([
    ['user', 3, /^weights are missing; run npm run train first\n$/],
    ['usage', 2, /^--steps is -1; use a whole number above 0\n$/],
    ['bug', 70, /^TypeError: [^\n]+\n {4}at [\s\S]+This is a bug in this program[^\n]+\n$/],
    ['timer', 1, /^in a timer; none\n$/],
    ['code', 4, /^$/],
    ['fine', 0, /^$/],
  ])('should end a program by its outcome: %s', async (kind, code, stderr) => {
    const ended = await spawnChild('fail.ts', kind).ended
    expect(ended.code).toBe(code)
    expect(ended.stderr).toMatch(stderr)
  })
})
