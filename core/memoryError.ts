/** A backend's memory cannot hold what is asked for: the work is too large for it, which is no fault of the program. */
export class MemoryError extends Error {
  override readonly name = 'MemoryError'
}
