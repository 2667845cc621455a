import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { encode } from 'fast-png'
import { gzipSync, zipSync } from 'fflate'
import { createUnet2d } from '../../algorithms/models/unet2d.ts'
import { inspectCheckpoint, loadCheckpoint } from '../../core/io/checkpointFile.ts'
import { readFileBytes } from '../../core/io/files.ts'
import { gunzip } from '../../core/io/gzip.ts'
import type { HostTensor } from '../../core/io/hostTensor.ts'
import { writeSafetensors } from '../../core/io/safetensors.ts'
import { countParameters } from '../../core/nn/index.ts'
import { loadCifar10 } from '../data/cifar10.ts'
import { loadCifarPickle } from '../data/cifarPickle.ts'
import { decodeImage } from '../data/decodeImage.ts'
import { loadDigits } from '../data/digits.ts'
import { loadMnist } from '../data/mnist.ts'
import { tarFile } from '../data/tar.ts'
import { loadDiffusersFolder } from '../evaluate/diffusersFolder.ts'
import { guessNetwork } from '../inspect/guess.ts'
import type { FuzzFormatName } from './formatNames.ts'

/** A file format: valid files to damage, and what reads them. */
export interface FuzzFormat {
  readonly seeds: () => readonly Uint8Array[]
  /** Packs the damaged bytes, where a checksum around them would hide the damage from the reader. */
  readonly wrap?: (bytes: Uint8Array) => Uint8Array
  /** Name of the damaged file in the folder. Default `file`. */
  readonly file?: string
  /** Writes what the reader wants beside the damaged file. */
  readonly prepare?: (folder: string) => void
  /** Waited for if it is a promise. */
  readonly read: (path: string) => unknown
}

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

const shipped = (name: string) => (): readonly Uint8Array[] => [readFileBytes(here(`./seeds/${name}`))]

const bytesOf = (count: number): Uint8Array => Uint8Array.from({ length: count }, (_, i) => (i * 37) % 251)

const smallTensors = (): Record<string, HostTensor> => ({
  a: { dtype: 'F32', shape: [2, 3], values: Float32Array.of(1, -2, 3, 4, 5, 6) },
  'b.half': { dtype: 'F16', shape: [4], values: Float32Array.of(0.5, 1, 2, -3) },
  steps: { dtype: 'I64', shape: [], values: Float64Array.of(12) },
  mask: { dtype: 'BOOL', shape: [3], values: Uint8Array.of(0, 1, 1) },
})

/** Reads a checkpoint as `inspect` and `evaluate` do, once with unknown classes refused and once kept as data. */
const checkpoint = (path: string): void => {
  const { tensors } = inspectCheckpoint(path, { unknownClasses: 'inert' })
  guessNetwork(Object.fromEntries(Object.entries(tensors).map(([name, { shape }]) => [name, shape])))
  loadCheckpoint(path)
}

/** Two zero bytes, the type of bytes, the number of dimensions, each big-endian, the elements. */
const idx = (shape: readonly number[], values: Uint8Array): Uint8Array =>
  Uint8Array.from([0, 0, 8, shape.length, ...shape.flatMap(n => [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255]), ...values])

const picture = (): Uint8Array => encode({ width: 9, height: 7, channels: 3, depth: 8, data: bytesOf(189) })

const cifarRecords = (): Uint8Array => Uint8Array.from([3, ...bytesOf(3072), 7, ...bytesOf(3072)])

const UNET = {
  _class_name: 'UNet2DModel',
  sample_size: 8,
  in_channels: 1,
  out_channels: 1,
  block_out_channels: [4, 8],
  down_block_types: ['DownBlock2D', 'AttnDownBlock2D'],
  up_block_types: ['AttnUpBlock2D', 'UpBlock2D'],
  layers_per_block: 1,
  norm_num_groups: 2,
  norm_eps: 1e-5,
  attention_head_dim: 4,
  dropout: 0,
  num_class_embeds: null,
} as const

const SCHEDULER = { num_train_timesteps: 100, beta_start: 1e-4, beta_end: 0.02, beta_schedule: 'linear', clip_sample: true }

