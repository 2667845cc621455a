import type { Section } from '../section.ts'

/** A fault put into the code on purpose, and the tests that saw it. */
export interface Kill {
  readonly fault: string
  readonly file: string
  readonly description: string
  /** Titles of the specs that failed; empty when none did. */
  readonly killedBy: readonly string[]
  readonly seconds: number
}

/** Whether the specs notice faults: one row per fault of the mutation check. */
export const killTableSection = (kills: readonly Kill[] | undefined): Section => {
  const survivors = kills?.filter(({ killedBy }) => killedBy.length === 0).length ?? 0
  return {
    id: 'faults',
    title: 'Do the specs notice faults?',
    lead: kills
      ? [`${kills.length - survivors} of ${kills.length} faults put into the code make a spec fail.`]
      : ['Not measured yet: npm run audit -- --mutate'],
    tables: kills
      ? [
          {
            columns: ['Fault', 'Where', 'Noticed by', 'Seconds'],
            rows: kills.map(({ fault, file, description, killedBy, seconds }) => [
              `${fault}: ${description}`,
              { text: file, href: file },
              killedBy.length > 0 ? { text: summary(killedBy), tone: 'passed' } : { text: 'nothing', tone: 'failed' },
              seconds.toFixed(0),
            ]),
          },
        ]
      : [],
  }
}

const shownTitles = 2

const summary = (titles: readonly string[]): string => {
  const more = titles.length - shownTitles
  return titles.slice(0, shownTitles).join('\n') + (more > 0 ? `\nand ${more} more` : '')
}
