import { homedir, platform } from 'node:os'
import { join } from 'node:path'

/** The environment variable that names another cache folder. */
export const CACHE_VARIABLE = 'DBP_CACHE'

const userCache = (env: NodeJS.ProcessEnv): string => {
  if (env.XDG_CACHE_HOME) return env.XDG_CACHE_HOME
  if (platform() === 'win32') return env.LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local')
  return platform() === 'darwin' ? join(homedir(), 'Library', 'Caches') : join(homedir(), '.cache')
}

/** Where fetched models and data, and measurements of this machine, are kept: `DBP_CACHE` if set, else `dbp-reference` where the system keeps a user's caches. */
export const cacheFolder = (env: NodeJS.ProcessEnv = process.env): string => env[CACHE_VARIABLE] || join(userCache(env), 'dbp-reference')
