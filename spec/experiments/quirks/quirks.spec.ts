import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { lineOfSymbol } from '../../../experiments/audit/paperTags.ts'
import { quirksSection } from '../../../experiments/audit/sections/quirks.ts'
import { arms, readingOf } from '../../../experiments/quirks/arms.ts'
import { measuredEffect } from '../../../experiments/quirks/effects.ts'
import { findings } from '../../../experiments/quirks/findings.ts'
import type { ArmOutcome } from '../../../experiments/quirks/measureArm.ts'
import { differingOptions, readings } from '../../../experiments/quirks/readings.ts'
import type { QuirkResults } from '../../../experiments/quirks/results.ts'
import { shortTrainings } from '../../../experiments/quirks/trainings.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))

const outcome = (robustOutcomes: readonly string[], more: Partial<ArmOutcome> = {}): ArmOutcome => ({
  imageIds: robustOutcomes.map((_, i) => i),
  cleanOutcomes: robustOutcomes,
  robustOutcomes,
  seconds: 1,
  ...more,
})

const resultsOf = (measured: Readonly<Record<string, ArmOutcome>>): QuirkResults => ({
  command: 'npm run quirks',
  provenance: {} as QuirkResults['provenance'],
  options: {},
  ties: { images: 1, tied: 0, pixels: 64 },
  arms: measured,
})

describe('findings', () => {
  it('should name every finding once, with a measured effect or a reason for none', () => {
    const expected = [...Array.from({ length: 8 }, (_, i) => `H${i + 1}`), ...Array.from({ length: 13 }, (_, i) => `M${i + 1}`), 'L1 to L7']
    expect(findings.map(({ id }) => id)).toEqual(expected)
    for (const { effects, why = '' } of findings) expect(effects.length > 0 || why.length > 0).toBe(true)
  })

  it('should link code that is there', () => {
    for (const { id, code } of findings) {
      const [path, symbol] = code.split('#') as [string, string]
      expect(lineOfSymbol(readFileSync(join(root, path), 'utf8'), symbol), `${id}: ${code}`).toBeDefined()
    }
  })

  it('should compare arms that are measured, and measure no arm in vain', () => {
    const used = new Set(findings.flatMap(({ effects }) => effects.flatMap(({ paper, scripts }) => [paper, scripts])))
    expect([...used].sort()).toEqual(arms.map(({ id }) => id).sort())
  })

  it('should attack purifiers whose weights are shipped or trained for it', () => {
    const trained = shortTrainings.map(({ name }) => name)
    for (const { weights } of arms) {
      const shipped = existsSync(join(root, 'experiments/digits/weights', `${weights}.safetensors`))
      expect(shipped || trained.includes(weights), weights).toBe(true)
    }
  })

  it('should tell two arms apart by one option, its weights, or how its outcomes are counted', () => {
    for (const { id, effects } of findings) {
      for (const effect of effects) {
        const [a, b] = [effect.paper, effect.scripts].map(name => arms.find(arm => arm.id === name)!)
        const [first, second] = [readingOf(a!), readingOf(b!)]
        const options = Object.keys(first).filter(name => JSON.stringify(first[name as 'clip']) !== JSON.stringify(second[name as 'clip']))
        const others = [a!.weights !== b!.weights, a!.eotSamples !== b!.eotSamples, effect.outcome !== undefined].filter(Boolean)
        // H2 is the one finding about two options at once: corrector and clamp.
        expect(options.length + others.length, `${id}: ${effect.label}`).toBe(id === 'H2' && options.length === 2 ? 2 : 1)
      }
    }
  })
})

describe('readings', () => {
  it('should give every option a value in both, and differ where a finding says so', () => {
    expect(Object.keys(readings.faithful).sort()).toEqual(Object.keys(readings.paper).sort())
    expect(differingOptions()).toEqual([
      'timesteps',
      'reportDraws',
      'forwardEot',
      'vpsdeDropout',
      'vpsdeAttackedCorrector',
      'vpsdeAttackedClamp',
      'edmSigmaMax',
      'leakGuideGradient',
      'searchDropout',
      'l2Target',
      'ties',
    ])
  })
})

describe('measuredEffect', () => {
  const paper = outcome(['11', '11', '00', '10'])
  const scripts = outcome(['11', '00', '00', '01'], { selectionOutcomes: ['0', '0', '0', '0'] })
  const results = resultsOf({ paper, scripts })
  const effect = { label: 'l', paper: 'paper', scripts: 'scripts' }

  it("should be the scripts' accuracy minus the paper's on the same images", () => {
    const { paired, undecided } = measuredEffect(results, effect)!
    expect(paired.difference.mean).toBe(-0.25)
    expect(paired.mcnemar).toMatchObject({ onlyA: 1, onlyB: 0 })
    expect([paired.meanA, undecided]).toEqual([0.625, 0.25])
  })

  it('should count the first draw alone, or what the attack selected, where it says so', () => {
    expect(measuredEffect(results, { ...effect, outcome: 'firstDraw' })!.paired.difference.mean).toBe(0.25 - 0.625)
    expect(measuredEffect(results, { ...effect, outcome: 'selection' })!.paired.difference.mean).toBe(-0.625)
  })

  it('should be absent where an arm, or its selection, was not measured', () => {
    expect(measuredEffect(resultsOf({ paper }), effect)).toBeNull()
    expect(measuredEffect(resultsOf({ paper, scripts: paper }), { ...effect, outcome: 'selection' })).toBeNull()
  })
})

describe('the section of quirks', () => {
  it('should say what is not measured yet, with the command, and never an effect', () => {
    const { lead, tables } = quirksSection(undefined, reference => reference)
    expect(lead[0]).toBe('Nothing is measured yet: npm run quirks')
    const h5 = tables[0]!.rows.find(([id]) => id === 'H5')!
    expect(h5.at(-1)).toEqual({ text: 'DW_Fwd, EoT 1 in place of 5: not measured yet: npm run quirks', tone: 'open' })
  })
})
