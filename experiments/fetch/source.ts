import { createReadStream, statSync } from 'node:fs'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { UserError } from '../support/errors.ts'

/** The rest of a file from some byte on. */
export interface Source {
  /** The first byte of `parts`: as asked for, or 0 when the server cannot begin elsewhere. */
  readonly start: number
  /** Size of the whole file, if known. */
  readonly size: number | undefined
  readonly parts: AsyncIterable<Uint8Array>
}

/** The system's word for what went wrong, which Node's fetch keeps in the causes of its error. */
export const networkReason = (error: unknown): string => {
  const { code, cause, message } = error as NodeJS.ErrnoException
  if (code) return String(code)
  return cause instanceof Error ? networkReason(cause) : message
}

const REMEDY_OF_STATUS: Readonly<Record<number, string>> = {
  401: 'check the name; it may also need an account there, then fetch it with a browser',
  403: 'it needs an account or a licence agreed to there, fetch it with a browser',
  404: 'check the name',
  429: 'wait some minutes and run the command again',
}

const ofFile = (url: string, from: number): Source => {
  const path = fileURLToPath(url)
  try {
    const { size } = statSync(path)
    // A part longer than the file belongs to another one.
    const start = from <= size ? from : 0
    return { start, size, parts: createReadStream(path, { start }) }
  } catch (cause) {
    throw new UserError(`${url} cannot be read (${networkReason(cause)})`, 'check the path', { cause })
  }
}

/** First byte and size of the whole, from `Content-Range: bytes 100-999/1000`; null when the header is none such. */
const contentRange = (header: string | null): { readonly start: number; readonly size: number | undefined } | null => {
  const match = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(header ?? '')
  return match && { start: Number(match[1]), size: match[2] === '*' ? undefined : Number(match[2]) }
}

const ofServer = async (url: string, from: number, fetch: typeof globalThis.fetch): Promise<Source> => {
  // Compressed on the way, neither sizes nor ranges would be those of the file.
  const headers = { 'accept-encoding': 'identity', ...(from > 0 && { range: `bytes=${from}-` }) }
  let response: Response
  try {
    response = await fetch(url, { headers })
  } catch (cause) {
    const remedy = 'check the network, or run this where there is one and copy the cache folder'
    throw new UserError(`${new URL(url).host} cannot be reached (${networkReason(cause)}) for ${url}`, remedy, { cause })
  }
  const refuse = async (): Promise<void> => response.body?.cancel()
  const range = response.status === 206 ? contentRange(response.headers.get('content-range')) : null
  if ((response.status === 416 || (response.status === 206 && range?.start !== from)) && from > 0) {
    await refuse()
    return ofServer(url, 0, fetch)
  }
  if (!response.ok || response.body === null) {
    await refuse()
    const remedy = REMEDY_OF_STATUS[response.status] ?? 'run the command again later'
    throw new UserError(`${url} was refused with status ${response.status}`, remedy)
  }
  const length = response.headers.get('content-length')
  return {
    start: range?.start ?? 0,
    size: range ? range.size : length === null ? undefined : Number(length),
    parts: Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0]),
  }
}

/**
 * Opens `http:`, `https:` and `file:` addresses from byte `from` on. A server that does not know ranges, or whose file is
 * shorter than that, gives it from the beginning.
 * @throws UserError when it cannot be reached or does not give the file
 */
export const openSource = async (url: string, from: number, fetch: typeof globalThis.fetch): Promise<Source> => {
  const protocol = URL.canParse(url) ? new URL(url).protocol : ''
  if (protocol === 'file:') return ofFile(url, from)
  if (protocol === 'http:' || protocol === 'https:') return ofServer(url, from, fetch)
  throw new UserError(`${url} is no address to fetch from`, 'use one that begins with https:, http: or file:')
}
