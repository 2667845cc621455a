import { InvalidArgumentError } from 'commander'

/** A finite number from the command line. @throws InvalidArgumentError */
export const number = (text: string): number => {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('Use a number.')
  return value
}

/** A whole number of at least `least` from the command line. @throws InvalidArgumentError */
export const wholeNumber =
  (least: number) =>
  (text: string): number => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least)
      throw new InvalidArgumentError(`Use a whole number of at least ${least}.`)
    return value
  }
