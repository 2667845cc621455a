import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { leftOut, projectFiles } from '../../../experiments/bundle/contents.ts'
import { packageFiles, packageFolders } from '../../../experiments/bundle/packages.ts'
import { readTree } from '../../../experiments/bundle/readTree.ts'

let root: string
const put = (path: string, text = ''): void => {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
}
const manifest = (folder: string, content: object): void => put(join(folder, 'package.json'), JSON.stringify(content))

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'bundle-'))
  manifest('.', {
    dependencies: { used: '1', unused: '1', '@scope/lazy': '1' },
    optionalDependencies: { absent: '1', picture: '1' },
    devDependencies: { tester: '1' },
  })
  put('src/a.ts', "import { x } from 'used/part.js'\nimport { t } from 'tester'\nconst y = await import('@scope/lazy')\n")
  put('src/b.mjs', "import 'absent'\nimport p from 'picture'\nimport { readFileSync } from 'node:fs'\nimport './used.ts'\n")
  manifest('node_modules/used', { dependencies: { deep: '2' } })
  manifest('node_modules/used/node_modules/deep', { dependencies: { shared: '1', beside: '1' }, optionalDependencies: { elsewhere: '1' } })
  manifest('node_modules/used/node_modules/beside', {})
  manifest('node_modules/@scope/lazy', { dependencies: { deep: '1' } })
  for (const name of ['deep', 'shared', 'unused', 'picture', 'tester']) manifest(`node_modules/${name}`, { dependencies: { shared: '1' } })
  for (const path of [
    'index.js',
    'index.d.ts',
    'index.js.map',
    'LICENSE',
    'LICENSE.md',
    'README.md',
    'docs/a.js',
    'lib/test/a.js',
    'lib/latest.js',
    'dist/linux-x64/dawn.node',
    'dist/win32-x64/dawn.node',
    'src/a.ts',
    'node_modules/inner/index.js',
  ])
    put(join('node_modules/used', path))
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

const sources = ['src/a.ts', 'src/b.mjs']

describe('the packages of a bundle', () => {
  it('should be the imported ones for production and all they need, each where Node finds it', () => {
    expect(packageFolders(root, sources).sort()).toEqual([
      'node_modules/@scope/lazy',
      'node_modules/deep',
      'node_modules/picture',
      'node_modules/shared',
      'node_modules/used',
      'node_modules/used/node_modules/beside',
      'node_modules/used/node_modules/deep',
    ])
  })

  it('should leave out those that are to be left out', () => {
    expect(packageFolders(root, sources, { without: ['picture', '@scope/lazy'] }).sort()).toEqual([
      'node_modules/shared',
      'node_modules/used',
      'node_modules/used/node_modules/beside',
      'node_modules/used/node_modules/deep',
    ])
  })

  it('should be found for the project, whether gl was compiled or not', () => {
    const project = fileURLToPath(new URL('../../../', import.meta.url))
    const files = projectFiles(project, { golden: false }).filter(path => /\.(ts|mjs)$/.test(path))
    const folders = packageFolders(project, files, { without: leftOut })
    expect(folders).toContain('node_modules/gpu.js')
    expect(folders.filter(folder => /\/(gl|tsx)$/.test(folder))).toEqual([])
  })

  it('should all be installed', () => {
    manifest('broken', { dependencies: { gone: '1' } })
    put('broken/a.ts', "import 'gone'")
    expect(() => packageFolders(join(root, 'broken'), ['a.ts'])).toThrow('bundle: the package gone is not installed; run npm ci')
  })
})

describe('the files of a package', () => {
  it('should be what it runs from on linux-x64, and its licence', () => {
    expect(
      packageFiles(root, 'node_modules/used')
        .map(path => path.slice('node_modules/used/'.length))
        .sort(),
    ).toEqual(['LICENSE', 'LICENSE.md', 'dist/linux-x64/dawn.node', 'index.js', 'lib/latest.js', 'package.json'])
  })

  it('should not be links', () => {
    put('linked/a.js')
    symlinkSync('/etc/passwd', join(root, 'linked/b.js'))
    expect(() => readTree(root, 'linked')).toThrow(/^bundle: .*linked\/b\.js is a link or a special file; replace it/)
  })
})
