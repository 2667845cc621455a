import type { Entry } from './entry.ts'

/**
 * Runs a command of the bundle with the bundled Node, from any folder. A Vulkan loader that the bundle carries is used
 * only where the machine has none.
 */
const launcher = `#!/bin/sh
here=$(CDPATH= cd -- "$(dirname -- "$(readlink -f -- "$0")")" && pwd) || exit 1
if [ -d "$here/vulkan" ] && ! PATH="$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null | grep -q 'libvulkan\\.so\\.1'; then
  LD_LIBRARY_PATH="$LD_LIBRARY_PATH\${LD_LIBRARY_PATH:+:}$here/vulkan"
  export LD_LIBRARY_PATH
fi
DBP_COMMAND="$0"
export DBP_COMMAND
exec "$here/node" --import "$here/node_modules/tsx/index.mjs" "$here/experiments/cli/main.ts" "$@"
`

const register = `// Stands in for the package tsx: the sources beside this bundle are compiled already.
import { register } from 'node:module'
register('./hooks.mjs', import.meta.url)
`

/** In place of a \`.ts\` file Node gets the \`.js\` file beside it; what it imports and \`import.meta.url\` stay as in the source. */
const hooks = `import { readFile } from 'node:fs/promises'
export const load = async (url, context, next) =>
  /^file:.*\\.ts$/.test(url)
    ? { format: 'module', shortCircuit: true, source: await readFile(new URL(url.replace(/ts$/, 'js'))) }
    : next(url, context)
`

const manifest = { name: 'tsx', version: '0.0.0-bundle', type: 'module', exports: './index.mjs' }

const part = 'launcher'

/** The command \`dbp\`, and a stand-in for the package that runs TypeScript. */
export const launcherEntries = (): Entry[] => [
  { path: 'dbp', content: Buffer.from(launcher), executable: true, part },
  { path: 'node_modules/tsx/package.json', content: Buffer.from(`${JSON.stringify(manifest)}\n`), part },
  { path: 'node_modules/tsx/index.mjs', content: Buffer.from(register), part },
  { path: 'node_modules/tsx/hooks.mjs', content: Buffer.from(hooks), part },
]
