import { describe, expect, it } from 'vitest'
import { linearSchedule } from '../../../algorithms/diffusion/schedule.ts'
import { paperVpSde, vpsdeMarginal } from '../../../algorithms/diffusion/vpsde.ts'
import { isStochastic } from '../../../algorithms/purification/anyPurifier.ts'
import { createDraws } from '../../../algorithms/randomness/draws.ts'
import { grad, type Tensor, useBackend } from '../../../core/index.ts'
import { shippedWeights } from '../../../experiments/digits/shippedWeights.ts'
import { attackViewOf } from '../../../experiments/dwBox/attackView.ts'
import { loadNetworks } from '../../../experiments/dwBox/defence.ts'
import { parseAuditOptions } from '../../../experiments/dwBox/options.ts'
import { planRows, planUnits } from '../../../experiments/dwBox/plan.ts'
import { processNames, processSteps } from '../../../experiments/dwBox/process.ts'
import { batchOf } from '../../../experiments/dwBox/runUnit.ts'
import { expectNear } from '../../support/numbers.ts'

const rowsOf = (given: Record<string, unknown>) => planRows(parseAuditOptions(given))

describe('--process', () => {
  it('should make the table of one process, with the settings that differ for it', () => {
    for (const process of processNames) {
      const [undefended, ...rows] = rowsOf({ process })
      expect(undefended!.id).toBe('undefended')
      expect(rows.map(({ id }) => id)).toEqual(['vanilla', 'addt-paper', 'addt-scaled'].map(model => `${process}-${model}`))
      for (const { defence, settings } of rows) {
        const random = isStochastic(processSteps(defence))
        expect(settings.map(({ name }) => name)).toEqual(random ? ['White', 'DW_Fwd', 'DW_Rev', 'DW_Both'] : ['White', 'DW_Both'])
      }
    }
    expect(rowsOf({ process: 'ddpm', reverseSteps: 1 })[1]!.settings.map(({ name }) => name)).toEqual(['White', 'DW_Both'])
    expect(() => parseAuditOptions({ process: 'ddpn' })).toThrow('--process is "ddpn"; use ddpm, ddim, vpsde')
  })

  it('should leave the default table alone', () => {
    expect(rowsOf({}).map(({ id, label }) => [id, label])).toEqual([
      ['undefended', 'undefended'],
      ['ddpm-vanilla', 'DDPM vanilla'],
      ['ddim-vanilla', 'DDIM vanilla'],
      ['ddpm-addt-paper', 'DDPM ADDT, lambda 0.03'],
      ['ddpm-addt-scaled', 'DDPM ADDT, lambda 0.2'],
    ])
  })

  it('should measure clean fine-tuning and ADDT by the four processes of the paper in a full run (claim 5)', () => {
    for (const process of [undefined, 'vpsde']) {
      const rows = rowsOf({ full: true, process })
      for (const name of ['DDPM', 'DDIM', 'VPSDE', 'EDM with churn']) {
        for (const training of ['vanilla', 'ADDT, lambda 0.2']) {
          const found = rows.filter(
            ({ label, variation }) => label === `${name} ${training}` && ['', 'other processes'].includes(variation),
          )
          expect(found).toHaveLength(1)
          expect(found[0]!.settings.map(({ name: setting }) => setting)).toEqual(expect.arrayContaining(['White', 'DW_Both']))
        }
      }
      expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length)
    }
  })

  it('should draw pictures and follow attacks on the purifiers of that process', () => {
    const o = parseAuditOptions({ process: 'edm' })
    const others = planUnits(planRows(o), o).filter(({ kind }) => kind !== 'accuracy')
    expect(others.map(({ key }) => key).sort()).toEqual(['gallery/edm-addt-scaled', 'gallery/edm-vanilla', 'trajectory/edm-vanilla'])
  })

  it('should start every process from the noise of t*', () => {
    const abar = linearSchedule().alphasCumprod[149]!
    for (const reverse of processNames) {
      const steps = processSteps({ reverse, tStar: 0.15, reverseSteps: 4 })
      if ('sigmas' in steps) expectNear(1 / (1 + steps.sigmas[0]! ** 2), abar, 1e-12)
      else if ('schedule' in steps) expect(steps.intervals[0]!.t).toBe(149)
      else expectNear(vpsdeMarginal(paperVpSde, steps.intervals[0]!.t).mean ** 2, abar, 8.2e-4)
      expect('sigmas' in steps ? steps.sigmas.length - 1 : steps.intervals.length).toBe(4)
    }
  })

  it('should purify digits to nearly the digits with every process', async () => {
    await useBackend('cpu')
    const networks = loadNetworks([shippedWeights])
    const { images, ids, labels } = batchOf([0, 1, 2, 3])
    for (const reverse of processNames) {
      const defence = networks.defence({ purifier: 'vanilla', reverse, tStar: 0.1, reverseSteps: 5 })
      const logits = await defence(images, createDraws({ seed: 1, images: ids })).data()
      const right = labels.filter((label, i) => {
        const row = logits.subarray(10 * i, 10 * i + 10)
        return row.indexOf(Math.max(...row)) === label
      })
      expect(right.length).toBeGreaterThanOrEqual(3)
    }
  })
})

