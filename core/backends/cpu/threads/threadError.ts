/** A worker thread of the cpu backend failed while it computed its share of an op. */
export class ThreadError extends Error {
  override readonly name = 'ThreadError'
}
