import type { LockSetName } from '../../../algorithms/randomness/lockSets.ts'
import type { Accuracy, ResultRow } from '../../dwBox/results.ts'
import { sampleSizes } from '../sampleSizes.ts'
import { type Section, varies } from '../sections.ts'
import { cellOf, settingsOf } from '../settings.ts'
import { CLEAN_COLOR, SETTING_COLOR } from './colors.ts'
import { accuracyText, intervalBar } from './interval.ts'
import { html, type Markup } from './markup.ts'

/** The accuracies of a section: a row per defence, a column per setting, each with its interval as numbers and as a bar. */
export const accuracyTable = (section: Section): Markup => {
  const { rows } = section
  const settings = settingsOf(rows)
  return html`<table class="accuracy">
<thead><tr><th scope="col">Defence</th><th scope="col">clean</th>${settings.map(setting => html`<th scope="col" style="--c:${SETTING_COLOR[setting]}"><i class="swatch"></i>${setting}</th>`)}</tr></thead>
<tbody>
${rows.map(
  row => html`<tr><th scope="row">${row.label}${varies(section) && html`<small>${row.variation}</small>`}</th>
${measuredCell('clean', row.clean, CLEAN_COLOR, '')}
${settings.map(setting => settingCell(row, setting))}</tr>\n`,
)}</tbody></table>
<p class="note">${section.name === '' && LEGEND}${sampleSizes(section)}.</p>`
}

const LEGEND = 'Accuracy in %, beside it its 95 % interval. EoT: gradient samples per attack step; cos: how far their gradients agree. '

const measuredCell = (name: string, accuracy: Accuracy, color: string, note: string): Markup =>
  html`<td data-label="${name}">${accuracyText(accuracy)}${intervalBar(accuracy, color)}${note !== '' && html`<small>${note}</small>`}</td>`

const settingCell = (row: ResultRow, setting: LockSetName): Markup => {
  const cell = cellOf(row, setting)
  if (cell.kind === 'absent') {
    const why = cell.why === 'no noise' ? 'no noise to know' : 'not run'
    return html`<td class="absent" data-label="${setting}">–<small>${why}</small></td>`
  }
  const { robust, eotSamples, eotCosine } = cell.result
  if (cell.kind === 'same') {
    return html`<td class="same" data-label="${setting}">${accuracyText(robust)}${intervalBar(robust, SETTING_COLOR[setting])}<small>same as ${cell.as}: no reverse noise</small></td>`
  }
  const eot = eotCosine === null ? `EoT ${eotSamples}` : `EoT ${eotSamples}, cos ${eotCosine.toFixed(2)}`
  return measuredCell(setting, robust, SETTING_COLOR[setting], eot)
}
