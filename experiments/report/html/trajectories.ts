import type { Trajectory } from '../../dwBox/results.ts'
import { short } from '../format.ts'
import { groupBy } from '../groupBy.ts'
import { attackStyles } from './colors.ts'
import { legend, lineChart } from './lineChart.ts'
import { html, type Markup } from './markup.ts'
import { extent, ticks } from './ticks.ts'

type Styles = ReturnType<typeof attackStyles>

/** Where the attacks on an image go, and what loss they reach on the way: claim 2 of the paper as pictures. */
export const trajectories = (all: readonly Trajectory[]): Markup => {
  const styles = attackStyles(all.map(({ attack }) => attack))
  const yDomain = extent(
    all.flatMap(({ loss }) => loss),
    [0],
  )
  return html`${legend([...styles].map(([name, style]) => ({ name, ...style })))}
<div class="pairs">${[...groupBy(all, ({ imageId }) => imageId)].map(
    ([imageId, members]) =>
      html`<article class="pair"><h4>Image ${imageId}, label ${members[0]!.label}</h4><div>${plane(imageId, members, styles)}${lineChart(
        members.map(({ attack, loss }) => ({ name: attack, ...styles.get(attack)!, points: loss.map((y, x) => ({ x, y })) })),
        {
          description: `Loss along the attacks on image ${imageId}`,
          xLabel: 'attack step',
          yLabel: 'loss, known noise, nats',
          yDomain,
          width: SIDE,
          height: SIDE,
        },
      )}</div></article>`,
  )}</div>
<p class="note">Left: the plane through the clean image (ring) and the ends of the White and the DW_Both attack; the last step of each attack is a dot.
Right: the cross-entropy at each step, measured for every attack with the one noise that the DW_Both attacker knows.</p>`
}

/** Width and height of both charts, CSS pixels at full size. */
const SIDE = 300
const MARGIN = { left: 46, right: 4, top: 12, bottom: 38 }

/** The paths, with the same scale on both axes: lengths and angles in the plane are true. */
const plane = (imageId: number, members: readonly Trajectory[], styles: Styles): Markup => {
  const [x0, x1] = extent(
    members.flatMap(({ points }) => points.map(([x]) => x)),
    [0],
  )
  const [y0, y1] = extent(
    members.flatMap(({ points }) => points.map(([, y]) => y)),
    [0],
  )
  const side = Math.max(x1 - x0, y1 - y0, 1e-6) * 1.08
  const left = (x0 + x1 - side) / 2
  const low = (y0 + y1 - side) / 2
  const size = SIDE - MARGIN.top - MARGIN.bottom
  const right = MARGIN.left + size
  const bottom = MARGIN.top + size
  const px = (x: number): number => Number((MARGIN.left + (size * (x - left)) / side).toFixed(2))
  const py = (y: number): number => Number((bottom - (size * (y - low)) / side).toFixed(2))
  return html`<svg class="chart" viewBox="0 0 ${SIDE} ${SIDE}" role="img" aria-label="Attacks on image ${imageId} in a plane">
${ticks(low, low + side, 6).map(
  tick =>
    html`<line class="grid" x1="${MARGIN.left}" x2="${right}" y1="${py(tick)}" y2="${py(tick)}"/><text class="tick" x="${MARGIN.left - 6}" y="${py(tick) + 3.5}" text-anchor="end">${short(tick)}</text>`,
)}
${ticks(left, left + side, 6).map(
  tick =>
    html`<line class="grid" x1="${px(tick)}" x2="${px(tick)}" y1="${MARGIN.top}" y2="${bottom}"/><text class="tick" x="${px(tick)}" y="${bottom + 16}" text-anchor="middle">${short(tick)}</text>`,
)}
<text class="label" x="${(MARGIN.left + right) / 2}" y="${SIDE - 6}" text-anchor="middle">towards the White end, ε</text>
<text class="label" transform="translate(12 ${(MARGIN.top + bottom) / 2}) rotate(-90)" text-anchor="middle">towards the DW_Both end, ε</text>
${members.map(({ attack, points }) => {
  const { color, dash } = styles.get(attack)!
  const [endX, endY] = points.at(-1) ?? [0, 0]
  return html`<g style="--c:${color}"><title>${attack}</title><polyline class="line" stroke-dasharray="${dash}" points="${points.map(([x, y]) => `${px(x)},${py(y)}`).join(' ')}"/><circle class="dot" cx="${px(endX)}" cy="${py(endY)}" r="4"/></g>\n`
})}<circle class="origin" cx="${px(0)}" cy="${py(0)}" r="5"/></svg>`
}
