import { Buffer } from 'node:buffer'
import { discordantPairs, mcnemar } from '../../../algorithms/evaluation/statistics/mcnemar.ts'
import { meanInterval } from '../../../algorithms/evaluation/statistics/meanInterval.ts'
import type { LockSetName } from '../../../algorithms/randomness/lockSets.ts'
import { loadDigits } from '../../../experiments/data/digits.ts'
import type {
  Accuracy,
  AuditResults,
  Comparison,
  GalleryImage,
  ResultRow,
  SettingResult,
  Trajectory,
} from '../../../experiments/dwBox/results.ts'

/** Made-up results that have the shape and the rough size of a run's. No number in them was measured. */

/** A share in [0, 1) that depends on the names alone. */
const chance = (...names: readonly (string | number)[]): number => {
  let hash = 2166136261
  for (const code of Buffer.from(names.join('/'))) hash = Math.imul(hash ^ code, 16777619)
  hash = Math.imul(hash ^ (hash >>> 15), 2246822507)
  return ((hash ^ (hash >>> 13)) >>> 0) / 2 ** 32
}

const DRAWS = 10

/** Outcomes of images of unequal difficulty, the same difficulties for every defence. */
const outcomesOf = (id: string, accuracy: number, images: number): string[] =>
  Array.from({ length: images }, (_, i) => {
    const share = Math.min(1, Math.max(0, accuracy + 1.6 * Math.min(accuracy, 1 - accuracy) * (chance('image', i) - 0.5)))
    return Array.from({ length: DRAWS }, (_, r) => (chance(id, i, r) < share ? '1' : '0')).join('')
  })

const accuracyOf = (outcomes: readonly string[]): Accuracy => {
  const { estimate: mean, low, high } = meanInterval(outcomes.map(text => [...text].map(c => c === '1')))
  return { mean, low, high, images: outcomes.length, draws: DRAWS }
}

const settingOf = (id: string, setting: LockSetName, clean: number, robust: number, eotSamples: number): SettingResult => {
  const images = setting === 'DW_Both' ? 256 : 128
  const robustOutcomes = outcomesOf(`${id}/${setting}`, robust, images)
  const top = 0.3 + 4 * (1 - robust) ** 1.5
  return {
    setting,
    robust: accuracyOf(robustOutcomes),
    eotSamples,
    lossCurve: Array.from({ length: 20 }, (_, k) => 0.12 + top * (1 - Math.exp(-k / 5)) + 0.05 * chance(id, setting, k)),
    eotCosine: eotSamples > 1 ? 0.2 + 0.4 * chance(id, setting, 'cosine') : null,
    imageIds: Array.from({ length: images }, (_, i) => i),
    cleanOutcomes: outcomesOf(`${id}/clean`, clean, images),
    robustOutcomes,
  }
}

const rowOf = (
  id: string,
  label: string,
  clean: number,
  robust: Readonly<Partial<Record<LockSetName, number>>>,
  variation = '',
): ResultRow => ({
  id,
  label,
  variation,
  clean: accuracyOf(outcomesOf(`${id}/clean`, clean, 128)),
  settings: Object.entries(robust).map(([setting, share]) =>
    settingOf(id, setting as LockSetName, clean, share, setting === 'DW_Both' || id === 'undefended' ? 1 : 5),
  ),
})

const rows: readonly ResultRow[] = [
  rowOf('undefended', 'undefended', 0.99, { White: 0.03 }),
  rowOf('ddpm-vanilla', 'DDPM vanilla', 0.93, { White: 0.52, DW_Fwd: 0.41, DW_Rev: 0.33, DW_Both: 0.14 }),
  rowOf('ddim-vanilla', 'DDIM vanilla', 0.95, { White: 0.44, DW_Both: 0.09 }),
  rowOf('ddpm-addt-paper', 'DDPM ADDT, lambda 0.03', 0.93, { White: 0.53, DW_Fwd: 0.42, DW_Rev: 0.35, DW_Both: 0.15 }),
  rowOf('ddpm-addt-scaled', 'DDPM ADDT, lambda 0.2', 0.92, { White: 0.6, DW_Fwd: 0.53, DW_Rev: 0.49, DW_Both: 0.36 }),
  ...['0.10', '0.20'].flatMap((t, i) => [
    rowOf(`ddpm-vanilla-t${t}`, 'DDPM vanilla', 0.96 - 0.07 * i, { White: 0.4 + 0.14 * i, DW_Both: 0.1 + 0.06 * i }, `t* ${t}`),
    rowOf(
      `ddpm-addt-scaled-t${t}`,
      'DDPM ADDT, lambda 0.2',
      0.95 - 0.06 * i,
      { White: 0.5 + 0.12 * i, DW_Both: 0.31 + 0.08 * i },
      `t* ${t}`,
    ),
  ]),
  rowOf('ddpm-vanilla-l2', 'DDPM vanilla', 0.93, { White: 0.61, DW_Both: 0.3 }, 'l_2, epsilon 0.75'),
  rowOf('ddpm-random-order', 'DDPM ADDT, random order', 0.93, { White: 0.51, DW_Both: 0.13 }, 'controls'),
  rowOf('ddpm-vanilla-seed1', 'DDPM vanilla', 0.92, { White: 0.5, DW_Both: 0.15 }, 'training seed 1'),
  rowOf('ddpm-vanilla-seed2', 'DDPM vanilla', 0.93, { White: 0.54, DW_Both: 0.12 }, 'training seed 2'),
]

