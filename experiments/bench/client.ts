import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Answer, Question } from './protocol.ts'

/** How to start a contestant's process. */
export interface Program {
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** A contestant's process, started when first asked and again after it died or was too slow. */
export interface Client {
  /** Undefined when no answer came within the limit; the process is then ended. @throws Error when it dies or says nonsense */
  ask(question: Question, limitMs: number): Promise<Answer | undefined>
  /** What it said of itself. @throws Error when it does not start */
  version(): Promise<string>
  close(): void
}

const START_LIMIT_MS = 60_000

interface Running {
  readonly child: ChildProcess
  /** The next line, or the reason why there is none. */
  next(limitMs: number): Promise<Answer | undefined>
}

const start = ({ command, args, env }: Program): Running => {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] })
  const answers: Answer[] = []
  let errors = ''
  let ended: Error | undefined
  let wake = (): void => {}
  const end = (reason: string): void => {
    // Python ends with the error, Node begins with it and ends with its version.
    const line = errors.split('\n').findLast(text => /\w*Error\b.*:|^error/.test(text))
    ended ??= new Error(line ? `${reason}: ${line.trim()}` : reason)
    wake()
  }
  child.stderr!.on('data', data => {
    errors = (errors + data).slice(-4000)
  })
  createInterface({ input: child.stdout! }).on('line', line => {
    try {
      answers.push(JSON.parse(line))
      wake()
    } catch {
      end(`not an answer: ${line.slice(0, 80)}`)
    }
  })
  child.stdin!.on('error', () => {})
  child.on('error', error => end(error.message))
  child.on('close', (code, signal) => end(`ended with ${signal ?? `code ${code}`}`))
  const next = async (limitMs: number): Promise<Answer | undefined> => {
    if (answers.length === 0 && !ended) {
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, limitMs)
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    const answer = answers.shift()
    if (!answer && ended) throw ended
    return answer
  }
  return { child, next }
}

export const createClient = (program: Program): Client => {
  let running: Running | undefined
  let known: string | undefined
  const close = (): void => {
    running?.child.kill('SIGKILL')
    running = undefined
  }
  const ready = async (): Promise<Running> => {
    if (running) return running
    running = start(program)
    const hello = await running.next(START_LIMIT_MS)
    if (!hello || !('hello' in hello)) {
      close()
      throw new Error(hello ? 'it does not say hello first' : `it does not start within ${START_LIMIT_MS / 1000} s`)
    }
    known = hello.hello.version
    return running
  }
  const guarded = async <T>(body: () => Promise<T>): Promise<T> => {
    try {
      return await body()
    } catch (error) {
      close()
      throw error
    }
  }
  return {
    ask: (question, limitMs) =>
      guarded(async () => {
        const { child, next } = await ready()
        child.stdin!.write(`${JSON.stringify(question)}\n`)
        const answer = await next(limitMs)
        if (!answer) close()
        return answer
      }),
    version: () =>
      guarded(async () => {
        await ready()
        return known!
      }),
    close,
  }
}
