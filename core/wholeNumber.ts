const LARGEST = 2 ** 31 - 1

/** A value of any type on one line: `[1,1]`, `"same"`, `1.5`, `null`. */
export const shown = (value: unknown): string =>
  typeof value === 'object' || typeof value === 'string' ? JSON.stringify(value) : String(value)

/**
 * Refuses an option of an op that is no whole number of at least `least` within 32 bits, as kernels take them. Types do not
 * stop arrays and texts that come from plain JavaScript, and arithmetic takes `[1]` and `'1'` for 1: the kernel fails later.
 * @throws RangeError naming the operation, the option and what was given
 */
export const requireWholeNumber = (operation: string, option: string, value: number, least: number): void => {
  if ((value | 0) === value && value >= least) return
  throw new RangeError(
    `${operation}: ${option} must be a whole number from ${least} to ${LARGEST}, got ${shown(value)}; give one such number`,
  )
}
