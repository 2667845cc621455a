import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { useBackend } from '../../../core/index.ts'
import { cacheFolder } from '../../../core/io/cacheFolder.ts'
import { fetchModel, isHubName } from '../../../experiments/fetch/hub.ts'
import { modelFolder } from '../../../experiments/fetch/modelFolder.ts'
import { createProgress } from '../../../experiments/support/progress.ts'
import { callProgram } from '../cli/callProgram.ts'
import { saveClassifier, saveDiffusersFolder } from '../evaluate/checkpoints.ts'
import { COMMIT, type LocalHub, startHub } from './localHub.ts'

const NAME = 'someone/ddpm-digits'
const WEIGHTS = 'diffusion_pytorch_model.safetensors'

let root: string
let model: string
let cache: string
let hub: LocalHub

beforeAll(async () => {
  await useBackend('cpu')
})
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'hub-'))
  model = join(root, 'model')
  cache = join(root, 'cache')
  saveDiffusersFolder(model, { scheduler: { num_train_timesteps: 50 } })
  writeFileSync(join(model, 'README.md'), 'not needed')
  writeFileSync(join(model, 'diffusion_pytorch_model.bin'), 'not needed beside safetensors')
  hub = await startHub(NAME, model)
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await hub.close()
  rmSync(root, { recursive: true, force: true })
})

const silent = (o: Parameters<typeof createProgress>[0]) => createProgress({ ...o, silent: true })
const options = () => ({ cache, hubUrl: hub.url, progress: silent })
const get = (name = NAME) => fetchModel(name, options())

const failure = async (name = NAME): Promise<string> => {
  const error = await get(name).then(
    () => new Error('nothing failed'),
    (thrown: Error) => thrown,
  )
  expect(['UserError', 'FileError']).toContain(error.name)
  expect(error.message).not.toContain('\n')
  return error.message
}

const expectSame = (folder: string, files: readonly string[]): void => {
  for (const file of files) expect(readFileSync(join(folder, file)).equals(readFileSync(join(model, file)))).toBe(true)
}

describe('a model of the hub', () => {
  it('should come with configuration, schedule and one file of weights, and nothing else', async () => {
    const { folder, commit } = await get()
    expect(commit).toBe(COMMIT)
    expect(folder.startsWith(cache)).toBe(true)
    expectSame(folder, ['config.json', 'scheduler_config.json', WEIGHTS])
    expect(hub.given()).toEqual(['config.json', 'scheduler_config.json', WEIGHTS])
  })

  it('should come from the folders of a pipeline, where it is one', async () => {
    rmSync(model, { recursive: true })
    saveDiffusersFolder(model, { pipeline: true, scheduler: {} })
    const { folder } = await get()
    expectSame(folder, ['unet/config.json', 'scheduler/scheduler_config.json', `unet/${WEIGHTS}`])
  })

  it('should need no network once it is in the cache', async () => {
    const first = await get()
    const asked = hub.requests.length
    await hub.close()
    expect(await get()).toEqual(first)
    expect(hub.requests).toHaveLength(asked)
  })

  it('should be fetched again where the cache is damaged, and say so without network', async () => {
    const { folder } = await get()
    const bytes = readFileSync(join(folder, WEIGHTS))
    bytes[bytes.length - 1]! ^= 1
    writeFileSync(join(folder, WEIGHTS), bytes)
    await get()
    expectSame(folder, [WEIGHTS])
    expect(hub.given().slice(3)).toEqual([WEIGHTS])
    writeFileSync(join(folder, 'config.json'), '{}')
    await hub.close()
    expect(await failure()).toContain('cannot be reached (ECONNREFUSED)')
  })

  it('should be refused when the hub gives other bytes than it announced, large file or small', async () => {
    for (const [file, name] of [
      ['config.json', 'git SHA-1'],
      [WEIGHTS, 'SHA-256'],
    ] as const) {
      hub.spoiled.set(
        file,
        readFileSync(join(model, file)).map(byte => byte ^ 1),
      )
      expect(await failure()).toMatch(new RegExp(`${file} is not the file expected: its ${name} is [0-9a-f]+ instead of`))
      expect(existsSync(join(cache, 'models', 'someone--ddpm-digits', file))).toBe(false)
      hub.spoiled.clear()
    }
    expectSame((await get()).folder, [WEIGHTS])
  })

  it('should say when there is none of that name', async () => {
    expect(await failure('someone/else')).toBe(
      `there is no folder someone/else, and ${hub.url} has no public model of that name (status 401); check the name`,
    )
  })

  it('should say what to do without network and cache', async () => {
    await hub.close()
    expect(await failure()).toMatch(
      /^there is no folder .*, the model .* is not in the cache and .* cannot be asked \(ECONNREFUSED\); check the network, or fetch it where there is one and copy the cache folder \(DBP_CACHE\)/,
    )
  })

  it('should say when a model is none of diffusers', async () => {
    rmSync(join(model, WEIGHTS))
    rmSync(join(model, 'diffusion_pytorch_model.bin'))
    expect(await failure()).toContain(`${NAME} has no weights diffusion_pytorch_model.safetensors, `)
    rmSync(join(model, 'config.json'))
    expect(await failure()).toContain(`${NAME} has no config.json; name a diffusion model that diffusers has saved`)
  })

  it('should refuse a list of files that was tampered with', async () => {
    const { folder } = await get()
    const manifest = join(folder, 'manifest.json')
    const text = readFileSync(manifest, 'utf8')
    for (const [from, to] of [
      ['"config.json"', '"../config.json"'],
      ['"config.json"', '"/etc/config.json"'],
      [COMMIT, 'main'],
      ['{', ''],
    ] as const) {
      writeFileSync(manifest, text.replace(from, to))
      expect(await failure()).toContain('manifest.json: this is not the list of files that was kept here; delete its folder')
    }
  })
})

