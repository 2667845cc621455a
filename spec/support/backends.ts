/** Backends on which every invariant runs: the definition, the fast one, and one on which values only arrive later. */
export const backendsUnderTest = ['reference', 'cpu', 'fakeAsync'] as const
