import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { UserError } from '../support/errors.ts'
import { PEER_PACKAGES } from './contestants.ts'

const installed = (folder: string, name: string): string | undefined => {
  try {
    return JSON.parse(readFileSync(join(folder, 'node_modules', name, 'package.json'), 'utf8')).version
  } catch {
    return undefined
  }
}

/** Packages whose exact version is not in the folder yet. */
export const missingPackages = (folder: string, wanted: Readonly<Record<string, string>> = PEER_PACKAGES): string[] =>
  Object.entries(wanted).flatMap(([name, version]) => (installed(folder, name) === version ? [] : [`${name}@${version}`]))

/**
 * Installs the peers' packages by npm into a folder of their own, without running their scripts. Does nothing when all are there.
 * @throws UserError when npm fails, such as without a network
 */
export const installPeers = async (folder: string): Promise<void> => {
  if (missingPackages(folder).length === 0) return
  process.stderr.write(`installing the peers into ${folder} (once, about 500 MB)\n`)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify({ private: true, dependencies: PEER_PACKAGES }, null, 2)}\n`)
  try {
    const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
    await promisify(execFile)(npm, ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel', 'error'], { cwd: folder })
  } catch (cause) {
    const reason = String((cause as { stderr?: string }).stderr || (cause as Error).message)
      .split('\n')
      .find(line => /error/i.test(line) && !/config/.test(line))
    throw new UserError(
      `the peers cannot be installed into ${folder} (${reason ?? 'npm failed'})`,
      'connect to the npm registry, or run without --peers',
      { cause },
    )
  }
}