const compare = (a: ResultRow, b: ResultRow, setting: LockSetName): Comparison => {
  const [first, second] = [a, b].map(row => row.settings.find(s => s.setting === setting)!.robustOutcomes)
  const share = (text: string): number => [...text].filter(c => c === '1').length / DRAWS
  const differences = first!.map((text, i) => share(second![i]!) - share(text))
  const n = differences.length
  const mean = differences.reduce((sum, d) => sum + d, 0) / n
  const error = Math.sqrt(differences.reduce((sum, d) => sum + (d - mean) ** 2, 0) / (n * (n - 1)))
  const pairs = discordantPairs(
    first!.map(text => share(text) > 0.5),
    second!.map(text => share(text) > 0.5),
  )
  return {
    setting,
    a: a.label,
    b: b.label,
    images: n,
    difference: { mean, low: mean - 1.96 * error, high: mean + 1.96 * error },
    mcnemar: { onlyA: pairs.onlyFirst, onlyB: pairs.onlySecond, p: mcnemar(pairs).exact },
  }
}

const PLANE: readonly (readonly [attack: string, angle: number, reach: number, top: number])[] = [
  ['White, EoT 5', 0, 4.6, 1.5],
  ['White, EoT 5, other noise', -0.5, 3.4, 1.2],
  ['White, no EoT', 0.45, 2.8, 0.9],
  ['White, no EoT, other noise', -1.0, 2.5, 0.8],
  ['DW_Both', 1.05, 5.4, 5.6],
]

const trajectoriesOf = (imageId: number, label: number): Trajectory[] =>
  PLANE.map(([attack, angle, reach, top]) => {
    const along = Array.from({ length: 21 }, (_, k) => 1 - Math.exp(-k / 6))
    return {
      imageId,
      label,
      attack,
      points: along.map((share, k): [number, number] => {
        const direction = angle + (k === 0 ? 0 : 0.3 * (1 - share) * (chance(attack, imageId, k) - 0.5))
        return [reach * share * Math.cos(direction), reach * share * Math.sin(direction)]
      }),
      loss: along.map((share, k) => 0.05 + top * share + 0.15 * chance(attack, imageId, k, 'loss')),
    }
  })

const digits = loadDigits()

const galleryOf = (imageId: number, row: string): GalleryImage => {
  const clean = [...digits.images.slice(64 * imageId, 64 * (imageId + 1))]
  const label = digits.labels[imageId]!
  const step = clean.map((_, i) => (chance('step', imageId, i) < 0.5 ? -0.15 : 0.15))
  const grey = (values: readonly number[]): string =>
    Buffer.from(values.map(v => Math.round(255 * Math.min(1, Math.max(0, v))))).toString('base64')
  const fooled = chance(row, imageId) < 0.6
  return {
    imageId,
    label,
    row,
    setting: 'DW_Both',
    width: 8,
    height: 8,
    clean: grey(clean),
    adversarial: grey(clean.map((v, i) => v + step[i]!)),
    perturbation: grey(step.map(d => d / 0.3 + 0.5)),
    purifiedClean: grey(clean.map((v, i) => v + 0.1 * (chance('a', imageId, i) - 0.5))),
    purifiedAdversarial: grey(clean.map((v, i) => v + 0.5 * step[i]! + 0.1 * (chance('b', imageId, i) - 0.5))),
    predictedClean: label,
    predictedAdversarial: fooled ? (label + 3) % 10 : label,
  }
}

const byId = (id: string): ResultRow => rows.find(row => row.id === id)!

const madeUp: AuditResults = {
  id: 'fixture',
  command: 'npm start -- --seed 0 --images 128 --full',
  provenance: {
    seed: 0,
    backend: 'cpu',
    git: { commit: '0123456789abcdef0123456789abcdef01234567', dirty: false },
    version: '0.1.0',
    node: 'v20.20.0',
    platform: 'linux x64',
    cpu: { model: 'Made-up CPU', count: 2 },
    dependencies: { zod: '4.6.7', 'gpu.js': null },
    time: '2025-01-01T00:00:00.000Z',
  },
  options: { preset: 'digits', seed: 0, tStar: 0.15, epsilon: 0.15, steps: 20, full: true, attack: { norm: 'linf' } },
  seconds: 1234,
  rows,
  comparisons: (['White', 'DW_Both'] as const).flatMap(setting => [
    compare(byId('ddpm-vanilla'), byId('ddpm-addt-paper'), setting),
    compare(byId('ddpm-vanilla'), byId('ddpm-addt-scaled'), setting),
  ]),
  verdicts: [
    {
      claim: 'claim-1 DDPM',
      statement: 'Knowing the noise takes most of the robustness away.',
      outcome: 'shown',
      evidence: 'DDPM vanilla falls from 52.0 % in White to 14.0 % in DW_Both.',
    },
    {
      claim: 'claim-3 lambda 0.03',
      statement: 'ADDT makes the diffusion model itself purify.',
      outcome: 'not shown',
      evidence: 'The difference in DW_Both is +0.9 points, its interval includes 0.',
    },
    {
      claim: 'claim-3 White',
      statement: 'ADDT costs no clean accuracy.',
      outcome: 'contradicted',
      evidence: 'Clean accuracy falls by 1.2 points.',
    },
  ],
  lints: ['E14: DW_Rev lies 3.1 points above White for DDPM vanilla; attack harder'],
  trajectories: [3, 11].flatMap(imageId => trajectoriesOf(imageId, imageId % 10)),
  gallery: ['DDPM vanilla', 'DDPM ADDT, lambda 0.2'].flatMap(row => [3, 11, 27, 45].map(imageId => galleryOf(imageId, row))),
}

/** A copy each time, so that no spec can spoil it for another. */
export const fixture = (): AuditResults => structuredClone(madeUp)
