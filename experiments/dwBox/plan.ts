import { dwBoxSettings } from '../../algorithms/attacks/dwBox.ts'
import { type AttackName, type AttackPreset, attackPresets } from '../../algorithms/attacks/presets.ts'
import type { Norm } from '../../algorithms/attacks/projections.ts'
import type { ClampGradient } from '../../algorithms/purification/clamp.ts'
import type { LockSetName } from '../../algorithms/randomness/lockSets.ts'
import type { PlainDenoiserName } from '../baselines/digitsDenoiser.ts'
import { splitDigits } from '../data/digits.ts'
import type { LandscapeGrid } from '../landscape/options.ts'
import type { ReadingName } from '../quirks/readings.ts'
import { applyReading } from './applyReading.ts'
import type { AuditOptions, GradientName } from './options.ts'
import { claimedProcesses, type ProcessName, processLabels, processSteps } from './process.ts'

/** How a row's images are classified: behind a purifier, or bare. */
export interface DefenceSpec {
  /** Name of the purifier's weights (see experiments/digits/weights.ts); null: no purifier. */
  readonly purifier: string | null
  readonly reverse: ProcessName
  /** Share of the diffusion time at which purification starts. */
  readonly tStar: number
  readonly reverseSteps: number
  /** Whose timesteps DDPM and DDIM take; default paper. */
  readonly reading?: ReadingName
  /** In place of diffusion: the noise of t*, then this denoiser. Then `purifier` is null. */
  readonly denoiser?: PlainDenoiserName
  /** How the attack differentiates the purifier's clamps; exactly by default. */
  readonly clampGradient?: ClampGradient
}

export interface AttackSpec {
  /** One of the presets, re-evaluated on fresh draws; left out: PGD. */
  readonly name?: AttackName
  /** The gradient it takes in place of its preset's. */
  readonly gradient?: GradientName
  readonly norm: Norm
  readonly epsilon: number
  readonly stepSize: number
  readonly steps: number
}

/** One row of the table, before it is measured. */
export interface RowSpec {
  readonly id: string
  readonly label: string
  /** What sets it apart from the default table; empty there. */
  readonly variation: string
  readonly defence: DefenceSpec
  readonly attack: AttackSpec
  readonly settings: readonly { readonly name: LockSetName; readonly eotSamples: number }[]
}

interface UnitBase {
  /** Names the unit in the journal. */
  readonly key: string
  readonly row: RowSpec
  readonly setting: RowSpec['settings'][number]
  readonly imageIds: readonly number[]
  readonly seed: number
  /** Gradients of one image: what the progress bar counts. */
  readonly work: number
}

/** A piece of work that one worker does at a time and that is kept once done. */
export type Unit =
  | (UnitBase & { readonly kind: 'accuracy'; readonly reportDraws: number })
  | (UnitBase & { readonly kind: 'gallery' })
  | (UnitBase & { readonly kind: 'trajectory' })
  | (UnitBase & { readonly kind: 'landscape'; readonly grid: LandscapeGrid })

const imagesPerUnit = 128

const hasNoise = ({ purifier, denoiser }: DefenceSpec): boolean => purifier !== null || denoiser !== undefined

/** Whether every draw gives the same outcome: nothing is random, or the setting locks all of it. */
export const isDeterministic = (row: RowSpec, setting: LockSetName): boolean => !hasNoise(row.defence) || setting === 'DW_Both'

/** Names of the purifiers' weights. */
export const purifiersOf = (rows: readonly RowSpec[]): string[] => rows.flatMap(({ defence }) => defence.purifier ?? [])

/** The options with the steps and EoT samples that belong to the attack's name. */
const withPreset = <O extends AuditOptions>(o: O): O => {
  const preset: AttackPreset = attackPresets[o.attack ?? 'pgd']
  return { ...o, steps: preset.steps ?? o.steps, eotSamples: preset.eot === 'setting' ? o.eotSamples : preset.eot }
}

/** How a table names the fine-tunings that every sweep compares. */
const trainingLabels = { vanilla: 'vanilla', 'addt-scaled': 'ADDT, lambda 0.2' } as const

