import { Buffer } from 'node:buffer'
import { encode } from 'fast-png'
import type { GalleryImage } from '../../dwBox/results.ts'
import { groupBy } from '../groupBy.ts'
import { html, type Markup } from './markup.ts'

const PICTURES = [
  ['clean', 'clean'],
  ['adversarial', 'attacked'],
  ['perturbation', 'perturbation'],
  ['purifiedClean', 'purified clean'],
  ['purifiedAdversarial', 'purified attacked'],
] as const

/** Grey pixels as a lossless picture in the page itself. @throws RangeError when there are not width x height of them */
export const pngDataUri = (base64: string, width: number, height: number): string => {
  const data = new Uint8Array(Buffer.from(base64, 'base64'))
  if (data.length !== width * height) {
    throw new RangeError(
      `pngDataUri: a ${width} x ${height} grey picture has ${width * height} bytes, got ${data.length}; store one byte per pixel`,
    )
  }
  const png = encode({ width, height, data, channels: 1, depth: 8 })
  return `data:image/png;base64,${Buffer.from(png).toString('base64')}`
}

/** For each defence and setting the images as the attacker, the purifier and the classifier see them. */
export const gallery = (images: readonly GalleryImage[]): Markup =>
  html`${[...groupBy(images, ({ row, setting }) => `${row}, attacked in ${setting}`)].map(
    ([title, members]) => html`<h3>${title}</h3>
<div class="gallery">${members.map(strip)}</div>\n`,
  )}<p class="note">The perturbation is shown around middle grey: black is −ε and white +ε in a pixel.</p>`

const strip = (image: GalleryImage): Markup => {
  const seen = (predicted: number): Markup => {
    const right = predicted === image.label
    return html`<b class="${right ? 'right' : 'wrong'}">${right ? '✓' : '✗'} seen as ${predicted}</b>`
  }
  const captions = {
    clean: html`label ${image.label}`,
    adversarial: html``,
    perturbation: html``,
    purifiedClean: seen(image.predictedClean),
    purifiedAdversarial: seen(image.predictedAdversarial),
  }
  return html`<article class="strip"><h4>Image ${image.imageId}, label ${image.label}</h4><div class="pictures">${PICTURES.map(
    ([name, caption]) =>
      html`<figure><img src="${pngDataUri(image[name], image.width, image.height)}" width="${image.width}" height="${image.height}" alt="${`${caption} image ${image.imageId}`}"><figcaption>${caption}<br>${captions[name]}</figcaption></figure>`,
  )}</div></article>`
}
