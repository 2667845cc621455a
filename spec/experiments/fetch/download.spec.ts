import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Digest, digestOf } from '../../../experiments/fetch/digest.ts'
import { type DownloadOptions, download } from '../../../experiments/fetch/download.ts'
import { createProgress } from '../../../experiments/support/progress.ts'
import { runs } from '../../support/replay.ts'
import { type LocalServer, startServer } from './localServer.ts'

const content = Uint8Array.from({ length: 5000 }, (_, i) => (i * i) % 251)
const sha256 = (bytes: Uint8Array): Digest => ({ kind: 'sha256', hex: createHash('sha256').update(bytes).digest('hex') })
const digest = sha256(content)

let server: LocalServer
let answer: (request: IncomingMessage, response: ServerResponse) => void
let root: string
let folder: string
let path: string
let tries = 0

beforeAll(async () => {
  server = await startServer((request, response) => answer(request, response))
  root = mkdtempSync(join(tmpdir(), 'download-'))
})
afterAll(async () => {
  await server.close()
  rmSync(root, { recursive: true, force: true })
})
beforeEach(() => {
  folder = join(root, String(tries++))
  path = join(folder, 'deep', 'weights.bin')
  answer = (request, response) => server.send(request, response, content)
})
afterEach(() => {
  server.requests.length = 0
})

const fetchIt = (options: Partial<DownloadOptions> = {}): Promise<void> =>
  download({ url: `${server.url}/weights.bin`, path, digest, progress: o => createProgress({ ...o, silent: true }), ...options })

const failure = async (options: Partial<DownloadOptions> = {}): Promise<string> => {
  const error = await fetchIt(options).then(
    () => new Error('nothing failed'),
    (thrown: Error) => thrown,
  )
  expect(['UserError', 'FileError']).toContain(error.name)
  expect(error.message).not.toContain('\n')
  return error.message
}

const leavePart = (bytes: Uint8Array): void => {
  mkdirSync(join(folder, 'deep'), { recursive: true })
  writeFileSync(`${path}.part`, bytes)
}

const expectWhole = (): void => {
  expect(new Uint8Array(readFileSync(path))).toEqual(content)
  expect(readdirSync(join(folder, 'deep'))).toEqual(['weights.bin'])
}

