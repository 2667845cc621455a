import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { pathName } from '../cli/arguments.ts'
import { UserError } from '../support/errors.ts'
import { outputFile } from '../support/outputFile.ts'
import { createProgress } from '../support/progress.ts'
import { type Compression, presentCompression, writeArchive } from './archive.ts'
import { bundleContents } from './contents.ts'
import type { Entry } from './entry.ts'
import { checkSize, formatSizes, mostBytes } from './sizes.ts'

const projectRoot = fileURLToPath(new URL('../../', import.meta.url)).replace(/[\\/]$/, '')

const folder = 'dbp-bundle'

interface Options {
  readonly out?: string
  readonly sharp?: boolean
  readonly vulkanLoader?: boolean
}

const help = `
The archive holds Node, the packages that the commands import, Dawn for WebGPU, sources, weights and data, for machines that
reach no registry. A .tar.gz, one third larger, leaves out the golden vectors of parity. There:
  tar xf ${folder}.tar.xz && ./${folder}/dbp gpu:doctor
  ./${folder}/dbp run --backend gpu

What that machine needs: linux-x64 with glibc, and for gpu:webgpu a Vulkan loader (libvulkan.so.1: apt-get install libvulkan1,
or carry this machine's with --vulkan-loader) and the card's Vulkan driver. NVIDIA's comes with its driver package; in a
container the capability "graphics" brings it in. Where a driver lies in an unusual place, VK_DRIVER_FILES names its .json file.
Without them the commands run on --backend cpu.`

/** What the name of the archive asks for. @throws UserError when that is not installed */
const compressionOf = (out: string | undefined): Compression => {
  const present = presentCompression()
  if (out === undefined || /\.t?gz$/.test(out)) return out === undefined ? present : 'gz'
  if (present === 'xz') return 'xz'
  throw new UserError(`bundle: ${out} needs xz, which is not installed`, 'apt-get install xz-utils, or name a .tar.gz')
}

/** Writes the archive, showing how far it is, and returns its size. @throws UserError when it is too large; it is removed then */
const write = async (entries: readonly Entry[], out: string, compression: Compression): Promise<number> => {
  const total = Math.round(entries.reduce((sum, { content }) => sum + content.length, 0) / 1e6)
  const progress = createProgress({ label: `bundle (${compression})`, total, unit: 'MB' })
  let bytes = 0
  let told = 0
  const onBytes = (more: number): void => {
    bytes += more
    const whole = Math.min(Math.round(bytes / 1e6), total)
    if (whole > told) progress.advance(whole - told)
    told = whole
  }
  try {
    const size = await writeArchive(folder, entries, { out, compression, onBytes })
    checkSize(size, entries, { remedy: compression === 'gz' ? 'apt-get install xz-utils and name a .tar.xz' : 'leave out --sharp' })
    progress.finish()
    return size
  } catch (error) {
    rmSync(out, { force: true })
    throw error
  } finally {
    progress.stop()
  }
}

/** `bundle`: everything in one archive for a bare linux-x64 machine. */
export const bundleCommand = (): Command =>
  new Command('bundle')
    .description('write one archive that runs on a bare linux-x64 machine: Node, packages, Dawn, sources, weights')
    .option('--out <file>', `the archive (default: runs/${folder}.tar.xz, or .tar.gz where xz is not installed)`, pathName)
    .option('--sharp', 'carry the optional package sharp, which decodes JPEG')
    .option('--vulkan-loader', "carry this machine's Vulkan loader, for machines that have a driver but no libvulkan1")
    .addHelpText('after', help)
    .action(async ({ out: asked, sharp = false, vulkanLoader = false }: Options) => {
      if (asked !== undefined) outputFile(asked, '--out')
      if (process.platform !== 'linux' || process.arch !== 'x64') {
        throw new UserError(
          `bundle: this is ${process.platform}-${process.arch}, and bundles hold the Node they are made with`,
          'make it on linux-x64',
        )
      }
      const compression = compressionOf(asked)
      const out = asked ?? `runs/${folder}.tar.${compression}`
      const entries = await bundleContents({
        root: projectRoot,
        // The weaker compression leaves no room for them.
        golden: compression === 'xz',
        without: sharp ? [] : ['sharp'],
        loader: vulkanLoader,
      })
      process.stderr.write(`${formatSizes(entries)}\n`)
      const size = await write(entries, out, compression)
      process.stdout.write(
        `${out}: ${(size / 1e6).toFixed(1)} MB of at most ${mostBytes / 1e6}; there: tar xf ${out.slice(out.lastIndexOf('/') + 1)} && ./${folder}/dbp gpu:doctor\n`,
      )
    })
