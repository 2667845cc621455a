// @ts-check
/** A worker thread that claims its first job and ends in the middle of it. */
import { workerData } from 'node:worker_threads'
import { word, wordsOf } from '../../../../core/backends/cpu/threads/layout.mjs'

const words = wordsOf(workerData.buffer)
Atomics.store(words, word.ready, 1)
for (;;) {
  const published = Atomics.load(words, word.published)
  const claimed = Atomics.load(words, word.claimed)
  if (published > 0 && Atomics.compareExchange(words, word.claimed, claimed, claimed + 1) === claimed) process.exit(1)
  Atomics.wait(words, word.published, published, 10)
}
