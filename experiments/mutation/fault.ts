import { UserError } from '../support/errors.ts'

/** A deliberate mistake of one line, and the specs that must notice it. */
export interface Fault {
  readonly id: string
  /** From the project's root. */
  readonly file: string
  /** Occurs exactly once in the file. */
  readonly find: string
  readonly replace: string
  /** What is wrong then, one sentence. */
  readonly description: string
  /** What of the paper or of the test plan it violates: E1 .. E14, P1 .. P66. */
  readonly place: string
  /** `spec file#part of the test's title`, as in spec/claims.ts. Only these run. */
  readonly specs: readonly string[]
}

/** The text of the fault's file with the fault in it. @throws UserError unless `find` occurs exactly once */
export const withFault = (text: string, { id, file, find, replace }: Fault): string => {
  const [before, after, ...more] = text.split(find)
  if (after === undefined || more.length > 0) {
    const times = after === undefined ? 'not at all' : `${more.length + 1} times`
    throw new UserError(
      `mutation: the text of fault ${id} occurs ${times} in ${file}: ${find}`,
      'give in experiments/mutation/faults a text that occurs once',
    )
  }
  return `${before}${replace}${after}`
}

/** The files and the titles (parts of them) of spec references. */
export const splitSpecs = (specs: readonly string[]): { readonly files: string[]; readonly titles: string[] } => {
  const parts = specs.map(reference => reference.split('#') as [string, string | undefined])
  return { files: [...new Set(parts.map(([file]) => file))], titles: [...new Set(parts.map(([, title = '']) => title))] }
}
