import { InvalidArgumentError } from 'commander'

/** A finite number from the command line. @throws InvalidArgumentError */
export const number = (text: string): number => {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('Use a number.')
  return value
}

/** A whole number of at least `least`, and of at most `most`, from the command line. @throws InvalidArgumentError */
export const wholeNumber =
  (least: number, most?: number) =>
  (text: string): number => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least || value > (most ?? value))
      throw new InvalidArgumentError(`Use a whole number ${most === undefined ? `of at least ${least}` : `from ${least} to ${most}`}.`)
    return value
  }

/** A number of threads; each takes memory, so that many more would end the process. @throws InvalidArgumentError */
export const threadNumber = wholeNumber(1, 1024)

/** The name of a file or folder from the command line; an empty one is a shell variable that is not set. @throws InvalidArgumentError */
export const pathName = (text: string): string => {
  if (text === '') throw new InvalidArgumentError('Name a file or folder, "." for the current folder.')
  return text
}

/**
 * Each value of an option that takes several, as `read` reads it. commander collects values by itself only where nothing reads them:
 * to the first one it passes the option's default (`defaults`, which is replaced), or `true` after the option without a value.
 */
export const listOf =
  <T>(read: (text: string) => T, defaults?: readonly T[]) =>
  (text: string, before: unknown): T[] => [...(Array.isArray(before) && before !== defaults ? (before as T[]) : []), read(text)]
