/** A picture of bytes: `data[(row * width + column) * 3 + c]`, red, green, blue. */
export interface RgbImage {
  readonly width: number
  readonly height: number
  readonly data: Uint8Array
}

/** The image as one of an `ImageDataset`: [3, height, width], pixels in [0, 1], written at `offset` of `target`. */
export const writePlanes = ({ width, height, data }: RgbImage, target: Float32Array, offset: number): void => {
  const plane = width * height
  for (let i = 0; i < plane; i++) {
    for (let c = 0; c < 3; c++) target[offset + c * plane + i] = data[3 * i + c]! / 255
  }
}
