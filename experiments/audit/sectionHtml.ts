import { cellOf, type Section, type SectionTable } from './section.ts'

export const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

/** A table that scrolls in its own box where it is wider than the page. */
const tableHtml = ({ caption, columns, rows }: SectionTable): string => `
<div class="scroll" tabindex="0" role="region" aria-label="${escaped(caption ?? columns.join(', '))}"><table>
${caption ? `<caption>${escaped(caption)}</caption>` : ''}
<thead><tr>${columns.map(column => `<th scope="col">${escaped(column)}</th>`).join('')}</tr></thead>
<tbody>
${rows.map(row => `<tr>${row.map((cell, i) => cellHtml(cell, i)).join('')}</tr>`).join('\n')}
</tbody></table></div>`

const cellHtml = (cell: SectionTable['rows'][number][number], column: number): string => {
  const { text, href, tone } = cellOf(cell)
  const shown = escaped(text).replaceAll('\n', '<br>')
  const linked = href ? `<a href="${escaped(href)}">${shown}</a>` : shown
  const [open, close] = column === 0 ? ['<th scope="row"', '</th>'] : ['<td', '</td>']
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
#quirks tbody td { min-width: 11rem } #quirks tbody td:last-child { min-width: 20rem }
`
