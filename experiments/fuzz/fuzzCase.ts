import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { FileError } from '../../core/io/fileError.ts'
import { foldIn, key } from '../../core/random/key.ts'
import { UserError } from '../support/errors.ts'
import { FUZZ_FORMATS, type FuzzFormat } from './formats.ts'
import { diceOf, mutated } from './mutations.ts'

/** What became of one damaged file. */
export interface CaseResult {
  readonly outcome: 'loaded' | 'refused' | 'violation'
  /** Of a violation. */
  readonly rule?: string
  readonly milliseconds: number
  /** Memory allocated while reading, an upper bound of what was held at a time. */
  readonly bytes: number
}

/** What reading a file may take beside twice its size: the base of `memoryBudget`, and as much for the reader's own objects. */
const EXTRA_BYTES = 32 * 2 ** 20
const BYTES_PER_FILE_BYTE = 2

const allocated = (): number => {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Only errors written for the user count as clear: of our own types, on one line. */
const unclear = (error: unknown): string | undefined => {
  if (!(error instanceof FileError || error instanceof UserError)) return `threw ${error instanceof Error ? error.stack : String(error)}`
  return /^[^\n]+$/.test(error.message) ? undefined : `its message is not one line: ${JSON.stringify(error.message)}`
}

/** Reads one file and judges what happens. */
const judged = async (read: () => unknown, fileBytes: number): Promise<CaseResult> => {
  const [before, started] = [allocated(), performance.now()]
  let outcome: CaseResult['outcome'] = 'loaded'
  let rule: string | undefined
  try {
    await read()
  } catch (error) {
    outcome = 'refused'
    rule = unclear(error)
  }
  const milliseconds = performance.now() - started
  const bytes = Math.max(0, allocated() - before)
  const limit = EXTRA_BYTES + BYTES_PER_FILE_BYTE * fileBytes
  if (bytes > limit) rule ??= `it took ${bytes} bytes, a file of ${fileBytes} may take ${limit}`
  return rule === undefined ? { outcome, milliseconds, bytes } : { outcome: 'violation', rule, milliseconds, bytes }
}

/** The cases of one format and seed, by number. Each depends on nothing but seed, format and number. */
export const fuzzCases = (name: string, seed: number, folder: string, format: FuzzFormat = FUZZ_FORMATS[name]!) => {
  const { seeds, wrap = (bytes: Uint8Array) => bytes, file = 'file', prepare = () => {}, read } = format
  mkdirSync(folder, { recursive: true })
  prepare(folder)
  const valid = seeds()
  const path = join(folder, file)
  const write = (bytes: Uint8Array): number => {
    const whole = wrap(bytes)
    writeFileSync(path, whole)
    return whole.length
  }
  const caseKey = foldIn(foldIn(key(seed), 'fuzz'), name)
  return {
    /** Every seed as it is: it must load. */
    undamaged: async (): Promise<CaseResult[]> => {
      const results: CaseResult[] = []
      for (const bytes of valid) results.push(await judged(() => read(path), write(bytes)))
      return results
    },
    run: (index: number): Promise<CaseResult> => {
      const dice = diceOf(foldIn(caseKey, index))
      const size = write(mutated(valid[dice(valid.length)]!, dice))
      return judged(() => read(path), size)
    },
  }
}
