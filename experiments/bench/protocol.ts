import type { Case } from './cases.ts'

/**
 * How the runner talks with a contestant: one JSON object per line, on its standard input and output, one answer per
 * question. A contestant first says hello of its own accord.
 */
export type Question =
  /** Make the inputs, compute once and compare. */
  | { readonly prepare: Case }
  /** Repeat the prepared work for at least so long. */
  | { readonly sample: { readonly leastMs: number } }
  /** Forget the prepared work. */
  | { readonly release: true }

export type Answer =
  | { readonly hello: { readonly version: string } }
  /** Sum over the results of their mean absolute values. */
  | { readonly prepared: { readonly checksum: number } }
  | { readonly sample: Sample }
  | { readonly released: true }
  /** It has no such op, or failed; the reason in a line. */
  | { readonly cannot: string }

/** Milliseconds per repetition: elapsed, and of processor time summed over the process's threads. */
export interface Sample {
  readonly wallMs: number
  readonly cpuMs: number
  readonly repetitions: number
}

/** The reason of a contestant that does not have the op. */
export const NOT_SUPPORTED = 'not supported'
