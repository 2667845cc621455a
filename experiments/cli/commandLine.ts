import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url)).replace(/[\\/]$/, '')

/** A word as a POSIX shell takes it. */
const quote = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)

/** How the launcher of an offline bundle was called, where there is no npm. */
export const launcher = (): string | undefined => process.env.DBP_COMMAND

/** The scripts whose calls are printed. */
type Script = 'start' | 'train' | 'landscape' | 'quirks'

/** How a script of package.json is called from the current folder. */
const scriptCall = (script: Script): string => {
  const npm = process.cwd() === root ? 'npm' : `npm --prefix ${quote(root)}`
  return script === 'start' ? `${npm} start` : `${npm} run ${script}`
}

/**
 * The command line that calls a script with the given options, such as `npm start -- --t-star 0.2 --full`, for messages
 * to copy. npm runs scripts in the project's folder, so paths (`paths`) given elsewhere become absolute.
 */
export const commandLine = (
  script: Script,
  options: Readonly<Record<string, unknown>>,
  { paths = [] }: { readonly paths?: readonly string[] } = {},
): string => {
  const elsewhere = process.cwd() !== root && launcher() === undefined
  const words = Object.entries(options).flatMap(([name, value]) => {
    if (value === undefined || value === false) return []
    const flag = `--${name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`
    if (value === true) return [flag]
    const texts = [value].flat().map(String)
    return [flag, ...texts.map(text => (elsewhere && paths.includes(name) ? resolve(text) : text))]
  })
  const bundled = launcher()
  if (bundled !== undefined) return [bundled, script === 'start' ? 'run' : script, ...words].map(quote).join(' ')
  return words.length > 0 ? `${scriptCall(script)} -- ${words.map(quote).join(' ')}` : scriptCall(script)
}
