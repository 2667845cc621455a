import { type ChildProcess, spawn } from 'node:child_process'

export interface Child {
  readonly process: ChildProcess
  /** Resolves once the child has printed `text` on stdout. */
  printed(text: string): Promise<void>
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }>
}

/** Runs a TypeScript file of this folder in a Node process of its own. */
export const spawnChild = (name: string, ...args: string[]): Child => {
  const child = spawn(process.execPath, ['--import', 'tsx', new URL(name, import.meta.url).pathname, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', data => {
    stdout += data
  })
  child.stderr.on('data', data => {
    stderr += data
  })
  const ended: Child['ended'] = new Promise(resolve => child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr })))
  const printed = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (stdout.includes(text)) resolve()
      }
      look()
      child.stdout.on('data', look)
      ended.then(() => reject(new Error(`child ended without printing "${text}": ${stderr}`)))
    })
  return { process: child, printed, ended }
}
