import type { Accuracy } from '../dwBox/results.ts'
import { groupBy } from './groupBy.ts'
import type { Section } from './sections.ts'
import { settingsOf } from './settings.ts'

/** On how many images and draws the section's accuracies rest; a range where rows differ. */
export const sampleSizes = ({ rows }: Section): string => {
  const settings = settingsOf(rows)
  const size = (accuracies: readonly Accuracy[]): string => {
    const range = (values: number[]): string => [...new Set([Math.min(...values), Math.max(...values)])].join('–')
    return `${range(accuracies.map(a => a.images))} × ${range(accuracies.map(a => a.draws))}`
  }
  const parts = [
    ['clean', size(rows.map(row => row.clean))],
    ...settings.map(name => [name, size(rows.flatMap(row => row.settings.filter(s => s.setting === name).map(s => s.robust)))]),
  ]
  const alike = groupBy(parts, ([, text]) => text)
  return `Images × draws: ${[...alike].map(([text, members]) => `${members.map(([name]) => name).join(', ')} ${text}`).join('; ')}`
}
