import type { DrawName, Source } from './drawName.ts'

/**
 * Which randomness the attacker knows.
 *
 * @paper E13 (Deterministic White-box)
 *
 * A lock set is a predicate over draw names. A locked draw ignores attack step, EoT sample, repetition and purpose: there is
 * one draw per image and diffusion step, the same for every attack step and for the final evaluation.
 *
 *   White = {}   DW_Fwd = {forward}   DW_Rev = {reverse}   DW_Both = {forward, reverse}
 */
export type LockSet = (name: DrawName) => boolean

const locking =
  (...sources: readonly Source[]): LockSet =>
  name =>
    sources.includes(name.source)

/** Nothing is known: the attacker meets fresh noise at every step. */
export const white: LockSet = locking()
export const dwForward: LockSet = locking('forward')
export const dwReverse: LockSet = locking('reverse')
export const dwBoth: LockSet = locking('forward', 'reverse')

/** By the names of the paper. */
export const lockSets = { White: white, DW_Fwd: dwForward, DW_Rev: dwReverse, DW_Both: dwBoth } as const
export type LockSetName = keyof typeof lockSets
