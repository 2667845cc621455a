import { short } from '../format.ts'
import { html, type Markup } from './markup.ts'
import { extent, ticks } from './ticks.ts'

export interface Series {
  readonly name: string
  /** A CSS colour. */
  readonly color: string
  /** SVG dash pattern; empty for a solid line. */
  readonly dash: string
  readonly points: readonly SeriesPoint[]
  /** Whether each point gets a dot. */
  readonly dots?: boolean
}

export interface SeriesPoint {
  readonly x: number
  readonly y: number
  /** Interval of y. */
  readonly low?: number
  readonly high?: number
}

export interface LineChartOptions {
  /** What the chart shows, for those who hear it. */
  readonly description: string
  readonly xLabel: string
  readonly yLabel: string
  readonly xTicks?: readonly number[]
  /** Ends of the y axis; default the extent of the data and 0. */
  readonly yDomain?: readonly [number, number]
  readonly width?: number
  readonly height?: number
}

const MARGIN = { left: 46, right: 12, top: 10, bottom: 38 }

/** Lines over a common x axis, with their intervals as bars. Its legend stands outside, since several charts share one. */
export const lineChart = (series: readonly Series[], options: LineChartOptions): Markup => {
  const { width = 360, height = 230 } = options
  const points = series.flatMap(({ points }) => points)
  const [x0, x1] = extent(points.map(({ x }) => x))
  const [y0, y1] =
    options.yDomain ??
    extent(
      points.flatMap(({ y, low = y, high = y }) => [y, low, high]),
      [0],
    )
  const right = width - MARGIN.right
  const bottom = height - MARGIN.bottom
  const scale = (value: number, [a, b]: readonly [number, number], [from, to]: readonly [number, number]): number =>
    Number((from + ((to - from) * (b > a ? value - a : 0.5)) / (b > a ? b - a : 1)).toFixed(2))
  // Room at both ends, so that dots and intervals of the outer points do not touch the frame.
  const inset = points.some(({ low }) => low !== undefined) ? 14 : 0
  const px = (x: number): number => scale(x, [x0, x1], [MARGIN.left + inset, right - inset])
  const py = (y: number): number => scale(y, [y0, y1], [bottom, MARGIN.top])

  return html`<svg class="chart" viewBox="0 0 ${width} ${height}" role="img" aria-label="${options.description}">
${ticks(y0, y1).map(
  tick =>
    html`<line class="grid" x1="${MARGIN.left}" x2="${right}" y1="${py(tick)}" y2="${py(tick)}"/><text class="tick" x="${MARGIN.left - 6}" y="${py(tick) + 3.5}" text-anchor="end">${short(tick)}</text>\n`,
)}${(options.xTicks ?? ticks(x0, x1)).map(
  tick =>
    html`<line class="axis" x1="${px(tick)}" x2="${px(tick)}" y1="${bottom}" y2="${bottom + 4}"/><text class="tick" x="${px(tick)}" y="${bottom + 16}" text-anchor="middle">${short(tick)}</text>\n`,
)}<line class="axis" x1="${MARGIN.left}" x2="${right}" y1="${bottom}" y2="${bottom}"/>
<text class="label" x="${(MARGIN.left + right) / 2}" y="${height - 6}" text-anchor="middle">${options.xLabel}</text>
<text class="label" transform="translate(12 ${(MARGIN.top + bottom) / 2}) rotate(-90)" text-anchor="middle">${options.yLabel}</text>
${series.map(line => seriesMarks(line, px, py))}</svg>`
}

const seriesMarks = (
  { name, color, dash, points, dots }: Series,
  px: (x: number) => number,
  py: (y: number) => number,
): Markup => html`<g style="--c:${color}"><title>${name}</title>
<polyline class="line" stroke-dasharray="${dash}" points="${points.map(({ x, y }) => `${px(x)},${py(y)}`).join(' ')}"/>
${points.map(({ x, low, high }) => low !== undefined && high !== undefined && html`<line class="whisker" x1="${px(x)}" x2="${px(x)}" y1="${py(low)}" y2="${py(high)}"/>`)}
${dots === true && points.map(({ x, y }) => html`<circle class="dot" cx="${px(x)}" cy="${py(y)}" r="3.5"/>`)}</g>\n`

/** What the lines mean. */
export const legend = (entries: readonly { readonly name: string; readonly color: string; readonly dash: string }[]): Markup =>
  html`<ul class="legend">${entries.map(
    ({ name, color, dash }) =>
      html`<li><svg viewBox="0 0 26 10" width="26" height="10" aria-hidden="true" style="--c:${color}"><line class="line" x1="0" x2="26" y1="5" y2="5" stroke-dasharray="${dash}"/></svg>${name}</li>`,
  )}</ul>`
