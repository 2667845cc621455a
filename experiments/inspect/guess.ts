import type { Candidate } from './candidate.ts'
import { candidates } from './candidates.ts'
import type { Shapes } from './shapes.ts'

/** The network that a checkpoint most likely belongs to. */
export interface Guess {
  readonly network: Candidate['network']
  readonly config: Readonly<Record<string, unknown>>
  /** Options that the weights do not tell. */
  readonly unknown: readonly string[]
  /** 'certain': names and shapes are exactly those of the network; 'likely': nine in ten are; 'possible': fewer. */
  readonly sure: 'certain' | 'likely' | 'possible'
  /** Tensors that are as the network needs them, of all that are in the file or needed. */
  readonly agreeing: number
  readonly compared: number
}

const LIKELY = 0.9

/** Counters of batches, which old files lack and which no result depends on. */
const isCounter = (name: string): boolean => /(^|\.)num_batches_tracked$/.test(name)

const sameShape = (a: readonly number[], b: readonly number[]): boolean => a.length === b.length && a.every((n, axis) => n === b[axis])

const judged = ({ network, config, unknown, found, expected }: Candidate): Guess => {
  let needed: Shapes = {}
  try {
    needed = expected()
  } catch {
    // No network has this configuration: none of the tensors agrees.
  }
  const names = new Set([...Object.keys(found), ...Object.keys(needed)].filter(name => !isCounter(name)))
  const has = (shapes: Shapes, name: string): boolean => Object.hasOwn(shapes, name)
  const agreeing = [...names].filter(name => has(found, name) && has(needed, name) && sameShape(found[name]!, needed[name]!)).length
  const share = agreeing / names.size
  return {
    network,
    config,
    unknown,
    sure: share === 1 ? 'certain' : share >= LIKELY ? 'likely' : 'possible',
    agreeing,
    compared: names.size,
  }
}

/** The best of the candidates that the names suggest; null when they suggest none. */
export const guessNetwork = (shapes: Shapes): Guess | null =>
  candidates(shapes)
    .map(judged)
    .sort((a, b) => b.agreeing / b.compared - a.agreeing / a.compared)[0] ?? null
