import { describe, expect, it } from 'vitest'
import { attackNames, attackPresets } from '../../../algorithms/attacks/presets.ts'
import { createDraws } from '../../../algorithms/randomness/draws.ts'
import { grad, useBackend } from '../../../core/index.ts'
import { shippedWeights } from '../../../experiments/digits/shippedWeights.ts'
import { attackCounts } from '../../../experiments/dwBox/attackCounts.ts'
import { attackViewOf } from '../../../experiments/dwBox/attackView.ts'
import { loadNetworks } from '../../../experiments/dwBox/defence.ts'
import { parseAuditOptions } from '../../../experiments/dwBox/options.ts'
import { planRows, planUnits } from '../../../experiments/dwBox/plan.ts'
import { batchOf, runUnit } from '../../../experiments/dwBox/runUnit.ts'
import { summariseRows } from '../../../experiments/dwBox/summary.ts'

const small = { images: 2, imagesPartial: 2, imagesDeterministic: 2, reportDraws: 2, steps: 1, eotSamples: 2 }

describe('--attack', () => {
  it('should change nothing when it is left out or pgd', () => {
    const plain = parseAuditOptions(small)
    expect('attack' in plain).toBe(false)
    const named = parseAuditOptions({ ...small, attack: 'pgd' })
    expect(planUnits(planRows(named), named)).toEqual(planUnits(planRows(plain), plain))
  })

  it('should name the attack in every row, with the steps and EoT samples that belong to its name, and draw no pictures of another', () => {
    const options = parseAuditOptions({ ...small, attack: 'pgd200-eot20' })
    const rows = planRows(options)
    for (const { attack, settings } of rows) {
      expect(attack).toMatchObject({ name: 'pgd200-eot20', steps: 200 })
      for (const { name, eotSamples } of settings) expect([1, 20]).toContain(name === 'DW_Both' ? eotSamples * 20 : eotSamples)
    }
    expect(rows.find(({ id }) => id === 'ddpm-vanilla')!.settings.map(({ eotSamples }) => eotSamples)).toEqual([20, 20, 20, 1])
    expect(planUnits(rows, options).every(({ kind }) => kind === 'accuracy')).toBe(true)
  })

  it('should refuse an unknown attack with the names that there are', () => {
    expect(() => parseAuditOptions({ attack: 'magic' })).toThrow(`--attack is "magic"; use ${attackNames.join(', ')}`)
  })

  it('should measure each unit afresh and keep beside it what the attack counted', async () => {
    await useBackend('cpu')
    const options = parseAuditOptions({ ...small, attack: 'autoattack-rand', reverseSteps: 2 })
    const rows = planRows(options).filter(({ id }) => id === 'ddpm-vanilla')
    const ends = rows.map(row => ({ ...row, settings: row.settings.filter(({ name }) => name === 'White' || name === 'DW_Both') }))
    const units = planUnits(ends, options)
    const networks = loadNetworks([shippedWeights])
    const results = new Map<string, unknown>()
    let work = 0
    for (const unit of units) results.set(unit.key, await runUnit(unit, networks, done => (work += done)))
    expect(work).toBe(units.reduce((total, unit) => total + unit.work, 0))
    const summary = summariseRows(ends, units, unit => results.get(unit.key))
    const [white, both] = summary[0]!.settings
    expect(white!.robust).toMatchObject({ images: 2, draws: 2 })
    expect(both!.robust).toMatchObject({ images: 2, draws: 1 })
    // Where nothing is random, the attack counts what is measured.
    expect(both!.attackCount).toEqual({ selection: both!.robust.mean, neverFound: both!.robust.mean })
    expect(attackCounts({ rows: summary })).toHaveLength(2)
    expect(attackCounts({ rows: summary })[1]).toBe(
      `DDPM vanilla, DW_Both: ${(100 * both!.robust.mean).toFixed(1)} % on fresh draws; the attack counted ` +
        `${(100 * both!.robust.mean).toFixed(1)} % by its selection, ${(100 * both!.robust.mean).toFixed(1)} % never misclassified on any draw it saw`,
    )
  })

  it('should run and differentiate each view as its name says', async () => {
    await useBackend('cpu')
    const networks = loadNetworks([shippedWeights])
    const { images, ids } = batchOf([0, 1])
    const draws = createDraws({ seed: 1, images: ids })
    const spec = { purifier: 'vanilla', reverse: 'ddpm', tStar: 0.15, reverseSteps: 3 } as const
    const viewOf = (name: (typeof attackPresets)[(typeof attackNames)[number]]['view']) => attackViewOf(networks, spec, name)
    const logits = async (name: Parameters<typeof viewOf>[0]) => [...(await viewOf(name)(images, draws).logits.data())]
    const defended = [...(await networks.defence(spec)(images, draws).data())]
    expect(await logits('exact')).toEqual(defended)
    expect(await logits('bpda')).toEqual(defended)
    expect(await logits('diffAttack')).toEqual(defended)
    expect(await logits('transfer')).toEqual([...(await networks.classifier(images).data())])
    expect(await logits('surrogate')).not.toEqual(defended)
    const gradient = async (name: Parameters<typeof viewOf>[0]) => [
      ...(await grad((x: typeof images) => viewOf(name)(x, draws).logits.sum())(images).data()),
    ]
    expect(await gradient('bpda')).not.toEqual(await gradient('exact'))
    expect(viewOf('diffAttack')(images, draws).extraLoss!.shape).toEqual([2])
    expect(attackViewOf(networks, { ...spec, purifier: null }, 'bpda')(images, draws).extraLoss).toBeUndefined()
  })
})

describe('presets', () => {
  it('should each have a name that the command line knows, and the published make-up', () => {
    const names = (name: (typeof attackNames)[number]) => attackPresets[name].components.map(component => component.name)
    expect(names('autoattack-standard')).toEqual(['apgd-ce', 'apgd-t', 'fab-t', 'square'])
    expect(names('autoattack-rand')).toEqual(['apgd-ce', 'apgd-dlr'])
    expect(names('autoattack-fixed')).toEqual(['apgd-ce', 'apgd-dlr'])
    expect(attackPresets['autoattack-fixed'].selection.draws).toBe(20)
    expect(attackPresets['autoattack-fresh'].reports).toBe('fresh')
    for (const name of ['autoattack-standard', 'autoattack-rand', 'autoattack-fixed'] as const)
      expect(attackPresets[name].reports).toBe('selection')
  })
})