/** The rows of a run: the default table, and with `full` the sweeps, the controls and the other training seeds. */
export const planRows = (given: AuditOptions): RowSpec[] => {
  const o = withPreset(applyReading(given))
  const attack: AttackSpec = {
    norm: o.norm,
    epsilon: o.epsilon,
    stepSize: o.epsilon / 4,
    steps: o.steps,
    ...((o.attack ?? 'pgd') !== 'pgd' && { name: o.attack }),
    ...(o.gradient && { gradient: o.gradient, ...(o.gradient !== 'exact' && { name: o.attack ?? 'pgd' }) }),
  }
  const process = o.process ?? 'ddpm'
  const named = processLabels[process]
  const defence = (purifier: string | null, more: Partial<DefenceSpec> = {}): DefenceSpec => ({
    purifier,
    reverse: process,
    tStar: o.tStar,
    reverseSteps: o.reverseSteps,
    ...(o.reading && { reading: o.reading }),
    ...more,
  })
  const row = (
    id: string,
    label: string,
    spec: DefenceSpec,
    more: Partial<Pick<RowSpec, 'variation' | 'attack'>> & { only?: LockSetName[] } = {},
  ): RowSpec => ({
    id,
    label,
    variation: more.variation ?? '',
    defence: spec,
    attack: more.attack ?? attack,
    settings: hasNoise(spec)
      ? dwBoxSettings(processSteps(spec), o)
          .filter(({ name }) => !more.only || more.only.includes(name))
          .map(({ name, eotSamples }) => ({ name, eotSamples }))
      : [{ name: 'White', eotSamples: 1 }],
  })

  const rows = [
    row('undefended', 'undefended', defence(null)),
    row(`${process}-vanilla`, `${named} vanilla`, defence('vanilla')),
    ...(o.process ? [] : [row('ddim-vanilla', 'DDIM vanilla', defence('vanilla', { reverse: 'ddim' }))]),
    row(`${process}-addt-paper`, `${named} ADDT, lambda 0.03`, defence('addt-paper')),
    row(`${process}-addt-scaled`, `${named} ADDT, lambda 0.2`, defence('addt-scaled')),
  ]
  if (!o.full) return rows

  const ends: LockSetName[] = ['White', 'DW_Both']
  const pair = (suffix: string, variation: string, more: Partial<DefenceSpec>, own: AttackSpec = attack): RowSpec[] =>
    (['vanilla', 'addt-scaled'] as const).map(weights =>
      row(`${process}-${weights}-${suffix}`, `${named} ${trainingLabels[weights]}`, defence(weights, more), {
        variation,
        attack: own,
        only: ends,
      }),
    )
  const control = (weights: string, label: string): RowSpec =>
    row(`${process}-${weights}`, `${named} ${label}`, defence(weights), { variation: 'controls', only: ends })
  const plain = (id: string, label: string, more: Partial<DefenceSpec>): RowSpec =>
    row(id, label, defence(null, { reverse: 'ddim', ...more }), { variation: 'noise and one denoising', only: ends })
  // Claim 5: fine-tuning helps purifiers of every process. One row stands in the table already: DDIM vanilla beside DDPM.
  const ofProcess = (name: ProcessName): RowSpec[] =>
    (['vanilla', 'addt-scaled'] as const)
      .map(weights =>
        row(`${name}-${weights}`, `${processLabels[name]} ${trainingLabels[weights]}`, defence(weights, { reverse: name }), {
          variation: 'other processes',
          only: ends,
        }),
      )
      .filter(({ id }) => !rows.some(other => other.id === id))
  return [
    ...rows,
    ...claimedProcesses.filter(name => name !== process).flatMap(ofProcess),
    ...[0.1, 0.2].flatMap(tStar => pair(`t${tStar}`, `t* ${tStar.toFixed(2)}`, { tStar })),
    ...[0.1, 0.2].flatMap(epsilon =>
      pair(`eps${epsilon}`, `epsilon ${epsilon.toFixed(2)}`, {}, { ...attack, epsilon, stepSize: epsilon / 4 }),
    ),
    ...pair('l2', 'l_2, epsilon 0.75', {}, { ...attack, norm: 'l2', epsilon: 0.75, stepSize: 0.1875 }),
    row(`${process}-vanilla-long`, `${named} vanilla`, defence('vanilla'), {
      variation: 'attack of 5 times the steps',
      attack: { ...attack, steps: 5 * o.steps },
      only: ['DW_Both'],
    }),
    row(`${process}-vanilla-straight`, `${named} vanilla`, defence('vanilla', { clampGradient: 'straightThrough' }), {
      variation: 'attack straight through clamps',
      only: ['DW_Both'],
    }),
    // Of one reverse step DDIM is the one-step estimate P, and nothing but the forward noise is random.
    ...(['vanilla', 'addt-scaled'] as const).map(weights =>
      plain(`one-step-${weights}`, `one-step estimate P, ${weights === 'vanilla' ? 'vanilla' : 'ADDT lambda 0.2'}`, {
        purifier: weights,
        reverseSteps: 1,
      }),
    ),
    plain('noise-linear', 'noise, linear MMSE denoiser', { denoiser: 'linear' }),
    plain('noise-blur', 'noise, Gaussian blur', { denoiser: 'blur' }),
    plain('noise-none', 'noise alone', { denoiser: 'none' }),
    control('random-order', 'ADDT, random order'),
    control('vanilla-all-t', 'vanilla, all t'),
    control('addt-paper-all-t', 'ADDT, lambda 0.03, all t'),
    ...[1, 2].flatMap(seed =>
      (['vanilla', 'addt-scaled'] as const).map(weights =>
        row(`${process}-${weights}-seed${seed}`, `${named} ${trainingLabels[weights]}`, defence(`${weights}-seed${seed}`), {
          variation: `training seed ${seed}`,
          only: ends,
        }),
      ),
    ),
  ]
}

