import { CACHE_VARIABLE } from '../../core/io/cacheFolder.ts'
import { WEIGHTS } from '../evaluate/diffusersFolder.ts'
import { UserError } from '../support/errors.ts'
import type { Digest } from './digest.ts'
import { networkReason } from './source.ts'

export interface HubFile {
  readonly path: string
  readonly size: number
  readonly digest: Digest
}

export interface HubListing {
  readonly commit: string
  readonly files: readonly HubFile[]
}

export const COMMIT: RegExp = /^[0-9a-f]{40}$/

/** Of a diffusers model or pipeline the files that `loadDiffusersFolder` reads, with one file of weights. */
const wanted = (name: string, files: ReadonlyMap<string, HubFile>): readonly HubFile[] => {
  const pipeline = files.has('unet/config.json')
  const [model, scheduler] = pipeline ? ['unet/', 'scheduler/'] : ['', '']
  const config = files.get(`${model}config.json`)
  const weights = WEIGHTS.map(file => files.get(model + file)).find(file => file !== undefined)
  if (config === undefined || weights === undefined) {
    const what = `${name} has no ${config ? `weights ${WEIGHTS.join(', ')}` : 'config.json'}`
    throw new UserError(what, 'name a diffusion model that diffusers has saved')
  }
  const schedule = files.get(`${scheduler}scheduler_config.json`)
  return [config, ...(schedule ? [schedule] : []), weights]
}

/** What the hub's answers and the network's failures mean to the user. */
const explain = (name: string, hubUrl: string, cause: unknown): UserError => {
  if (cause instanceof UserError) return cause
  const status = cause instanceof Error && 'statusCode' in cause ? Number(cause.statusCode) : null
  if (status === 401 || status === 403 || status === 404) {
    const what = `there is no folder ${name}, and ${hubUrl} has no public model of that name (status ${status})`
    return new UserError(what, 'check the name', { cause })
  }
  if (status !== null) return new UserError(`${hubUrl} refused to list ${name} with status ${status}`, 'try again later', { cause })
  const remedy = `check the network, or fetch it where there is one and copy the cache folder (${CACHE_VARIABLE}) or the model's folder here`
  const what = `there is no folder ${name}, the model ${name} is not in the cache and ${hubUrl} cannot be asked (${networkReason(cause)})`
  return new UserError(what, remedy, { cause })
}

/**
 * Asks the hub for the present commit of a model and for size and checksum of each file needed of it.
 * @throws UserError when it cannot be reached, has no such public model, or the model is none of diffusers
 */
export const listModel = async (
  name: string,
  { hubUrl, fetch }: { readonly hubUrl: string; readonly fetch?: typeof globalThis.fetch | undefined },
): Promise<HubListing> => {
  // Loaded here since few commands need it.
  const { listFiles, modelInfo } = await import('@huggingface/hub')
  const transport = { hubUrl, ...(fetch && { fetch }) }
  try {
    const { sha: commit } = await modelInfo({ name, additionalFields: ['sha'], ...transport })
    // It becomes part of addresses and is kept: an answer from something else than a hub must not come this far.
    if (!COMMIT.test(commit)) throw new UserError(`${hubUrl} names no commit of ${name}`, 'check the address of the hub (HF_ENDPOINT)')
    const files = new Map<string, HubFile>()
    for await (const { type, path, size, oid, lfs } of listFiles({ repo: name, revision: commit, recursive: true, ...transport })) {
      const hex = lfs?.oid ?? oid
      if (type !== 'file' || hex === undefined) continue
      files.set(path, { path, size: lfs?.size ?? size, digest: { kind: lfs ? 'sha256' : 'gitBlob', hex } })
    }
    return { commit, files: wanted(name, files) }
  } catch (cause) {
    throw explain(name, hubUrl, cause)
  }
}
