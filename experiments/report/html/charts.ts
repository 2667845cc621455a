import type { ResultRow } from '../../dwBox/results.ts'
import { percent, percentRange } from '../format.ts'
import { groupBy } from '../groupBy.ts'
import type { NumericSweep, Section } from '../sections.ts'
import { settingsOf } from '../settings.ts'
import { CLEAN_COLOR, SETTING_COLOR, SETTING_DASH } from './colors.ts'
import { intervalBar } from './interval.ts'
import { legend, lineChart } from './lineChart.ts'
import { html, type Markup } from './markup.ts'
import { extent } from './ticks.ts'

const CLEAN = { name: 'clean', color: CLEAN_COLOR, dash: '1 3' }

const settingsLegend = (rows: readonly ResultRow[], more: (typeof CLEAN)[] = []): Markup =>
  legend([...more, ...settingsOf(rows).map(name => ({ name, color: SETTING_COLOR[name], dash: SETTING_DASH[name] }))])

/** All accuracies of a section on one axis, so that defences can be compared by eye. */
export const accuracyChart = ({ rows }: Section): Markup => {
  const lane = (name: string, accuracy: ResultRow['clean'], color: string): Markup =>
    html`<div class="lane" title="${`${name} ${percent(accuracy.mean)} % (${percentRange(accuracy)})`}"><span class="lane-name">${name}</span>${intervalBar(accuracy, color)}</div>`
  return html`<figure class="dots">
${rows.map(
  row =>
    html`<div class="group"><div class="group-name">${row.label}</div><div class="lanes">${lane('clean', row.clean, CLEAN_COLOR)}${row.settings.map(
      ({ setting, robust }) => lane(setting, robust, SETTING_COLOR[setting]),
    )}</div></div>\n`,
)}<div class="group scale" aria-hidden="true"><div></div><div class="lanes"><div class="lane"><span class="lane-name"></span><span class="ruler">${[0, 25, 50, 75, 100].map(tick => html`<span style="left:${tick}%">${tick}</span>`)}</span></div></div></div>
<figcaption>Accuracy in %, with its 95 % interval. Settings that coincide for a defence are drawn once.</figcaption></figure>`
}

/** The mean attack loss at each attack step: one chart per defence, one line per setting, the same axes everywhere. */
export const lossCharts = (rows: readonly ResultRow[]): Markup => {
  const yDomain = extent(
    rows.flatMap(({ settings }) => settings.flatMap(({ lossCurve }) => lossCurve)),
    [0],
  )
  return html`${settingsLegend(rows)}<div class="multiples">${rows.map(
    row =>
      html`<figure><figcaption>${row.label}</figcaption>${lineChart(
        row.settings.map(({ setting, lossCurve }) => ({
          name: setting,
          color: SETTING_COLOR[setting],
          dash: SETTING_DASH[setting],
          points: lossCurve.map((y, x) => ({ x, y })),
        })),
        { description: `Attack loss of ${row.label} by attack step`, xLabel: 'attack step', yLabel: 'cross-entropy, nats', yDomain },
      )}</figure>`,
  )}</div>`
}

/** Accuracy as a function of what is swept: one chart per defence. */
export const sweepCharts = ({ name, points }: NumericSweep): Markup => {
  const byLabel = groupBy(points, ({ row }) => row.label)
  const xTicks = [...new Set(points.map(({ x }) => x))]
  const rows = points.map(({ row }) => row).filter(({ variation }) => variation !== '')
  return html`${settingsLegend(rows, [CLEAN])}<div class="multiples">${[...byLabel].map(([label, members]) => {
    const accuracyAt = (x: number, { mean, low, high }: ResultRow['clean']) => ({ x, y: 100 * mean, low: 100 * low, high: 100 * high })
    const settings = settingsOf(rows).map(setting => ({
      name: setting as string,
      color: SETTING_COLOR[setting],
      dash: SETTING_DASH[setting],
      dots: true,
      points: members.flatMap(({ x, row }) => row.settings.filter(s => s.setting === setting).map(s => accuracyAt(x, s.robust))),
    }))
    return html`<figure><figcaption>${label}</figcaption>${lineChart(
      [{ ...CLEAN, dots: true, points: members.map(({ x, row }) => accuracyAt(x, row.clean)) }, ...settings],
      { description: `Accuracy of ${label} by ${name}`, xLabel: name, yLabel: 'accuracy, %', yDomain: [0, 100], xTicks },
    )}</figure>`
  })}</div>${points.some(({ row }) => row.variation === '') && html`<p class="note">With the points of the default table, which the table below does not repeat.</p>`}`
}

export const hasLossCurves = ({ rows }: Section): boolean => rows.some(row => row.settings.some(s => s.lossCurve.length > 0))
