import { cellOf, type Section, type SectionTable } from './section.ts'

export const escapedMarkdown = (text: string): string => text.replace(/[\\`*_{}[\]<>|]/g, '\\$&')

const cellText = (cell: SectionTable['rows'][number][number]): string => {
  const { text, href } = cellOf(cell)
  const shown = escapedMarkdown(text).replaceAll('\n', '<br>')
  return href ? `[${shown}](${href})` : shown
}

const tableLines = ({ caption, columns, rows }: SectionTable): string[] => [
  ...(caption ? [`**${escapedMarkdown(caption)}**`, ''] : []),
  `| ${columns.map(escapedMarkdown).join(' | ')} |`,
  `| ${columns.map(() => '---').join(' | ')} |`,
  ...rows.map(row => `| ${row.map(cellText).join(' | ')} |`),
  '',
]

/** A section as Markdown lines. */
export const sectionMarkdown = ({ title, lead, tables }: Section): string[] => [
  `## ${escapedMarkdown(title)}`,
  '',
  ...lead.flatMap(line => [escapedMarkdown(line), '']),
  ...tables.flatMap(tableLines),
]
