import { convertIndexedToRgb, type DecodedPng, decode as decodePng, hasPngSignature } from 'fast-png'
import { FileError } from '../../core/io/fileError.ts'
import { UserError } from '../support/errors.ts'
import type { RgbImage } from './rgbImage.ts'

type Sharp = typeof import('sharp').default

let loaded: Promise<Sharp> | undefined

const loadSharp = (): Promise<Sharp> => {
  loaded ??= import('sharp').then(
    module => module.default,
    cause => {
      throw new UserError('JPEG files need the optional package sharp, which is not there', 'run npm install sharp@0.35.5 --no-save', {
        cause,
      })
    },
  )
  return loaded
}

/** a b / 255, rounded, in integers. */
const scaleByte = (a: number, b: number): number => {
  const t = a * b + 128
  return ((t >> 8) + t) >> 8
}

/** From four inks to red, green and blue without a colour profile: (255 - ink) (255 - black) / 255. */
const fromInks = (inks: Uint8Array): Uint8Array => {
  const rgb = new Uint8Array((inks.length / 4) * 3)
  for (let i = 0; i < inks.length / 4; i++) {
    const white = 255 - inks[4 * i + 3]!
    for (let c = 0; c < 3; c++) rgb[3 * i + c] = white - scaleByte(inks[4 * i + c]!, white)
  }
  return rgb
}

/** Three channels of the 1 to 4 that a picture has: grey is repeated, transparency dropped. */
const threeChannels = (data: Uint8Array, channels: number): Uint8Array => {
  if (channels === 3) return data
  const colour = channels < 3 ? () => 0 : (c: number) => c
  return Uint8Array.from({ length: (data.length / channels) * 3 }, (_, i) => data[Math.floor(i / 3) * channels + colour(i % 3)]!)
}

/** Deflate packs at most so many bytes into one. */
const DEFLATE_LIMIT = 1032

/** Refuses a PNG whose header announces more pixels than its bytes can hold, before memory is taken for them. */
const assertPngSize = (bytes: Uint8Array): void => {
  const header = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 33) throw new Error('its header is missing')
  const [width, height] = [header.getUint32(16), header.getUint32(20)]
  if (width * height > 8 * DEFLATE_LIMIT * bytes.length)
    throw new Error(`${bytes.length} bytes cannot hold its ${width} x ${height} pixels`)
}

/** Whether pixels are indices of a palette, colour type 3; with other types a palette is a suggestion for displays. */
const isIndexed = (bytes: Uint8Array): boolean => bytes[25] === 3

const coloursOf = (png: DecodedPng): Uint8Array => {
  const [first] = png.palette ?? []
  if (!first) throw new Error('its palette is missing')
  return threeChannels(convertIndexedToRgb(png), first.length)
}

const decodeJpeg = async (bytes: Uint8Array): Promise<RgbImage> => {
  const picture = (await loadSharp())(bytes, { failOn: 'truncated' })
  const { space } = await picture.metadata()
  const inks = space === 'cmyk'
  const { data, info } = await (inks ? picture.pipelineColourspace('cmyk').toColourspace('cmyk') : picture.toColourspace('srgb'))
    .raw()
    .toBuffer({ resolveWithObject: true })
  return { width: info.width, height: info.height, data: inks ? fromInks(data) : threeChannels(data, info.channels) }
}

/**
 * A JPEG or PNG picture as its pixels, the same as Pillow's `convert('RGB')` gives: libjpeg-turbo decodes JPEG, four inks are
 * converted without a profile, and neither orientation nor colour profile of the file is applied.
 * @throws FileError when the bytes are no such picture; UserError when the package that decodes JPEG is not installed
 */
export const decodeImage = async (bytes: Uint8Array, name: string): Promise<RgbImage> => {
  const broken = (cause: unknown): FileError =>
    new FileError(name, `it is no JPEG or PNG picture that can be read (${(cause as Error).message})`, 'fetch it again', { cause })
  try {
    if (!hasPngSignature(bytes)) return await decodeJpeg(bytes)
    assertPngSize(bytes)
    const png = decodePng(bytes)
    const { width, height, channels, depth, data } = png
    if (isIndexed(bytes)) return { width, height, data: coloursOf(png) }
    if (depth !== 8 || !(data instanceof Uint8Array || data instanceof Uint8ClampedArray))
      throw new FileError(name, `it has ${depth} bits per channel, where 8 are read`, 'convert it to 8 bits per channel')
    return { width, height, data: threeChannels(Uint8Array.from(data), channels) }
  } catch (cause) {
    throw cause instanceof UserError || cause instanceof FileError ? cause : broken(cause)
  }
}
