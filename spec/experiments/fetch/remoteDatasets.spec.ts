import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { DATASETS } from '../../../experiments/data/datasets.ts'
import { tarFile } from '../../../experiments/data/tar.ts'
import { fetchDataset, type RemoteDataset, remoteFiles, remoteNames } from '../../../experiments/fetch/remoteDatasets.ts'
import { createProgress } from '../../../experiments/support/progress.ts'
import { callProgram } from '../cli/callProgram.ts'
import { tarArchive } from '../data/tarArchive.ts'
import { type LocalServer, startServer } from './localServer.ts'

describe('tarFile', () => {
  it('should find each file of an archive, whatever its size', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 1100 }), { minLength: 1, maxLength: 5 }), contents => {
        const archive = tarArchive([
          { name: 'a/', bytes: new Uint8Array(0), type: '5' },
          ...contents.map((bytes, i) => ({ name: `a/${i}`, bytes })),
        ])
        for (const [i, bytes] of contents.entries()) expect(new Uint8Array(tarFile(archive, `a/${i}`, 'x.tar'))).toEqual(bytes)
      }),
    )
  })

  it('should refuse what it does not find, links, and damage', () => {
    const bytes = new Uint8Array(700)
    const archive = tarArchive([{ name: 'a', bytes }])
    expect(() => tarFile(archive, 'b', 'x.tar')).toThrow('x.tar: tar archive has no file "b"; delete the archive and fetch it again')
    expect(() => tarFile(tarArchive([{ name: 'a', bytes, type: '2' }]), 'a', 'x.tar')).toThrow('has no file "a"')
    expect(() => tarFile(archive.subarray(0, 1000), 'a', 'x.tar')).toThrow('"a" goes beyond the archive\'s 1000 bytes')
    const wrong = Buffer.from(archive)
    wrong[0]! ^= 1
    expect(() => tarFile(wrong, 'a', 'x.tar')).toThrow('tar header at byte 0 has a wrong checksum')
  })
})

describe('fetchDataset', () => {
  const image = Uint8Array.from({ length: 3073 }, (_, i) => (i === 0 ? 7 : i % 256))
  const archive = gzipSync(
    tarArchive([
      { name: 'c/data_batch_1.bin', bytes: new Uint8Array(3073) },
      { name: 'c/test_batch.bin', bytes: image },
    ]),
  )
  let server: LocalServer
  let cache: string
  let sets: Record<string, RemoteDataset>
  beforeEach(async () => {
    cache = mkdtempSync(join(tmpdir(), 'test-sets-'))
    vi.stubEnv('DBP_CACHE', cache)
    server = await startServer((request, response) => server.send(request, response, archive))
    const sha256 = createHash('sha256').update(archive).digest('hex')
    const remote = { url: `${server.url}/c.tar.gz`, size: archive.length, sha256 }
    sets = {
      cifar10: {
        test: [{ ...remote, members: [{ name: 'c/test_batch.bin', size: image.length }] }],
        train: [{ ...remote, members: [{ name: 'c/data_batch_1.bin', size: 3073 }] }],
      },
    }
  })
  afterEach(async () => {
    vi.unstubAllEnvs()
    await server.close()
    rmSync(cache, { recursive: true, force: true })
  })
  const get = (name = 'cifar10', split: 'test' | 'train' = 'test') =>
    fetchDataset(name, { split, cache, sets, progress: o => createProgress({ ...o, silent: true }) })

  it('should take the test set from the archive, once, and need the archive no more', async () => {
    const paths = await get()
    expect(Array.from((await DATASETS.cifar10.load({ paths })).labels)).toEqual([7])
    rmSync(join(cache, 'data', 'cifar10', 'c.tar.gz'))
    expect(await get()).toEqual(paths)
    expect(server.requests).toHaveLength(1)
  })

  it('should take the training set from the same archive', async () => {
    await get()
    const paths = await get('cifar10', 'train')
    expect(Array.from((await DATASETS.cifar10.load({ paths })).labels)).toEqual([0])
    expect(server.requests).toHaveLength(1)
  })

  it('should take it from the archive again when it is not whole', async () => {
    const [path] = await get()
    writeFileSync(path!, image.subarray(1))
    await get()
    expect(new Uint8Array(readFileSync(path!))).toEqual(image)
    expect(server.requests).toHaveLength(1)
  })

  it('should refuse an archive that is not the published one', async () => {
    const { test, train } = sets.cifar10!
    sets.cifar10 = { test: [{ ...test[0]!, sha256: '0'.repeat(64) }], train }
    await expect(get()).rejects.toThrow('is not the file expected: its SHA-256 is')
  })

  it('should say which can be fetched', async () => {
    await expect(get('digits')).rejects.toThrow('the data set digits cannot be fetched; only cifar10 can, name files with --data')
    const { code, stderr } = await callProgram(
      'evaluate',
      '--arch',
      'wrn-10-1',
      '--checkpoint',
      'none',
      '--dataset',
      'digits',
      '--download',
    )
    expect([code, stderr]).toEqual([
      2,
      'the data set digits cannot be fetched; only cifar10, cifar100, mnist can, name files with --data\n',
    ])
  })

  it('should refuse to fetch what is given', async () => {
    const { code, stderr } = await callProgram('evaluate', '--arch', 'resnet20', '--checkpoint', 'none', '--download', '--data', 'a')
    expect([code, stderr]).toEqual([2, '--download and --data exclude each other; give one of them\n'])
  })

  it('should know of data sets that have a loader only, with whole checksums', () => {
    for (const name of remoteNames) {
      expect(Object.keys(DATASETS)).toContain(name)
      for (const { url, sha256 } of remoteFiles(name))
        expect([new URL(url).protocol, sha256]).toEqual(['https:', expect.stringMatching(/^[0-9a-f]{64}$/)])
    }
  })
})
