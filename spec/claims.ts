/** A statement of the paper, or one this project adds to it, with what implements it and what tests it. */
export interface Claim {
  /** What `@paper` tags name: an equation of the paper (`E8`), an algorithm, or the subject of a claim. */
  readonly id: string
  /** Where in the paper. */
  readonly place: string
  readonly statement: string
  /** `file#symbol`; code that carries a `@paper` tag of the id is found without being listed. */
  readonly code: readonly string[]
  /** `spec file#part of the test's title`. */
  readonly specs: readonly string[]
  /** Properties of the test plan that it covers. */
  readonly properties: readonly string[]
  /** Where this implementation knowingly differs from the paper or the published scripts. */
  readonly deviations?: string
}

export const claims: readonly Claim[] = []
