import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Fault, withFault } from './fault.ts'

/** A private copy of the project, in which faults can be planted. */
export interface ProjectCopy {
  readonly root: string
  /** Runs `work` while the fault is in its file. */
  withFault<T>(fault: Fault, work: () => Promise<T>): Promise<T>
  remove(): void
}

const copied = ['core', 'algorithms', 'experiments', 'spec', 'package.json', 'tsconfig.json', 'vitest.config.ts']

/** The packages are not copied but linked to. */
export const copyProject = (projectRoot: string): ProjectCopy => {
  const root = mkdtempSync(join(tmpdir(), 'mutation-'))
  for (const path of copied) cpSync(join(projectRoot, path), join(root, path), { recursive: true })
  symlinkSync(join(projectRoot, 'node_modules'), join(root, 'node_modules'), 'junction')
  return {
    root,
    async withFault(fault, work) {
      const path = join(root, fault.file)
      const text = readFileSync(path, 'utf8')
      writeFileSync(path, withFault(text, fault))
      try {
        return await work()
      } finally {
        writeFileSync(path, text)
      }
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  }
}
