import type { Audit, AuditRow, SpecEvidence } from './joinClaims.ts'
import type { Section } from './section.ts'
import { escaped, sectionHtml, sectionStyle } from './sectionHtml.ts'
import { evidenceTitle, type Summary, summaryLines } from './summary.ts'

const style = `
:root { color-scheme: light dark; --ground: #fbfaf7; --card: #fff; --ink: #1d2126; --soft: #5b636d; --line: #e1ded6;
  --link: #1f5f99; --passed: #22713f; --failed: #b3261e; --open: #8a5a00 }
@media (prefers-color-scheme: dark) { :root { --ground: #14171a; --card: #1c2024; --ink: #e7e5e0; --soft: #9aa3ad; --line: #30363c;
  --link: #8dbdec; --passed: #7fcf9b; --failed: #ff8f86; --open: #e6b866 } }
* { box-sizing: border-box }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif }
header, main { max-width: 76rem; margin: 0 auto; padding: 0 1rem }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 2rem 0 .5rem }
h2 { font-size: 1.05rem; line-height: 1.35; margin: 0 }
header p { margin: .15rem 0; color: var(--soft) }
a { color: var(--link); text-decoration-thickness: 1px; text-underline-offset: 2px }
nav { display: flex; flex-wrap: wrap; gap: .35rem; margin: 1rem 0 1.5rem }
nav a { padding: .1rem .6rem; border: 1px solid var(--line); border-radius: 1rem; background: var(--card); font-size: .875rem; text-decoration: none }
nav a.failed, nav a.open { border-color: currentcolor }
article, .problems { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: 1rem 1.25rem; margin: 0 0 1rem }
.problems { border-color: var(--failed) }
.head { display: flex; gap: .75rem; align-items: baseline; justify-content: space-between }
.place { color: var(--soft); font-size: .875rem; margin: 0 }
.verdict, nav .passed, nav .failed, nav .open { font-weight: 600 }
.passed { color: var(--passed) } .failed { color: var(--failed) } .open { color: var(--open) }
.columns { display: grid; gap: .75rem 2rem; margin-top: .75rem }
@media (min-width: 50rem) { .columns { grid-template-columns: 2fr 3fr } }
h3 { font-size: .8rem; font-weight: 600; color: var(--soft); margin: 0 0 .2rem }
ul { margin: 0; padding: 0; list-style: none } li { margin: 0 0 .3rem; overflow-wrap: anywhere }
code, .code a { font: .85em/1.5 ui-monospace, monospace }
small { color: var(--soft) }
article section + section { margin-top: .75rem }
`

const list = (items: readonly string[]): string => `<ul>${items.map(item => `<li>${item}</li>`).join('')}</ul>`

const section = (title: string, items: readonly string[], className = ''): string =>
  items.length === 0 ? '' : `<section class="${className}"><h3>${title}</h3>${list(items)}</section>`

const anchor = (id: string): string => id.toLowerCase().replace(/[^a-z0-9]+/g, '-')

const evidenceItem = (evidence: SpecEvidence): string => {
  const { file, tests, failed, runs, seeds } = evidence
  const outcome =
    tests === 0
      ? '<span class="open">did not run</span>'
      : failed > 0
        ? `<span class="failed">${failed} of ${tests} failed</span>`
        : `<span class="passed">${tests} passed</span>`
  const properties = runs > 0 ? `, ${runs} runs, seed ${seeds.join(', ')}` : ''
  return `${escaped(evidenceTitle(evidence))}<br><small><a href="${escaped(file)}">${escaped(file)}</a> ${outcome}${properties}</small>`
}

const card = ({ claim, code, evidence, deviations, verdict }: AuditRow): string => `
<article id="${anchor(claim.id)}">
<div class="head"><h2>${escaped(claim.id)}: ${escaped(claim.statement)}</h2><span class="verdict ${verdict}">${verdict}</span></div>
<p class="place">${escaped(claim.place)}</p>
<div class="columns"><div>
${section(
  'Code',
  code.map(
    ({ path, symbol, line }) =>
      `<a href="${escaped(path)}#L${line}">${escaped(symbol || path)}</a> <small>${escaped(path)}:${line}</small>`,
  ),
  'code',
)}
${claim.properties.length > 0 ? section('Properties', [escaped(claim.properties.join(', '))]) : ''}
</div><div>
${section('Specs', evidence.map(evidenceItem))}
${section('Deviations', deviations.map(escaped))}
</div></div>
</article>`

/** The audit as one self-contained page: a card per claim, then the sections. Links are relative to the project's root. */
export const auditHtml = ({ rows, problems }: Audit, summary: Summary, sections: readonly Section[] = []): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Audit: claims, code, evidence</title>
<style>${style}${sectionStyle}</style>
<header>
<h1>Claims, code, evidence</h1>
${summaryLines(summary)
  .map(line => `<p>${escaped(line)}</p>`)
  .join('\n')}
<nav>${rows.map(({ claim, verdict }) => `<a class="${verdict}" href="#${anchor(claim.id)}">${escaped(claim.id)}</a>`).join('')}</nav>
${sections.length > 0 ? `<nav aria-label="More">${sections.map(({ id, title }) => `<a href="#${escaped(id)}">${escaped(title)}</a>`).join('')}</nav>` : ''}
</header>
<main>
${problems.length > 0 ? `<div class="problems"><h2>Problems</h2>${list(problems.map(escaped))}</div>` : ''}
${rows.map(card).join('')}
${sections.map(sectionHtml).join('')}
</main>
</html>
`
