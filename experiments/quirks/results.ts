import type { Provenance } from '../support/provenance.ts'
import type { ArmOutcome } from './measureArm.ts'
import type { TieOutcome } from './ties.ts'

/** What `npm run quirks` writes: every outcome, image by image. */
export interface QuirkResults {
  readonly command: string
  readonly provenance: Provenance
  readonly options: Readonly<Record<string, string | number>>
  readonly ties: TieOutcome
  /** By the arm's id. */
  readonly arms: Readonly<Record<string, ArmOutcome>>
}
