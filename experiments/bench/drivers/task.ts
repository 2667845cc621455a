import { performance } from 'node:perf_hooks'
import { createInterface } from 'node:readline'
import type { Case } from '../cases.ts'
import { type Answer, NOT_SUPPORTED, type Question } from '../protocol.ts'

/** Prepared work of a contestant. */
export interface Task {
  /** Computes everything once and frees the results. */
  run(): unknown
  checksum(): Promise<number>
  release(): void
}

export interface Driver {
  readonly version: string
  /** Null when the library cannot do the work. */
  prepare(work: Case): Task | null | Promise<Task | null>
}

const send = (answer: Answer): void => {
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}

/** Repeats a task for at least `leastMs`; times per repetition. */
const sample = async (task: Task, leastMs: number): Promise<Answer> => {
  const cpuStart = process.cpuUsage()
  const start = performance.now()
  let repetitions = 0
  let wall = 0
  while (repetitions === 0 || wall < leastMs) {
    const pending = task.run()
    if (pending instanceof Promise) await pending
    repetitions++
    wall = performance.now() - start
  }
  const { user, system } = process.cpuUsage(cpuStart)
  return { sample: { wallMs: wall / repetitions, cpuMs: (user + system) / 1000 / repetitions, repetitions } }
}

/** Answers the runner's questions with a driver until standard input ends. See protocol.ts. */
export const serve = async ({ version, prepare }: Driver): Promise<void> => {
  // Libraries greet on the console, which would garble the protocol.
  console.log = console.info = console.warn = () => {}
  let task: Task | null = null
  const answer = async (question: Question): Promise<Answer> => {
    if ('prepare' in question) {
      task = await prepare(question.prepare)
      return task ? { prepared: { checksum: await task.checksum() } } : { cannot: NOT_SUPPORTED }
    }
    if ('sample' in question) return await sample(task!, question.sample.leastMs)
    task?.release()
    task = null
    return { released: true }
  }
  send({ hello: { version } })
  for await (const line of createInterface({ input: process.stdin })) {
    try {
      send(await answer(JSON.parse(line)))
    } catch (error) {
      send({ cannot: error instanceof Error ? error.message.split('\n')[0]! : String(error) })
    }
  }
  process.exit(0)
}