describe('download', () => {
  it('should fetch a file into a new folder and leave nothing else there', async () => {
    await fetchIt({ size: content.length })
    expectWhole()
  })

  it('should not ask again for a file that is there and right', async () => {
    await fetchIt()
    await fetchIt()
    expect(server.requests).toHaveLength(1)
  })

  it('should replace a file that is there and wrong', async () => {
    leavePart(content)
    rmSync(`${path}.part`)
    writeFileSync(
      path,
      content.map(byte => byte ^ 1),
    )
    await fetchIt()
    expectWhole()
  })

  it('should go on where the connection broke, wherever that was', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: content.length - 1 }), async breakAfter => {
        rmSync(folder, { recursive: true, force: true })
        server.requests.length = 0
        answer = (request, response) => server.send(request, response, content, { breakAfter })
        const message = await failure()
        expect(message).toContain(`/weights.bin broke off after ${breakAfter} of 5000 bytes (`)
        expect(message).toMatch(/ \(\w+\); run the command again, it goes on from there$/)
        expect(existsSync(path)).toBe(false)
        answer = (request, response) => server.send(request, response, content)
        await fetchIt()
        expectWhole()
        expect(server.requests.map(({ range }) => range)).toEqual([undefined, `bytes=${breakAfter}-`])
      }),
      { numRuns: runs(8) },
    )
  })

  it('should begin again where the server does not know ranges', async () => {
    leavePart(content.subarray(0, 1000))
    answer = (request, response) => server.send(request, response, content, { ranges: false })
    await fetchIt()
    expectWhole()
  })

  it('should begin again when the part is longer than the file, known or not', async () => {
    for (const size of [undefined, content.length]) {
      leavePart(new Uint8Array(content.length + 7))
      await fetchIt({ size })
      expectWhole()
      rmSync(path)
    }
  })

  it('should take a whole part as it is', async () => {
    leavePart(content)
    await fetchIt()
    expectWhole()
    expect(server.requests).toHaveLength(0)
  })

  it('should refuse and delete a file with another checksum, and get the right one next time', async () => {
    leavePart(new Uint8Array(1000).fill(1))
    const wrong = createHash('sha256').update(new Uint8Array(1000).fill(1)).update(content.subarray(1000)).digest('hex')
    expect(await failure()).toMatch(
      new RegExp(`is not the file expected: its SHA-256 is ${wrong} instead of ${digest.hex}; nothing of it was kept`),
    )
    expect(readdirSync(join(folder, 'deep'))).toEqual([])
    await fetchIt()
    expectWhole()
  })

  it('should refuse a file of another size before it is transferred', async () => {
    expect(await failure({ size: 4999 })).toContain('is not the file expected: it has 5000 bytes instead of 4999')
    expect(existsSync(`${path}.part`)).toBe(false)
  })

  it('should stop a stream without a length that gives more than expected', async () => {
    // It never ends by itself.
    answer = (_, response) => response.writeHead(200).write(Buffer.concat([content, content]))
    expect(await failure({ size: content.length })).toContain('it has more than its 5000 bytes')
    expect(existsSync(path)).toBe(false)
  })

  it('should keep what came of a stream without a length that ended early', async () => {
    answer = (_, response) => response.writeHead(200).end(content.subarray(0, 1234))
    expect(await failure({ size: content.length })).toContain('broke off after 1234 of 5000 bytes (it ended early)')
    answer = (request, response) => server.send(request, response, content)
    await fetchIt({ size: content.length })
    expect(server.requests.at(-1)?.range).toBe('bytes=1234-')
    expectWhole()
  })

  it('should ask for bytes as they are, not compressed on the way', async () => {
    let encoding: unknown
    answer = (request, response) => {
      encoding = request.headers['accept-encoding']
      server.send(request, response, content)
    }
    await fetchIt()
    expect(encoding).toBe('identity')
  })

  it('should say what a refusal means and what to do', async () => {
    for (const [status, remedy] of [
      [404, 'check the name'],
      [403, 'it needs an account'],
      [429, 'wait some minutes'],
      [500, 'run the command again later'],
    ] as const) {
      answer = (_, response) => response.writeHead(status).end('no')
      expect(await failure()).toContain(`was refused with status ${status}; ${remedy}`)
    }
  })

  it('should say when there is no network', async () => {
    const url = 'http://127.0.0.1:1/weights.bin'
    const offline: typeof fetch = async () => {
      throw new TypeError('fetch failed', { cause: Object.assign(new Error('no name'), { code: 'ENOTFOUND' }) })
    }
    expect(await failure({ url, fetch: offline })).toBe(
      `127.0.0.1:1 cannot be reached (ENOTFOUND) for ${url}; check the network, or run this where there is one and copy the cache folder`,
    )
  })

  it('should read file addresses, and go on with a part of them too', async () => {
    mkdirSync(folder)
    const source = join(folder, 'source')
    writeFileSync(source, content)
    leavePart(content.subarray(0, 77))
    await fetchIt({ url: pathToFileURL(source).href })
    expectWhole()
    expect(await failure({ url: pathToFileURL(join(folder, 'none')).href, path: `${path}2` })).toContain(
      'none cannot be read (ENOENT); check the path',
    )
  })

  it('should refuse other addresses', async () => {
    for (const url of ['ftp://127.0.0.1/a', 'weights.bin']) expect(await failure({ url })).toContain(`${url} is no address to fetch from`)
  })

  it('should say when the place may not be used', async () => {
    mkdirSync(folder)
    writeFileSync(join(folder, 'deep'), 'a file')
    expect(await failure()).toContain(`${join(folder, 'deep')}: creating failed`)
  })

  it.runIf(process.platform === 'linux')(
    'should say so, not hang, where the system makes no folders',
    () => {
      const program = `import { download } from './experiments/fetch/download.ts'
await download({ url: 'file:///dev/null', path: '/proc/x/y/weights.bin', digest: { kind: 'sha256', hex: '' } }).catch(e => console.log(e.message))`
      const { stdout, signal } = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
        encoding: 'utf8',
        timeout: 30_000,
      })
      expect({ stdout, signal }).toEqual({
        stdout: '/proc/x/y: creating failed: no such file or folder; check the path\n',
        signal: null,
      })
    },
    60_000,
  )

  it('should show how far it is, counting what it had', async () => {
    const lines: string[] = []
    const stream = { write: (line: string) => lines.push(line) > 0 } as unknown as NodeJS.WritableStream
    leavePart(content.subarray(0, 2500))
    await fetchIt({ progress: o => createProgress({ ...o, stream }) })
    expect(lines.join('')).toMatch(/^weights\.bin: 5 kB in /)
  })
})

describe('digestOf', () => {
  it('should name content as git does', async () => {
    mkdirSync(folder)
    writeFileSync(join(folder, 'a'), 'what is up, doc?')
    // The example of the book "Pro Git", chapter 10.2.
    expect(await digestOf(join(folder, 'a'), 'gitBlob')).toBe('bd9dbf5aae1a3862dd1526723246b20206e5fc37')
  })
})
