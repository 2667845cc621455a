import { createRequire } from 'node:module'
import { join } from 'node:path'

/** A peer's CommonJS entry in the peers' folder, which the runner names in BENCH_PEERS. */
export const peerRequire = createRequire(join(process.env.BENCH_PEERS ?? '.', 'package.json'))

/** Which peer a driver for several is to be. */
export const contestantName = process.env.BENCH_CONTESTANT ?? ''

/** Version of a peer's package. */
export const peerVersion = (name: string): string => peerRequire(`${peerRequire.resolve.paths('x')![0]}/${name}/package.json`).version
