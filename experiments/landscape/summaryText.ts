import type { LandscapeResults, SurfaceSummary } from './results.ts'

const noiseNames = { known: 'the known noise', averaged: 'averaged noise' } as const

/** `0.123`: a loss in nats. */
export const nats = (loss: number): string => loss.toFixed(loss < 10 ? 3 : 1)

export const planeName = ({ axes: [first, second] }: Pick<SurfaceSummary, 'axes'>): string => `${first} × ${second}`

export const noiseName = ({ noise }: Pick<SurfaceSummary, 'noise'>): string => noiseNames[noise]

const columns: readonly (readonly [title: string, value: (s: SurfaceSummary) => string])[] = [
  ['plane', planeName],
  ['loss on', noiseName],
  ['clean', s => nats(s.atClean)],
  ['first axis', s => nats(s.alongFirst)],
  ['second axis', s => nats(s.alongSecond)],
  ['largest', s => nats(s.largest)],
]

/** What the surfaces say, one line each. */
export const summaryText = ({ summary, defence, images }: LandscapeResults): string => {
  const lines = [columns.map(([title]) => title), ...summary.map(s => columns.map(([, value]) => value(s)))]
  const widths = columns.map((_, i) => Math.max(...lines.map(line => line[i]!.length)))
  const table = lines.map(line =>
    line
      .map((cell, i) => (i < 2 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd(),
  )
  return [
    `${defence}: cross-entropy in nats, mean of ${images.length} ${images.length === 1 ? 'image' : 'images'}; at the clean image, one perturbation length along each axis,`,
    'and the largest within that length',
    '',
    ...table,
    '',
  ].join('\n')
}

/** Mean cosines between the ends of attacks, in words. */
export const meanCosines = ({ images }: LandscapeResults): { eotAndDwBox: number; twoEot: number; twoWithoutEot: number } => {
  const mean = (of: (cosines: LandscapeResults['images'][number]['cosines']) => number): number =>
    images.reduce((sum, { cosines }) => sum + of(cosines), 0) / images.length
  return { eotAndDwBox: mean(c => c.eotAndDwBox), twoEot: mean(c => c.twoEot), twoWithoutEot: mean(c => c.twoWithoutEot) }
}
