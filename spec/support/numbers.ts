import { expect } from 'vitest'

type Values = ArrayLike<number>

export const dot = (a: Values, b: Values): number => {
  let total = 0
  for (let i = 0; i < a.length; i++) total += a[i]! * b[i]!
  return total
}

/** sum |a_i b_i|: the size of the terms of `dot`, to which its error is relative. */
export const absoluteDot = (a: Values, b: Values): number => {
  let total = 0
  for (let i = 0; i < a.length; i++) total += Math.abs(a[i]! * b[i]!)
  return total
}

export const largest = (a: Values): number => {
  let top = 0
  for (let i = 0; i < a.length; i++) top = Math.max(top, Math.abs(a[i]!))
  return top
}

/** Holds when |actual - expected| <= tolerance; says both and their distance when not. */
export const expectNear = (actual: number, expected: number, tolerance: number): void => {
  const distance = Math.abs(actual - expected)
  if (!(distance <= tolerance)) expect.fail(`got ${actual}, expected ${expected}: they differ by ${distance}, allowed ${tolerance}`)
}

/** Holds when all values are within `relative` times the largest expected one (at least 1). */
export const expectAllNear = (actual: Values, expected: Values, relative: number): void => {
  expect(actual.length).toBe(expected.length)
  const tolerance = relative * Math.max(1, largest(expected))
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [actual[i]!, expected[i]!]
    if (!(Math.abs(a - e) <= tolerance) && !Object.is(a, e)) {
      expect.fail(`element ${i}: got ${a}, expected ${e}: they differ by ${Math.abs(a - e)}, allowed ${tolerance}`)
    }
  }
}