const json = (value: unknown) => (): readonly Uint8Array[] => [new TextEncoder().encode(JSON.stringify(value, null, 2))]

const saveUnet = (folder: string): void => {
  mkdirSync(folder, { recursive: true })
  const shapes = createUnet2d(UNET).parameterShapes()
  const tensors = Object.entries(shapes).map(([name, shape]): [string, HostTensor] => [
    name,
    { dtype: 'F32', shape, values: new Float32Array(countParameters({ name: shape })) },
  ])
  writeFileSync(join(folder, 'diffusion_pytorch_model.safetensors'), writeSafetensors(Object.fromEntries(tensors)))
  writeFileSync(join(folder, 'config.json'), JSON.stringify(UNET))
}

/** A ustar archive of one file. */
const tar = (name: string, content: Uint8Array): Uint8Array => {
  const archive = new Uint8Array(512 + Math.ceil(content.length / 512) * 512 + 1024)
  const put = (text: string, at: number): void => archive.set(new TextEncoder().encode(text), at)
  put(name, 0)
  put(content.length.toString(8).padStart(11, '0'), 124)
  put('        ', 148)
  put('0', 156)
  const sum = archive.subarray(0, 512).reduce((total, byte) => total + byte, 0)
  put(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  archive.set(content, 512)
  return archive
}

/** An archive as torch.save writes it, with the storages that `data.pkl` refers to. */
const zipped = (pickle: Uint8Array): Uint8Array =>
  zipSync(
    { 'm/data.pkl': pickle, ...Object.fromEntries([72, 8, 8, 8, 48].map((size, i) => [`m/data/${i}`, new Uint8Array(size)])) },
    { level: 0 },
  )

const digitsRows = (): Uint8Array => gunzip(readFileBytes(here('../data/digits8x8.csv.gz')), 'digits')

export const FUZZ_FORMATS: Readonly<Record<string, FuzzFormat>> = {
  safetensors: { seeds: () => [writeSafetensors(smallTensors(), { note: 'x' })], read: checkpoint },
  'torch-zip': { seeds: shipped('torch-zip.pt'), read: checkpoint },
  'torch-pickle': { seeds: shipped('data.pkl'), wrap: zipped, read: checkpoint },
  'torch-legacy': { seeds: shipped('torch-legacy.th'), read: checkpoint },
  'cifar-pickle': { seeds: shipped('cifar-pickle'), read: path => loadCifarPickle([path], { labels: 'labels' }) },
  'cifar-binary': { seeds: () => [cifarRecords(), gzipSync(cifarRecords())], read: path => loadCifar10([path]) },
  idx: {
    seeds: () => [idx([2, 4, 4], bytesOf(32)), gzipSync(idx([2, 4, 4], bytesOf(32)))],
    prepare: folder => writeFileSync(join(folder, 'labels'), idx([2], Uint8Array.of(1, 2))),
    read: path => loadMnist({ images: path, labels: join(dirname(path), 'labels') }),
  },
  csv: { seeds: () => [digitsRows()], read: path => loadDigits({ path }) },
  'csv-gzip': { seeds: () => [readFileBytes(here('../data/digits8x8.csv.gz'))], read: path => loadDigits({ path }) },
  'unet-config': { seeds: json(UNET), file: 'config.json', prepare: saveUnet, read: path => loadDiffusersFolder(dirname(path)) },
  'scheduler-config': {
    seeds: json(SCHEDULER),
    file: 'scheduler_config.json',
    prepare: saveUnet,
    read: path => loadDiffusersFolder(dirname(path)),
  },
  png: { seeds: () => [picture()], read: path => decodeImage(readFileBytes(path), path) },
  jpeg: { seeds: shipped('colours.jpg'), read: path => decodeImage(readFileBytes(path), path) },
  tar: { seeds: () => [tar('wanted.bin', bytesOf(700))], read: path => tarFile(readFileBytes(path), 'wanted.bin', path) },
} satisfies Readonly<Record<FuzzFormatName, FuzzFormat>>
