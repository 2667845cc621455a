import fc from 'fast-check'

const defaultSeed = 20250424

const numberFrom = (name: string, fallback: number): number => {
  const text = process.env[name]
  if (text === undefined || text === '') return fallback
  const value = Number(text)
  if (!Number.isFinite(value)) throw new RangeError(`${name}: must be a number, got "${text}"; unset it or give a number`)
  return value
}

/** Seed of every property: fixed, so that a run can be repeated; the environment variable SPEC_SEED replaces it. */
export const specSeed = (): number => numberFrom('SPEC_SEED', defaultSeed)

/** Runs of a property: `count` times the environment variable SPEC_RUNS (default 1), at least one. */
export const runs = (count: number): number => Math.max(1, Math.round(count * numberFrom('SPEC_RUNS', 1)))

const shellQuoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

const patternOf = (title: string): string => title.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** The command that runs one test again, from the same seed. */
export const replayCommand = (seed: number, test: { readonly file: string; readonly title: string }): string => {
  const multiplier = process.env.SPEC_RUNS ? `SPEC_RUNS=${process.env.SPEC_RUNS} ` : ''
  const mode = process.env.SPEC_BACKENDS === 'gpu' ? ' --mode gpu' : ''
  return `SPEC_SEED=${seed} ${multiplier}npx vitest run${mode} ${test.file} -t ${shellQuoted(patternOf(test.title))}`
}

const longest = 2000

/** The error of a failed property: what was shrunk to, the reason, seed and path, and the one command that repeats it. */
export const describeFailure = (
  details: fc.RunDetails<unknown>,
  test: { readonly file: string; readonly title: string } | undefined,
): Error => {
  const counterexample = details.counterexample === null ? 'none (too many values were skipped)' : fc.stringify(details.counterexample)
  const cause = details.errorInstance instanceof Error ? details.errorInstance : undefined
  const lines = [
    `property failed after ${details.numRuns} runs and ${details.numShrinks} shrinks: ${cause?.message ?? String(details.errorInstance)}`,
    `counterexample: ${counterexample.length > longest ? `${counterexample.slice(0, longest)}...` : counterexample}`,
    `seed: ${details.seed}, path: ${details.counterexamplePath ?? 'none'}`,
  ]
  if (test) lines.push(`replay: ${replayCommand(details.seed, test)}`)
  return new Error(lines.join('\n'), { cause })
}
