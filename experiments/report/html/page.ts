import type { AuditResults } from '../../dwBox/results.ts'
import { answerOf, QUESTION } from '../answer.ts'
import { numericSweep, type Section, sectionsOf, sectionTitle } from '../sections.ts'
import { accuracyChart, hasLossCurves, lossCharts, sweepCharts } from './charts.ts'
import { method, settingList } from './explanation.ts'
import { gallery } from './gallery.ts'
import { html, type Markup, verbatim } from './markup.ts'
import { provenanceDetails } from './provenance.ts'
import { STYLE } from './style.ts'
import { accuracyTable } from './table.ts'
import { trajectories } from './trajectories.ts'
import { comparisonTable, lintList, verdictCards } from './verdicts.ts'

const part = (id: string, title: string, lead: string, content: Markup): Markup =>
  html`<section id="${id}"><h2>${title}</h2>${lead !== '' && html`<p class="lead">${lead}</p>`}
${content}</section>\n`

const variation = (results: AuditResults, section: Section): Markup => {
  const sweep = numericSweep(results, section)
  return html`<h3 class="variation">${sectionTitle(section)}</h3>${sweep && sweepCharts(sweep)}${accuracyTable(section)}`
}

/** The whole page. What a run did not measure is left out. */
export const page = (results: AuditResults): Markup => {
  const [first, ...sweeps] = sectionsOf(results)
  const main = first?.name === '' ? first : undefined
  const varied = main || !first ? sweeps : [first, ...sweeps]
  const sections = [
    main && part('table', sectionTitle(main), '', html`${accuracyTable(main)}`),
    part('verdicts', 'Verdicts', '', html`${verdictCards(results.verdicts)}${lintList(results.lints)}`),
    main && part('accuracy', 'Accuracy at a glance', '', accuracyChart(main)),
    main &&
      hasLossCurves(main) &&
      part(
        'loss',
        'How far the attacks get',
        'Mean loss that the attacker sees at each step: the higher it climbs, the better the attack finds its way. All charts have the same axes.',
        lossCharts(main.rows),
      ),
    results.comparisons.length > 0 && part('comparisons', 'Comparisons', '', comparisonTable(results.comparisons)),
    varied.length > 0 && part('variations', 'Variations', '', html`${varied.map(section => variation(results, section))}`),
    results.trajectories.length > 0 &&
      part(
        'trajectories',
        'Where the attacks go',
        'The paper claims that attacks which meet fresh noise fan out and reach little loss, while the one that knows the noise reaches far more. This is what they did here.',
        trajectories(results.trajectories),
      ),
    results.gallery.length > 0 && part('gallery', 'What it looks like', '', gallery(results.gallery)),
    part('settings', 'What the attacker knows', '', settingList()),
    part('method', 'How the numbers are made', '', method()),
  ].filter((section): section is Markup => Boolean(section))
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>DW-box audit ${results.id}</title>
<style>${verbatim(STYLE)}</style></head>
<body><main>
<header class="top"><p class="kicker">DW-box audit · ${results.id}</p><h1>${QUESTION}</h1><p class="answer">${answerOf(results)}</p></header>
${sections}
<section id="provenance">${provenanceDetails(results)}</section>
</main></body></html>
`
}
