import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { FileError } from '../../core/io/fileError.ts'
import { loadSafetensors, readFileBytes, toFileError } from '../../core/io/files.ts'
import type { HostTensor } from '../../core/io/hostTensor.ts'

const EXTENSION = '.safetensors'

/** One file of golden vectors. Reading a tensor marks it as used, so that what nobody compared can be reported. */
export interface GoldenFile {
  /** File name without extension. */
  readonly name: string
  readonly path: string
  readonly tensorNames: readonly string[]
  /** Notes such as the network's `config`: the file's own metadata, else the manifest's. */
  readonly meta: Readonly<Record<string, unknown>>
  find(tensor: string): HostTensor | undefined
  /** @throws FileError when the file has no such tensor */
  get(tensor: string): HostTensor
  unused(): string[]
}

/** A folder of golden vectors: `<stem>.safetensors` or `<stem>.<role>.safetensors` files and perhaps a manifest.json. */
export interface GoldenFolder {
  readonly path: string
  /** Files present, by name without extension, sorted. */
  readonly names: readonly string[]
  /** Names the manifest lists without a file. */
  readonly missing: readonly string[]
  /** @throws FileError when the file is absent or damaged */
  load(name: string): GoldenFile
}

type Meta = Record<string, unknown>

const isRecord = (value: unknown): value is Meta => value !== null && typeof value === 'object' && !Array.isArray(value)

const readManifest = (folder: string): Record<string, Meta> => {
  const path = join(folder, 'manifest.json')
  if (!existsSync(path)) return {}
  let manifest: unknown
  try {
    manifest = JSON.parse(new TextDecoder().decode(readFileBytes(path)))
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
    throw new FileError(path, `not valid JSON: ${cause.message}`, 'restore the file or delete it', { cause })
  }
  if (!isRecord(manifest)) throw new FileError(path, 'the manifest is no object of files', 'restore the file or delete it')
  return Object.fromEntries(
    Object.entries(manifest).map(([name, entry]) => [name, isRecord(entry) && isRecord(entry.meta) ? entry.meta : {}]),
  )
}

/** Safetensors metadata is text; values that are JSON are taken as such. */
const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

const openFile = (folder: string, name: string, manifestMeta: Meta): GoldenFile => {
  const path = join(folder, name + EXTENSION)
  const { tensors, metadata } = loadSafetensors(path)
  const used = new Set<string>()
  const find = (tensor: string): HostTensor | undefined => {
    used.add(tensor)
    return Object.hasOwn(tensors, tensor) ? tensors[tensor] : undefined
  }
  return {
    name,
    path,
    tensorNames: Object.keys(tensors),
    meta: { ...manifestMeta, ...Object.fromEntries(Object.entries(metadata).map(([key, text]) => [key, parsed(text)])) },
    find,
    get: tensor => {
      const found = find(tensor)
      if (!found) throw new FileError(path, `there is no tensor "${tensor}"`, 'give a file of this kind')
      return found
    },
    unused: () => Object.keys(tensors).filter(tensor => !used.has(tensor)),
  }
}

/** @throws FileError when the folder cannot be read, holds no golden file, or its manifest is damaged */
export const openGoldenFolder = (path: string): GoldenFolder => {
  let entries: string[]
  try {
    entries = readdirSync(path)
  } catch (cause) {
    throw toFileError('reading the folder', path, cause)
  }
  const names = entries
    .filter(entry => entry.endsWith(EXTENSION))
    .map(entry => entry.slice(0, -EXTENSION.length))
    .sort()
  if (names.length === 0) throw new FileError(path, `the folder holds no ${EXTENSION} file`, 'give a folder of golden vectors')
  const manifest = readManifest(path)
  return {
    path,
    names,
    missing: Object.keys(manifest).filter(name => !names.includes(name)),
    load: name => openFile(path, name, manifest[name] ?? {}),
  }
}
