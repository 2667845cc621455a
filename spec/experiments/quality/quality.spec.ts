import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tensor } from '../../../core/index.ts'
import { key } from '../../../core/random/key.ts'
import { digitsUnet } from '../../../experiments/digits/networks.ts'
import { epsilonModel, loadParameters, saveParameters, weightsFile } from '../../../experiments/digits/weights.ts'
import { batchOf } from '../../../experiments/dwBox/runUnit.ts'
import { purificationCosts } from '../../../experiments/quality/cost.ts'
import { formatQuality } from '../../../experiments/quality/format.ts'
import { samplingModel, switchedModel } from '../../../experiments/quality/models.ts'
import { measureQuality } from '../../../experiments/quality/quality.ts'
import { callProgram } from '../cli/callProgram.ts'
import { writeRandomWeights } from '../digits/randomWeights.ts'

let folder: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'quality-'))
  await writeRandomWeights(folder)
  await saveParameters(weightsFile(folder, 'base'), digitsUnet.init(key(7)), {})
  await saveParameters(weightsFile(folder, 'vanilla'), digitsUnet.init(key(8)), { timestepLimit: '300' })
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('samplingModel', () => {
  const xT = () =>
    tensor(
      [...Array(64).keys()].map(i => Math.sin(i)),
      [1, 1, 8, 8],
    )
  const epsilonOf = (name: string) => epsilonModel(loadParameters(weightsFile(folder, name), digitsUnet.parameterShapes()))

  it('should be the fine-tuning on the timesteps that it saw and base above them', async () => {
    const { epsilonTheta, timestepLimit } = samplingModel([folder], 'vanilla')
    expect(timestepLimit).toBe(300)
    for (const [t, name] of [
      [299, 'vanilla'],
      [300, 'base'],
    ] as const)
      expect(epsilonTheta(xT(), [t]).dataSync()).toEqual(epsilonOf(name)(xT(), [t]).dataSync())
  })

  it('should be a model of all timesteps alone', () => {
    const { epsilonTheta, timestepLimit } = samplingModel([folder], 'base')
    expect(timestepLimit).toBe(1000)
    expect(epsilonTheta(xT(), [999]).dataSync()).toEqual(epsilonOf('base')(xT(), [999]).dataSync())
  })

  it('should refuse a batch on both sides of the limit', () => {
    const model = switchedModel(
      x => x,
      x => x.neg(),
      300,
    )
    expect(() => model(tensor([1, 2], [2, 1, 1, 1]), [10, 400])).toThrow('timesteps from 10 to 400 on both sides of 300')
  })
})

it('should measure real, purified and sampled images of each model, with noise of the seed', async () => {
  const measure = (seed: number) =>
    measureQuality({
      models: ['vanilla'],
      folders: [folder],
      seed,
      images: 70,
      tStar: 0.01,
      steps: 1,
      sampler: 'ddim',
      sampleSteps: 1,
      onImages: () => {},
    })
  const rows = await measure(1)
  expect(rows.map(({ kind, model }) => [kind, model])).toEqual([
    ['real', null],
    ['purified', 'vanilla'],
    ['sampled', 'vanilla'],
  ])
  const [real, purified, sampled] = rows as [(typeof rows)[0], (typeof rows)[0], (typeof rows)[0]]
  // Untrained, the model leaves the little noise of t* = 0.01 nearly as it is, and makes noise of noise.
  expect(Math.abs(purified.fidPixels - real.fidPixels)).toBeLessThan(0.1)
  expect(sampled.fidPixels).toBeGreaterThan(3 * purified.fidPixels)
  expect([real.distance, sampled.distance]).toEqual([null, null])
  expect(purified.distance!.linf).toBeGreaterThan(0)
  expect(purified.distance!.linf).toBeLessThan(0.2)
  const other = await measure(2)
  expect(other[0]).toEqual(real)
  expect(other[1]!.fidPixels).not.toBe(purified.fidPixels)
  expect(other[2]!.fidPixels).not.toBe(sampled.fidPixels)
  expect(formatQuality(rows, []).split('\n')[2]).toMatch(/^purified, vanilla( +[\d.]+){7}$/)
}, 60_000)

it('should count evaluations and operations of each process, twice as many for twice the steps', async () => {
  const { images } = batchOf([0, 1])
  const options = [1, 2].map(reverseSteps => ({ reverse: 'ddim' as const, tStar: 0.1, reverseSteps }))
  const [one, two] = await purificationCosts(weightsFile(folder, 'vanilla'), options, images)
  expect([one!.evaluations, two!.evaluations]).toEqual([1, 2])
  expect(two!.flops / one!.flops).toBeGreaterThan(1.99)
  expect(two!.flops / one!.flops).toBeLessThanOrEqual(2.01)
  // The largest part of it are convolutions: two operations for each of their weights at each of 64 pixels, or 16 below.
  expect(one!.flops).toBeGreaterThan(4e6)
  expect(one!.cpuSeconds).toBeGreaterThan(0)
})

describe('npm run certify', () => {
  it('should print certified accuracy that falls with the radius, as JSON with every certificate', async () => {
    const args = ['certify', '--weights', folder, '--images', '2', '--samples', '12', '--selection', '2', '--alpha', '0.1', '--json']
    const { code, stdout, stderr } = await callProgram(...args)
    expect([code, stderr]).toEqual([0, ''])
    const { rows, radii } = JSON.parse(stdout)
    expect(radii).toEqual([0, 0.0625, 0.125, 0.25, 0.375])
    const names = ['classifier alone', 'Gaussian blur', 'linear MMSE', 'one step, vanilla', 'one step, addt-scaled']
    expect(rows.map((row: { defence: string }) => row.defence)).toEqual(names)
    for (const { accuracy, certificates } of rows) {
      expect(certificates).toHaveLength(2)
      expect(accuracy).toEqual([...accuracy].sort((a: number, b: number) => b - a))
    }
  })
})

describe('a command line that cannot be obeyed', () => {
  it.each([
    ['quality --images 501', /'501' is invalid\. Use a whole number from 65 to 500\./],
    ['quality --t-star 0.001 --steps 5', /5 steps do not fit/],
    ['quality --sample-steps 1001', /got tStar 1 and 1001 steps/],
    ['quality --images 10', /Use a whole number from 65 to 500\./],
    ['certify --sigma 0', /^--sigma is 0; use a number above 0/],
    ['certify --alpha 1', /^--alpha is 1; use a number between 0 and 1/],
    ['certify --images 501', /'501' is invalid\. Use a whole number from 1 to 500\./],
  ])('should end with exit code 2 and one line: %s', async (line, message) => {
    const { code, stdout, stderr } = await callProgram(...line.split(' '))
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(message)
    expect(stderr.trim().split('\n')).toHaveLength(1)
  })

  it('should name weights that are missing', async () => {
    const { code, stderr } = await callProgram('quality', '--weights', folder, '--models', 'linf', '--quiet')
    expect([code, stderr.includes('weights "linf" are in none of')]).toEqual([1, true])
  })
})
