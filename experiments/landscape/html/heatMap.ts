import { Buffer } from 'node:buffer'
import { encode } from 'fast-png'
import { contour } from '../../../algorithms/landscape/contours.ts'
import { short } from '../../report/format.ts'
import { html, type Markup } from '../../report/html/markup.ts'
import { extent, ticks } from '../../report/html/ticks.ts'
import type { PlanePath, Surface } from '../results.ts'
import { colorOf } from './colorScale.ts'

export interface HeatMapOptions {
  readonly coordinates: readonly number[]
  /** Losses of the darkest and the lightest colour. */
  readonly scale: readonly [number, number]
  /** What the map shows, for those who hear it. */
  readonly description: string
  /** Attacks drawn over it. */
  readonly paths?: readonly PlanePath[]
  readonly styles?: ReadonlyMap<string, { readonly color: string; readonly dash: string }>
}

const SIDE = 300
const MARGIN = { left: 50, right: 6, top: 8, bottom: 40 }
const SIZE = SIDE - MARGIN.left - MARGIN.right
const LEVELS = 7

/** The surface as a lossless picture, one pixel per point, the largest second coordinate on top. */
const picture = ({ loss }: Surface, [low, high]: readonly [number, number]): string => {
  const data = Uint8Array.from([...loss].reverse().flatMap(line => line.flatMap(value => [...colorOf((value - low) / (high - low || 1))])))
  const png = encode({ width: loss[0]!.length, height: loss.length, data, channels: 3, depth: 8 })
  return `data:image/png;base64,${Buffer.from(png).toString('base64')}`
}

/** Loss over a plane: colours, contour lines, the clean image as a ring, and attacks as lines; the same scale on both axes. */
export const heatMap = (surface: Surface, { coordinates, scale, description, paths = [], styles }: HeatMapOptions): Markup => {
  const [first, last] = [coordinates[0]!, coordinates.at(-1)!]
  const cell = SIZE / (coordinates.length - 1)
  const right = MARGIN.left + SIZE
  const bottom = MARGIN.top + SIZE
  const px = (a: number): number => Number((MARGIN.left + (SIZE * (a - first)) / (last - first)).toFixed(2))
  const py = (b: number): number => Number((bottom - (SIZE * (b - first)) / (last - first)).toFixed(2))
  const at = ([column, row]: readonly [number, number]): string =>
    `${(MARGIN.left + column * cell).toFixed(1)} ${(bottom - row * cell).toFixed(1)}`
  const levels = ticks(...extent(surface.loss.flat()), LEVELS)
  const lines = levels.map(level => {
    const d = contour(surface.loss, level)
      .map(([from, to]) => `M${at(from)}L${at(to)}`)
      .join('')
    return html`<path class="contour" d="${d}"><title>${short(level)} nats</title></path>`
  })
  const round = ticks(first, last, 6)
  return html`<svg class="chart" viewBox="0 0 ${SIDE} ${MARGIN.top + SIZE + MARGIN.bottom}" role="img" aria-label="${description}">
<svg x="${MARGIN.left}" y="${MARGIN.top}" width="${SIZE}" height="${SIZE}"><image class="cells" href="${picture(surface, scale)}" x="${-cell / 2}" y="${-cell / 2}" width="${SIZE + cell}" height="${SIZE + cell}" preserveAspectRatio="none"/></svg>
${lines}
${round.map(tick => html`<line class="axis" x1="${px(tick)}" x2="${px(tick)}" y1="${bottom}" y2="${bottom + 4}"/><text class="tick" x="${px(tick)}" y="${bottom + 16}" text-anchor="middle">${short(tick)}</text><line class="axis" x1="${MARGIN.left - 4}" x2="${MARGIN.left}" y1="${py(tick)}" y2="${py(tick)}"/><text class="tick" x="${MARGIN.left - 7}" y="${py(tick) + 3.5}" text-anchor="end">${short(tick)}</text>`)}
<text class="label" x="${(MARGIN.left + right) / 2}" y="${bottom + 33}" text-anchor="middle">${surface.axes[0]} direction</text>
<text class="label" transform="translate(11 ${(MARGIN.top + bottom) / 2}) rotate(-90)" text-anchor="middle">${surface.axes[1]} direction</text>
${paths.map(({ attack, points }) => {
  const { color, dash } = styles!.get(attack)!
  const line = points.map(([a, b]) => `${px(a)},${py(b)}`).join(' ')
  const [endA, endB] = points.at(-1)!
  return html`<g style="--c:${color}"><title>${attack}</title><polyline class="halo" points="${line}"/><polyline class="line" stroke-dasharray="${dash}" points="${line}"/><circle class="dot" cx="${px(endA)}" cy="${py(endB)}" r="4"/></g>`
})}<circle class="origin" cx="${px(0)}" cy="${py(0)}" r="4.5"/></svg>`
}
