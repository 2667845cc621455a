import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { useBackend } from '../../../core/index.ts'
import { shippedWeights } from '../../../experiments/digits/shippedWeights.ts'
import { loadNetworks } from '../../../experiments/dwBox/defence.ts'
import { landscapePage } from '../../../experiments/landscape/html/page.ts'
import { type LandscapeOptions, parseLandscapeOptions, planLandscape } from '../../../experiments/landscape/options.ts'
import type { LandscapeResults } from '../../../experiments/landscape/results.ts'
import { runLandscape } from '../../../experiments/landscape/runLandscape.ts'
import { summarise } from '../../../experiments/landscape/summary.ts'
import { summaryText } from '../../../experiments/landscape/summaryText.ts'
import { collectProvenance } from '../../../experiments/support/provenance.ts'
import { expectNear } from '../../support/numbers.ts'
import { callProgram } from '../cli/callProgram.ts'

const small = { images: 1, points: 3, radius: 1, worlds: 2, steps: 3, eotSamples: 2, reverseSteps: 2 }

const landscapeOf = async (o: LandscapeOptions) => {
  await useBackend('cpu')
  const [unit] = planLandscape(o)
  if (unit?.kind !== 'landscape') throw new Error('no landscape is planned')
  let work = 0
  const image = await runLandscape(unit, loadNetworks([shippedWeights]), done => (work += done))
  expect(work).toBe(unit.work)
  return image
}

it('should put the ends of the attacks on the corners of the plane, and the loss of the clean image in its middle', async () => {
  const { coordinates, surfaces, paths, cosines } = await landscapeOf(parseLandscapeOptions(small))
  expect(coordinates).toEqual([-1, 0, 1])
  const [eot, both] = [paths[0]!, paths.at(-1)!]
  const length = ([a, b]: readonly [number, number]): number => Math.hypot(a, b)
  expectNear(eot.residual.at(-1)!, 0, 1e-5)
  expectNear(both.residual.at(-1)!, 0, 1e-5)
  expectNear(both.points.at(-1)![1], 0, 1e-5)
  expect(both.points.at(-1)![0]).toBeGreaterThan(0.1)
  expectNear(cosines.eotAndDwBox, eot.points.at(-1)![0] / length(eot.points.at(-1)!), 1e-4)
  // Attacks with other noise leave the plane; none makes a perturbation that is longer than 1.
  expect(paths[1]!.residual.at(-1)!).toBeGreaterThan(0.01)
  for (const { points, residual } of paths) {
    expect(points).toHaveLength(4)
    expect(points[0]).toEqual([0, 0])
    for (const [k, point] of points.entries()) expect(Math.hypot(length(point), residual[k]!)).toBeLessThanOrEqual(1 + 1e-6)
  }
  expect(surfaces.map(({ axes, noise }) => `${axes.join('/')} ${noise}`)).toEqual(
    ['DW-box/EoT', 'DW-box/random', 'EoT/random'].flatMap(axes => [`${axes} known`, `${axes} averaged`]),
  )
  for (const { noise, loss } of surfaces) {
    expect(loss.map(line => line.length)).toEqual([3, 3, 3])
    if (noise === 'known') expectNear(loss[1]![1]!, both.loss[0]!, 1e-4)
  }
  const middles = surfaces.filter(({ noise }) => noise === 'averaged').map(({ loss }) => loss[1]![1])
  expect(new Set(middles).size).toBe(1)
  expect(middles[0]).not.toBe(both.loss[0])
})

it('should say in its table and on its page what the surfaces are', async () => {
  const options = parseLandscapeOptions({ ...small, process: 'vpsde-flow', norm: 'l2', epsilon: 0.5 })
  const image = await landscapeOf(options)
  expect(image.unit).toBe(0.5)
  const images = [image, { ...image, imageId: image.imageId + 1 }]
  const summary = summarise(images)
  const first = image.surfaces[0]!.loss
  expect(summary[0]).toMatchObject({ atClean: first[1]![1], alongFirst: first[1]![2], alongSecond: first[2]![1] })
  expect(summary[0]!.largest).toBe(Math.max(first[1]![1]!, first[1]![2]!, first[2]![1]!, first[1]![0]!, first[0]![1]!))
  const results: LandscapeResults = {
    id: 'made-up',
    command: 'npm run landscape',
    provenance: collectProvenance({ seed: 0, backend: 'cpu' }),
    options,
    seconds: 1,
    defence: 'VPSDE flow vanilla',
    images,
    summary,
  }
  const text = summaryText(results)
  expect(text.split('\n').filter(line => line.includes(' × '))).toHaveLength(6)
  const { markup } = landscapePage(results)
  expect(markup.match(/<image /g)).toHaveLength(2 * 6)
  expect(markup).not.toMatch(/NaN|undefined|Infinity/)
  expect(markup).not.toMatch(/(?:src|href)="(?!data:|#)/)
})

it('should keep finished images, and write results and a page', async () => {
  const out = mkdtempSync(join(tmpdir(), 'landscape-'))
  try {
    const flags = ['--points', '3', '--worlds', '1', '--steps', '1', '--eot-samples', '1', '--reverse-steps', '1', '--images', '2']
    const run = () => callProgram('landscape', ...flags, '--out', out, '--id', 'x', '--json', '--workers', '1')
    const first = await run()
    expect([first.code, first.stderr]).toEqual([0, ''])
    const results = JSON.parse(first.stdout) as LandscapeResults
    expect(results.images).toHaveLength(2)
    expect(readFileSync(join(out, 'x', 'landscape.html'), 'utf8')).toContain('</html>')
    const began = Date.now()
    const again = JSON.parse((await run()).stdout) as LandscapeResults
    expect(again.images).toEqual(results.images)
    expect(again.seconds).toBeLessThanOrEqual((Date.now() - began) / 1000)
  } finally {
    rmSync(out, { recursive: true, force: true })
  }
}, 60_000)

it('should refuse options in one line', async () => {
  expect(() => parseLandscapeOptions({ points: 2 })).toThrow('--points is 2; use a whole number from 3 to 201')
  expect(() => parseLandscapeOptions({ model: 'base' })).toThrow('--model is "base"; use vanilla, addt-paper or addt-scaled')
  expect(() => parseLandscapeOptions({ reverseSteps: 200 })).toThrow('--reverse-steps is 200')
})