describe('--gradient', () => {
  it('should be taken in place of the attack its own, and change nothing where it is exact', () => {
    expect(rowsOf({ gradient: 'bpda' })[1]!.attack).toMatchObject({ name: 'pgd', gradient: 'bpda' })
    expect(rowsOf({ gradient: 'surrogate', attack: 'apgd-ce' })[1]!.attack).toMatchObject({ name: 'apgd-ce', gradient: 'surrogate' })
    expect(rowsOf({ gradient: 'exact' })[1]!.attack.name).toBeUndefined()
    expect(rowsOf({})[1]!.attack).not.toHaveProperty('gradient')
  })

  it('should fit the process', () => {
    const refusal = '--gradient adjoint fits vpsde, vpsde-flow only; use --process vpsde'
    for (const given of [{}, { process: 'edm' }, { process: 'vpsde-corrector' }])
      expect(() => parseAuditOptions({ gradient: 'adjoint', ...given })).toThrow(refusal)
    const full = { full: true, process: 'vpsde' }
    const fullRefusal = (flag: string, fitting: string) =>
      `${flag} fits ${fitting} only, and --full has rows of all processes; leave out --full`
    expect(() => parseAuditOptions({ ...full, gradient: 'adjoint' })).toThrow(fullRefusal('--gradient adjoint', 'vpsde, vpsde-flow'))
    expect(() => parseAuditOptions({ ...full, attack: 'diffattack' })).toThrow(
      `${fullRefusal('--attack diffattack', 'ddpm, ddim')} and use --process ddpm`,
    )
    expect(parseAuditOptions({ gradient: 'adjoint', process: 'vpsde-flow' }).gradient).toBe('adjoint')
    expect(() => parseAuditOptions({ attack: 'diffattack', process: 'edm' })).toThrow('--attack diffattack fits ddpm, ddim only')
  })

  it('should have the values of the defence and a gradient of its own, by the adjoint equation near the exact one', async () => {
    await useBackend('cpu')
    const networks = loadNetworks([shippedWeights])
    const { images, ids } = batchOf([0, 1])
    const draws = createDraws({ seed: 1, images: ids })
    const spec = { purifier: 'vanilla', reverse: 'vpsde', tStar: 0.15, reverseSteps: 10 } as const
    const view = (name: Parameters<typeof attackViewOf>[2]) => attackViewOf(networks, spec, name)
    expect([...(await view('adjoint')(images, draws).logits.data())]).toEqual([...(await view('exact')(images, draws).logits.data())])
    const gradient = async (name: Parameters<typeof view>[0]) =>
      Float64Array.from(await grad((x: Tensor) => view(name)(x, draws).logits.slice([0, 0], [2, 1]).sum())(images).data())
    const [exact, adjoint] = [await gradient('exact'), await gradient('adjoint')]
    const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0)
    const cosine = dot(exact, adjoint) / Math.sqrt(dot(exact, exact) * dot(adjoint, adjoint))
    expect(cosine).toBeGreaterThan(0.7)
    expect(cosine).toBeLessThan(1 - 1e-9)
    expect(() => attackViewOf(networks, { ...spec, reverse: 'edm' }, 'adjoint')).toThrow('the view adjoint has no meaning for EDM')
  })
})
