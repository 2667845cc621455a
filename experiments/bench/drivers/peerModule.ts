import { createRequire } from 'node:module'
import { join } from 'node:path'

/** A path in the peers' node_modules, whose folder the runner names in BENCH_PEERS. */
export const peerPath = (...parts: readonly string[]): string => join(process.env.BENCH_PEERS ?? '.', 'node_modules', ...parts)

/** Loads a peer's CommonJS entry. */
export const peerRequire = createRequire(peerPath('package.json'))

/** Which peer a driver for several is to be. */
export const contestantName = process.env.BENCH_CONTESTANT ?? ''

/** Version of a peer's package. */
export const peerVersion = (name: string): string => peerRequire(peerPath(name, 'package.json')).version