describe('modelFolder', () => {
  it('should prefer a folder to a name', async () => {
    expect(isHubName('spec/experiments') && existsSync('spec/experiments')).toBe(true)
    for (const folder of [model, 'spec/experiments']) expect(await modelFolder(folder, options())).toEqual({ folder })
    expect(await modelFolder(join(root, 'missing'), options())).toEqual({ folder: join(root, 'missing') })
    expect(hub.requests).toHaveLength(0)
    expect((await modelFolder(NAME, options())).commit).toBe(COMMIT)
  })

  it('should take owner/name for a name and no path that leads elsewhere', () => {
    for (const text of ['google/ddpm-cifar10-32', 'a/b', 'A1/b_2.c']) expect(isHubName(text)).toBe(true)
    fc.assert(
      fc.property(fc.constantFrom('../', './', '/', '~/', '.hidden/'), fc.string(), (start, rest) => {
        expect(isHubName(start + rest)).toBe(false)
      }),
    )
    for (const text of ['a', 'a/', 'a/b/c', 'a/..', 'a/b?c', 'a b/c', 'C:\\a/b', 'a/b\n']) expect(isHubName(text)).toBe(false)
  })
})

describe('cacheFolder', () => {
  it('should be the one of the environment, else one of the user', () => {
    expect(cacheFolder({ DBP_CACHE: '/a', XDG_CACHE_HOME: '/b' })).toBe('/a')
    expect(cacheFolder({ XDG_CACHE_HOME: '/b' })).toBe(join('/b', 'dbp-reference'))
    expect(cacheFolder({})).toMatch(/.+dbp-reference$/)
  })
})

describe('evaluate --purifier', () => {
  it('should purify with a model of the hub as with its folder, offline too, and tell its commit', async () => {
    vi.stubEnv('HF_ENDPOINT', hub.url)
    vi.stubEnv('DBP_CACHE', cache)
    const checkpoint = join(root, 'wrn.safetensors')
    saveClassifier(checkpoint)
    const report = async (purifier: string) => {
      const args = [
        '--arch',
        'wrn-10-1',
        '--dataset',
        'digits',
        '--limit',
        '8',
        '--checkpoint',
        checkpoint,
        '--t-star',
        '0.4',
        '--steps',
        '2',
      ]
      const { code, stdout, stderr } = await callProgram('evaluate', ...args, '--purify', 'ddpm', '--purifier', purifier, '--json')
      expect([code, stderr]).toEqual([0, ''])
      return JSON.parse(stdout)
    }
    const { provenance: _, options: folderOptions, ...wanted } = await report(model)
    expect(folderOptions).not.toHaveProperty('purifierCommit')
    expect(await report(NAME)).toMatchObject({ ...wanted, options: { purifier: NAME, purifierCommit: COMMIT } })
    await hub.close()
    expect(await report(NAME)).toMatchObject({ ...wanted, options: { purifierCommit: COMMIT } })
  })
})
