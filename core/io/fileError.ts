/**
 * A file that cannot be read or written, or that does not hold what its format promises.
 *
 * The message is always one line, `<source>: <rule and actual values>; <remedy>`, whatever odd characters a damaged
 * file brings into it, so that a command line can show it as it is.
 */
export class FileError extends Error {
  override readonly name = 'FileError'

  constructor(source: string, rule: string, remedy: string, options?: ErrorOptions) {
    super(oneLine(`${source}: ${rule}; ${remedy}`), options)
  }
}

const MAX_LENGTH = 600

/** Whitespace and control characters become single blanks; a message longer than 600 characters is cut. */
export const oneLine = (text: string): string => {
  const line = text.replace(/[\s\p{Cc}]+/gu, ' ').trim()
  return line.length <= MAX_LENGTH ? line : `${line.slice(0, MAX_LENGTH)}...`
}

/** A key of a file as shown in messages: quoted, escaped, at most about 100 characters. */
export const quoteKey = (key: string): string => JSON.stringify(key.length <= 100 ? key : `${key.slice(0, 97)}...`)