/** The units of a run, the longest first so that the workers end together. Image ids are rows of the digits file. */
export const planUnits = (rows: readonly RowSpec[], o: AuditOptions): Unit[] => {
  const test = splitDigits().test
  const units: Unit[] = []
  for (const row of rows) {
    for (const setting of row.settings) {
      const partial = setting.name === 'DW_Fwd' || setting.name === 'DW_Rev'
      const count = isDeterministic(row, setting.name) ? o.imagesDeterministic : partial ? o.imagesPartial : o.images
      for (let first = 0; first < count; first += imagesPerUnit) {
        const imageIds = [...test.slice(first, Math.min(first + imagesPerUnit, count))]
        units.push({
          kind: 'accuracy',
          key: `accuracy/${row.id}/${setting.name}/${first}`,
          row,
          setting,
          imageIds,
          seed: o.seed,
          reportDraws: o.reportDraws,
          work: imageIds.length * setting.eotSamples * row.attack.steps,
        })
      }
    }
  }
  const first = (count: number): number[] => [...test.slice(0, Math.min(count, o.images))]
  // Pictures and trajectories are those of PGD.
  if (rows[0]?.attack.name) return units.sort((a, b) => b.work - a.work)
  for (const id of ['vanilla', 'addt-scaled'].map(weights => `${o.process ?? 'ddpm'}-${weights}`)) {
    const row = rows.find(candidate => candidate.id === id)!
    const both = row.settings.find(({ name }) => name === 'DW_Both')!
    const gallery = first(6)
    units.push({
      kind: 'gallery',
      key: `gallery/${id}`,
      row,
      setting: both,
      imageIds: gallery,
      seed: o.seed,
      work: gallery.length * row.attack.steps,
    })
    if (!id.endsWith('-vanilla')) continue
    const white = row.settings.find(({ name }) => name === 'White')!
    const followed = first(4)
    units.push({
      kind: 'trajectory',
      key: `trajectory/${id}`,
      row,
      setting: white,
      imageIds: followed,
      seed: o.seed,
      work: followed.length * row.attack.steps * (2 * white.eotSamples + 3),
    })
  }
  return units.sort((a, b) => b.work - a.work)
}
