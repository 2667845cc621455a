import { short } from '../../report/format.ts'
import { attackStyles } from '../../report/html/colors.ts'
import { legend, lineChart } from '../../report/html/lineChart.ts'
import { html, type Markup, verbatim } from '../../report/html/markup.ts'
import { provenanceDetails } from '../../report/html/provenance.ts'
import { STYLE } from '../../report/html/style.ts'
import { extent } from '../../report/html/ticks.ts'
import type { ImageLandscape, LandscapeResults } from '../results.ts'
import { meanCosines, nats, noiseName, planeName } from '../summaryText.ts'
import { gradientCss } from './colorScale.ts'
import { heatMap } from './heatMap.ts'

const OWN_STYLE = `
.cells { image-rendering: pixelated }
.contour { fill: none; stroke: #fff; stroke-opacity: .55; stroke-width: 1 }
.halo { fill: none; stroke: #fff; stroke-width: 4.5; stroke-opacity: .75; stroke-linejoin: round; stroke-linecap: round }
.maps { display: grid; gap: 18px 30px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 300px), 1fr)) }
.maps figcaption { font-weight: 600; font-size: .85rem; margin-bottom: .2rem }
.scalebar { display: grid; grid-template-columns: auto 140px auto auto; gap: 8px; align-items: center; justify-content: start; font-size: .8rem; color: var(--muted); margin: .2rem 0 1rem }
.scalebar i { height: 10px; border-radius: 5px; background: ${gradientCss} }
`

type Styles = ReturnType<typeof attackStyles>

/** The largest loss of all surfaces of an image: its maps share a scale. */
const scaleOf = ({ surfaces }: ImageLandscape): [number, number] => extent(surfaces.flatMap(({ loss }) => loss.flat()))

const imagePart = (image: ImageLandscape, styles: Styles): Markup => {
  const scale = scaleOf(image)
  const { coordinates, paths } = image
  const map = (k: number): Markup => {
    const surface = image.surfaces[k]!
    const title = `${planeName(surface)}, loss on ${noiseName(surface)}`
    const description = `${title}, image ${image.imageId}`
    return html`<figure><figcaption>${title}</figcaption>${heatMap(surface, {
      coordinates,
      scale,
      description,
      ...(planeName(surface) === planeName(image.surfaces[0]!) && { paths, styles }),
    })}</figure>`
  }
  const chart = (yLabel: string, valuesOf: (path: ImageLandscape['paths'][number]) => readonly number[]): Markup =>
    lineChart(
      paths.map(path => ({ name: path.attack, ...styles.get(path.attack)!, points: valuesOf(path).map((y, x) => ({ x, y })) })),
      { description: `${yLabel} along the attacks on image ${image.imageId}`, xLabel: 'attack step', yLabel, width: 300, height: 300 },
    )
  return html`<section id="image-${image.imageId}"><h2>Image ${image.imageId}, label ${image.label}</h2>
<p class="scalebar"><span>${nats(scale[0])}</span><i></i><span>${nats(scale[1])}</span><span>cross-entropy, nats</span></p>
<div class="maps">${image.surfaces.map((_, k) => map(k))}
<figure><figcaption>Loss of the attacks on the known noise</figcaption>${chart('loss, known noise, nats', path => path.loss)}</figure>
<figure><figcaption>Distance of the attacks from the first plane</figcaption>${chart('distance from the plane', path => path.residual)}</figure>
</div></section>\n`
}

const summaryTable = ({ summary, images }: LandscapeResults): Markup => html`<table>
<thead><tr><th scope="col">Plane</th><th scope="col">loss on</th><th scope="col">clean image</th><th scope="col">1 along the first axis</th><th scope="col">1 along the second</th><th scope="col">largest within 1</th></tr></thead>
<tbody>${summary.map(
  s => html`<tr><th scope="row">${planeName(s)}</th><td data-label="loss on">${noiseName(s)}</td>
<td data-label="clean image">${nats(s.atClean)}</td><td data-label="first axis">${nats(s.alongFirst)}</td><td data-label="second axis">${nats(s.alongSecond)}</td><td data-label="largest">${nats(s.largest)}</td></tr>\n`,
)}</tbody></table>
<p class="note">Cross-entropy in nats, mean over ${images.length} ${images.length === 1 ? 'image' : 'images'}. 1 is the length of the longest perturbation that the attacks may make, ${short(images[0]!.unit)} in l_2 with pixels in [0,1].</p>`

/** The landscapes of a run as one HTML file that needs nothing beside it. */
export const landscapePage = (results: LandscapeResults): Markup => {
  const styles = attackStyles(results.images.flatMap(({ paths }) => paths.map(({ attack }) => attack)))
  const of = (axes: string, noise: string) => results.summary.find(s => planeName(s) === axes && s.noise === noise)!
  const [known, averaged] = [of('DW-box × EoT', 'known'), of('DW-box × EoT', 'averaged')]
  const cosines = meanCosines(results)
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>Loss landscape ${results.id}</title>
<style>${verbatim(STYLE)}${verbatim(OWN_STYLE)}</style></head>
<body><main>
<header class="top"><p class="kicker">Loss landscape · ${results.defence} · ${results.id}</p><h1>What does the noise hide?</h1>
<p class="answer">Along the DW-box direction the loss rises from ${nats(known.atClean)} to ${nats(known.alongFirst)} nats on the noise that its attacker knows,
and from ${nats(averaged.atClean)} to ${nats(averaged.alongFirst)} on the average of other noises. The DW-box and the EoT direction have cosine ${cosines.eotAndDwBox.toFixed(2)};
two EoT attacks that differ in their noise alone ${cosines.twoEot.toFixed(2)}, two without EoT ${cosines.twoWithoutEot.toFixed(2)}.</p></header>
<section id="summary"><h2>In numbers</h2>${summaryTable(results)}</section>
<section id="reading"><h2>How to read the maps</h2>${legend([...styles].map(([name, style]) => ({ name, ...style })))}
<p class="prose">Each map is the loss over a plane through the clean image (ring). Its axes are orthonormal: the first points to the end of an attack, the second to what of the
other direction is orthogonal to it. Distances in a map are true, in lengths of the longest perturbation; images are not clipped to [0,1] on the way. All maps of an image have one
colour scale. The attacks are drawn where they lie nearest in the plane of the DW-box and the first EoT attack, whose ends lie in it; how far the others are from it stands in the last chart.</p></section>
${results.images.map(image => imagePart(image, styles))}
<section id="provenance">${provenanceDetails(results)}</section>
</main></body></html>
`
}
