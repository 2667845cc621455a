import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface LocalServer {
  readonly url: string
  /** Path and `Range` header of each request so far. */
  readonly requests: { readonly path: string; readonly range: string | undefined }[]
  /** Gives the file's bytes, or the part of them the request asks for; `breakAfter` of these bytes it hangs up. */
  send(request: IncomingMessage, response: ServerResponse, bytes: Uint8Array, options?: { breakAfter?: number; ranges?: boolean }): void
  close(): Promise<void>
}

const send: LocalServer['send'] = (request, response, bytes, { breakAfter, ranges = true } = {}) => {
  const from = ranges ? Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0) : 0
  if (from >= bytes.length && from > 0) {
    response.writeHead(416).end()
    return
  }
  const rest = bytes.subarray(from)
  response.writeHead(from > 0 ? 206 : 200, {
    'content-length': rest.length,
    ...(from > 0 && { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` }),
  })
  if (breakAfter === undefined) response.end(rest)
  else response.write(rest.subarray(0, breakAfter), () => setTimeout(() => response.destroy(), 20))
}

/** A web server on this machine only, on a port of the system's choice. */
export const startServer = async (answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<LocalServer> => {
  const requests: LocalServer['requests'] = []
  const server: Server = createServer((request, response) => {
    // A kept connection would end with the server in other ways than a new one.
    response.shouldKeepAlive = false
    requests.push({ path: request.url ?? '', range: request.headers.range })
    answer(request, response)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    send,
    close: () =>
      new Promise(resolve => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}
