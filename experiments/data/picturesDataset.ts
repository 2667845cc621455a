import { UsageError } from '../support/errors.ts'
import { decodeImage } from './decodeImage.ts'
import type { ImageDataset } from './imageDataset.ts'
import { centreCrop, resizeShorterSide } from './resizeImage.ts'
import { type RgbImage, writePlanes } from './rgbImage.ts'

/** What is done to each picture before it is an image of the data set. */
export interface Framing {
  /** Length to which the shorter side is brought. */
  readonly resize?: number | undefined
  /** Side of the square that is then cut out of the middle. */
  readonly crop?: number | undefined
}

/** A picture that has not been read yet. */
export interface LabelledPicture {
  readonly name: string
  readonly label: number
  readonly read: () => Uint8Array | Promise<Uint8Array>
}

const frame = (picture: RgbImage, { resize, crop }: Framing): RgbImage => {
  const resized = resize === undefined ? picture : resizeShorterSide(picture, resize)
  return crop === undefined ? resized : centreCrop(resized, crop)
}

/**
 * `limit` of the pictures, evenly spaced over the list, in its order: a list sorted by class then gives as many of each. All
 * without a limit.
 * @throws UsageError when there are fewer
 */
export const evenlySpaced = <T>(list: readonly T[], limit: number = list.length): T[] => {
  if (!(Number.isInteger(limit) && limit >= 1 && limit <= list.length))
    throw new UsageError(`${limit} images wanted, ${list.length} there`, 'ask for fewer images')
  return Array.from({ length: limit }, (_, i) => list[Math.floor((i * list.length) / limit)]!)
}

/**
 * Decodes pictures one after another into one data set, framed alike.
 * @throws UsageError when they come out in different sizes, FileError as `decodeImage`
 */
export const picturesDataset = async (pictures: readonly LabelledPicture[], framing: Framing = {}): Promise<ImageDataset> => {
  const labels = Int32Array.from(pictures, ({ label }) => label)
  let images = new Float32Array(0)
  let shape: [3, number, number] | undefined
  for (const [i, { name, read }] of pictures.entries()) {
    const image = frame(await decodeImage(await read(), name), framing)
    if (!shape) {
      shape = [3, image.height, image.width]
      images = new Float32Array(pictures.length * 3 * image.height * image.width)
    } else if (image.height !== shape[1] || image.width !== shape[2])
      throw new UsageError(
        `${name} has ${image.width} x ${image.height} pixels, the pictures before it ${shape[2]} x ${shape[1]}`,
        'bring them to one size with --resize and --crop',
      )
    writePlanes(image, images, i * 3 * image.height * image.width)
  }
  return { images, labels, count: pictures.length, shape: shape ?? [3, 0, 0] }
}
