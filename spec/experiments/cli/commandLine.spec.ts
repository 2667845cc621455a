import { tmpdir } from 'node:os'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { commandLine } from '../../../experiments/cli/commandLine.ts'

afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
})

describe('commandLine', () => {
  it('should write options as flags, without those that are not set', () => {
    expect(commandLine('start', {})).toBe('npm start')
    expect(commandLine('train', { tStar: 0.2, full: true, quiet: false, weights: undefined, only: ['a', 'b'] })).toBe(
      'npm run train -- --t-star 0.2 --full --only a b',
    )
  })

  it('should quote what a shell would take apart', () => {
    expect(commandLine('start', { out: "Anna's runs", id: 'a-1.b' })).toBe(`npm start -- --out 'Anna'\\''s runs' --id a-1.b`)
  })

  it('should name the launcher of a bundle, which needs no npm and runs where it is called', () => {
    vi.stubEnv('DBP_COMMAND', './dbp-bundle/dbp')
    vi.spyOn(process, 'cwd').mockReturnValue(tmpdir())
    expect(commandLine('start', { out: 'runs' }, { paths: ['out'] })).toBe('./dbp-bundle/dbp run --out runs')
    expect(commandLine('train', {})).toBe('./dbp-bundle/dbp train')
  })

  it('should be right in another folder too', () => {
    const root = process.cwd()
    vi.spyOn(process, 'cwd').mockReturnValue(tmpdir())
    expect(commandLine('start', { out: 'runs', norm: 'l2' }, { paths: ['out'] })).toBe(
      `npm --prefix ${root} start -- --out ${tmpdir()}/runs --norm l2`,
    )
  })
})
