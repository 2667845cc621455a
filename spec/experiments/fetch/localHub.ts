import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type LocalServer, startServer } from './localServer.ts'

export const COMMIT = '0123456789abcdef0123456789abcdef01234567'

export interface LocalHub extends LocalServer {
  /** Changes what the hub gives for a path, not what it says of it. */
  readonly spoiled: Map<string, Uint8Array>
  /** The files given, without questions to the API. */
  given(): readonly string[]
}

/**
 * A hub with one model, from a folder. As on the real one, safetensors files are large files known by their SHA-256, others
 * by their git name.
 */
export const startHub = async (name: string, folder: string): Promise<LocalHub> => {
  const spoiled = new Map<string, Uint8Array>()
  const entry = (path: string) => {
    const bytes = readFileSync(join(folder, path))
    const oid = createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
    if (!path.endsWith('.safetensors')) return { type: 'file', path, size: bytes.length, oid }
    const lfs = { oid: createHash('sha256').update(bytes).digest('hex'), size: bytes.length, pointerSize: 134 }
    return { type: 'file', path, size: bytes.length, oid: '0'.repeat(40), lfs }
  }
  const listing = () =>
    (readdirSync(folder, { recursive: true }) as string[]).map(path =>
      statSync(join(folder, path)).isDirectory() ? { type: 'directory', path, size: 0, oid: '1'.repeat(40) } : entry(path),
    )
  const files = `/${name}/resolve/${COMMIT}/`
  const server = await startServer((request, response) => {
    const { pathname } = new URL(request.url ?? '', 'http://hub')
    const json = (status: number, value: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
    }
    if (pathname === `/api/models/${name}/revision/HEAD`) json(200, { _id: '1', id: name, sha: COMMIT, lastModified: '2024-01-01' })
    else if (pathname === `/api/models/${name}/tree/${COMMIT}`) json(200, listing())
    else if (pathname.startsWith(files)) {
      const path = pathname.slice(files.length)
      server.send(request, response, spoiled.get(path) ?? readFileSync(join(folder, path)))
    } else json(401, { error: 'Invalid username or password.' })
  })
  const given = () => server.requests.map(({ path }) => path).filter(path => path.startsWith(files))
  return { ...server, spoiled, given: () => given().map(path => path.slice(files.length)) }
}
