import { ones, startThreads, stopThreads, useBackend } from '../../../../core/index.ts'

/** Run by pool.spec.ts: uses the threads, then ends without another word, or stops them first. */
await useBackend('cpu')
const threads = await startThreads()
const sum = await ones([100, 100])
  .matmul(ones([100, 100]))
  .sum()
  .item()
process.stdout.write(`${threads} threads, sum ${sum}\n`)
if (process.argv[2] === 'stop') await stopThreads()
