import { cellOf, type Section, type SectionTable } from './section.ts'

export const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

/** A table; on a narrow screen its rows become cards, and where it is still wider than the page it scrolls in its own box. */
const tableHtml = ({ caption, columns, rows }: SectionTable): string => `
<div class="scroll" tabindex="0" role="region" aria-label="${escaped(caption ?? columns.join(', '))}"><table>
${caption ? `<caption>${escaped(caption)}</caption>` : ''}
<thead><tr>${columns.map(column => `<th scope="col">${escaped(column)}</th>`).join('')}</tr></thead>
<tbody>
${rows.map(row => `<tr>${row.map((cell, i) => cellHtml(cell, i, columns[i]!)).join('')}</tr>`).join('\n')}
</tbody></table></div>`

const cellHtml = (cell: SectionTable['rows'][number][number], column: number, label: string): string => {
  const { text, href, tone } = cellOf(cell)
  const shown = escaped(text).replaceAll('\n', '<br>')
  const linked = href ? `<a href="${escaped(href)}">${shown}</a>` : shown
  const [open, close] = column === 0 ? ['<th scope="row"', '</th>'] : [`<td data-label="${escaped(label)}"`, '</td>']
  return `${open}${tone ? ` class="${tone}"` : ''}>${linked}${close}`
}

/** A section as a part of the page. */
export const sectionHtml = ({ id, title, lead, tables }: Section): string => `
<section class="part" id="${escaped(id)}">
<h2>${escaped(title)}</h2>
${lead.map(line => `<p>${escaped(line)}</p>`).join('\n')}
${tables.map(tableHtml).join('\n')}
</section>`

/** Rules for sections; the page's own define the colours. */
export const sectionStyle = `
.part { margin: 2.5rem 0; padding-top: 1.25rem; border-top: 1px solid var(--line) }
.part h2 { font-size: 1.25rem; margin: 0 0 .5rem }
.part p { margin: 0 0 .4rem; max-width: 75ch; color: var(--soft); overflow-wrap: anywhere }
.scroll { overflow-x: auto; margin: 1rem 0; background: var(--card); border: 1px solid var(--line); border-radius: .5rem }
.part table { border-collapse: collapse; width: 100%; font-size: .875rem; line-height: 1.4; font-variant-numeric: tabular-nums }
.part caption { text-align: left; font-weight: 600; padding: .75rem 1rem .25rem }
.part th, .part td { text-align: left; vertical-align: top; padding: .5rem 1rem; min-width: 5rem }
.part thead th { color: var(--soft); font-weight: 600; white-space: nowrap }
.part tbody tr { border-top: 1px solid var(--line) }
.part tbody th { font-weight: 600 }
@media (min-width: 50rem) { #quirks td:last-child { min-width: 22rem } #quirks td { min-width: 9rem } }
@media (max-width: 49.99rem) {
  .part table, .part tbody, .part tr, .part tbody th, .part td, .part caption { display: block; width: 100% }
  .part thead { display: none }
  .part tbody tr { padding: .6rem 1rem }
  .part tbody th, .part td { padding: .1rem 0; overflow-wrap: anywhere }
  .part td[data-label]:not([data-label=""])::before { content: attr(data-label) ": "; color: var(--soft) }
}
`
