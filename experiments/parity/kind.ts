import type { Comparison } from './comparison.ts'
import type { GoldenFile, GoldenFolder } from './goldenFolder.ts'

/** Files of one stem: `unet2d_cifar4.weights` and `unet2d_cifar4.io` are the roles weights and io of one case. */
export interface GoldenCase {
  readonly stem: string
  readonly folder: GoldenFolder
  /** The file of a role ('' for a file without one), read once; undefined when there is none. */
  find(role: string): GoldenFile | undefined
  /** @throws FileError when there is no file of this role */
  get(role: string): GoldenFile
}

/** One kind of golden vectors, told by the beginning of the stem, and how our implementation answers it. */
export interface ParityKind {
  readonly name: string
  readonly stem: RegExp
  /** Computes everything on the current backend and pairs it with what the files expect. */
  run(golden: GoldenCase): Promise<Comparison[]>
}
