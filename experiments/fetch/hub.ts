import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { cacheFolder } from '../../core/io/cacheFolder.ts'
import { createFolders } from '../../core/io/createFolders.ts'
import { FileError } from '../../core/io/fileError.ts'
import { readFileBytes, toFileError, writeFileAtomic } from '../../core/io/files.ts'
import type { Progress, ProgressOptions } from '../support/progress.ts'
import { type DownloadOptions, download } from './download.ts'
import { COMMIT, type HubListing, listModel } from './hubListing.ts'

export interface HubOptions {
  /** Where fetched models are kept; `cacheFolder()` by default. */
  readonly cache?: string
  /** Address of the hub; `HF_ENDPOINT` if set, else https://huggingface.co. */
  readonly hubUrl?: string
  readonly fetch?: typeof globalThis.fetch
  readonly progress?: (options: ProgressOptions) => Progress
}

export interface HubModel {
  /** A folder as diffusers saves it. */
  readonly folder: string
  /** The commit it was taken from. */
  readonly commit: string
}

const NAME = /^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*$/
const MANIFEST = 'manifest.json'

/** A path inside the model's folder: plain names only, so that no file can come to lie elsewhere. */
const PATH = /^[A-Za-z0-9_][\w.-]*(\/[A-Za-z0-9_][\w.-]*)*$/

const manifestFormat = z.object({
  commit: z.string().regex(COMMIT),
  files: z
    .array(
      z.object({
        path: z.string().regex(PATH),
        size: z.number().int().min(0),
        digest: z.object({ kind: z.enum(['sha256', 'gitBlob']), hex: z.string().regex(/^[0-9a-f]+$/) }),
      }),
    )
    .min(1),
})

/** Whether a text may be the name of a model on the hub, `owner/name`. */
export const isHubName = (text: string): boolean => NAME.test(text)

const readManifest = (path: string): HubListing => {
  try {
    return manifestFormat.parse(JSON.parse(new TextDecoder().decode(readFileBytes(path))))
  } catch (cause) {
    if (cause instanceof FileError) throw cause
    throw new FileError(path, 'this is not the list of files that was kept here', 'delete its folder and fetch the model again', { cause })
  }
}

const writeManifest = (folder: string, path: string, manifest: HubListing): void => {
  if (existsSync(path)) return
  try {
    createFolders(folder)
  } catch (cause) {
    throw toFileError('creating', folder, cause)
  }
  writeFileAtomic(path, `${JSON.stringify(manifest, null, 2)}\n`)
}

/**
 * The folder of a model on the hub by its name, such as `google/ddpm-cifar10-32`: its configuration, noise schedule and
 * weights. What is not in the cache is fetched; what is there is checked against size and checksum each time, and fetched
 * again if it differs. Commit, sizes and checksums are kept from the first time on, so a model never changes unnoticed, and
 * a whole one needs no network. For a later version, delete its folder.
 *
 * @throws UserError when the hub cannot be reached, has no such model, or gives other bytes than it announced; FileError when
 *   the cache cannot be used
 */
export const fetchModel = async (name: string, o: HubOptions = {}): Promise<HubModel> => {
  const { cache = cacheFolder(), hubUrl = process.env.HF_ENDPOINT || 'https://huggingface.co', fetch, progress } = o
  const folder = join(cache, 'models', name.replace('/', '--'))
  const path = join(folder, MANIFEST)
  const manifest = existsSync(path) ? readManifest(path) : await listModel(name, { hubUrl, fetch })
  // Before the files: a transfer that is interrupted goes on with the same commit.
  writeManifest(folder, path, manifest)
  const transfer: Pick<DownloadOptions, 'fetch' | 'progress'> = { ...(fetch && { fetch }), ...(progress && { progress }) }
  for (const { path: file, size, digest } of manifest.files) {
    const url = `${hubUrl}/${name}/resolve/${manifest.commit}/${file}`
    await download({ url, path: join(folder, file), size, digest, ...transfer })
  }
  return { folder, commit: manifest.commit }
}
