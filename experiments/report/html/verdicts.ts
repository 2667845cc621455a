import type { Comparison, Verdict } from '../../dwBox/results.ts'
import { points, pValue } from '../format.ts'
import { SETTING_COLOR } from './colors.ts'
import { differenceBar } from './interval.ts'
import { html, type Markup } from './markup.ts'

const OUTCOME = {
  shown: { mark: '✔', kind: 'yes' },
  'not shown': { mark: '○', kind: 'open' },
  contradicted: { mark: '✘', kind: 'no' },
} as const

export const verdictCards = (verdicts: readonly Verdict[]): Markup =>
  html`<div class="cards">${verdicts.map(({ claim, statement, outcome, evidence }) => {
    const { mark, kind } = OUTCOME[outcome]
    return html`<article class="card ${kind}"><header><span class="badge">${mark} ${outcome}</span> <span class="claim">${claim}</span></header><h3>${statement}</h3><p>${evidence}</p></article>\n`
  })}</div>`

export const lintList = (lints: readonly string[]): Markup =>
  lints.length === 0
    ? html`<p class="note">No lint: the table respects the order of the settings (who knows more does not do worse), and its percentages are possible counts.</p>`
    : html`<ul class="lints">${lints.map(lint => html`<li>${lint}</li>`)}</ul>`

/** Pairs of defences on the same images; bars share one axis. */
export const comparisonTable = (comparisons: readonly Comparison[]): Markup => {
  const ends = comparisons.flatMap(({ difference: { low, high } }) => [Math.abs(low), Math.abs(high)])
  const limit = Math.max(0.05, ...ends) * 1.05
  return html`<table class="comparisons">
<thead><tr><th scope="col">Setting</th><th scope="col">Compared</th><th scope="col">Difference, points</th><th scope="col">McNemar</th></tr></thead>
<tbody>
${comparisons.map(
  ({
    setting,
    a,
    b,
    images,
    difference,
    mcnemar: { onlyA, onlyB, p },
  }) => html`<tr><th scope="row" style="--c:${SETTING_COLOR[setting]}"><i class="swatch"></i>${setting}</th>
<td data-label="compared">${b} <span class="against">against</span> ${a}</td>
<td data-label="difference, points"><b>${points(difference.mean)}</b> <span class="range">${points(difference.low)} to ${points(difference.high)}</span>${differenceBar(difference, limit)}</td>
<td data-label="McNemar"><b>${pValue(p)}</b><small>only the first right on ${onlyB}, only the second on ${onlyA} of ${images} images</small></td></tr>\n`,
)}</tbody></table>
<p class="note">Positive: the first one is more robust. The interval is of the mean paired difference over images; McNemar's exact test counts the images on which, by
the majority of the report draws, only one of the two is right.</p>`
}
