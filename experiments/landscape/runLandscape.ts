import { lossSurface } from '../../algorithms/landscape/lossSurface.ts'
import { difference, longestPerturbation, type Pixels, planeAlong, projectOnto } from '../../algorithms/landscape/plane.ts'
import { createDraws } from '../../algorithms/randomness/draws.ts'
import { dwBoth, white } from '../../algorithms/randomness/lockSets.ts'
import type { Tensor } from '../../core/index.ts'
import { crossEntropy } from '../../core/nn/index.ts'
import type { Networks } from '../dwBox/defence.ts'
import { followAttacks, usualAttacks } from '../dwBox/followAttacks.ts'
import type { Unit } from '../dwBox/plan.ts'
import { batchOf, type OnWork } from '../dwBox/runUnit.ts'
import type { AxisName, ImageLandscape, Noise, Surface } from './results.ts'
import { evaluationsPerGradient } from './work.ts'

/** The planes of a landscape. Attacks are drawn in the first. */
export const planes: readonly (readonly [AxisName, AxisName])[] = [
  ['DW-box', 'EoT'],
  ['DW-box', 'random'],
  ['EoT', 'random'],
]

/**
 * The surroundings of one image: where the attacks end, and the loss over the planes that their ends and a random sign vector span, once with
 * the noise that the DW-box attacker knows and once averaged over noises that no attack has met.
 */
export const runLandscape = async (
  unit: Extract<Unit, { kind: 'landscape' }>,
  networks: Networks,
  onWork: OnWork,
): Promise<ImageLandscape> => {
  const { row, setting, imageIds, seed, grid } = unit
  const [imageId] = imageIds as [number]
  const batch = batchOf(imageIds)
  const defence = networks.defence(row.defence)
  const shape = batch.images.shape.slice(1)
  const label = batch.labels[0]!
  const paths = await followAttacks(defence, batch, {
    attacks: usualAttacks(setting.eotSamples),
    attack: row.attack,
    seed,
    onWork: gradients => onWork(evaluationsPerGradient * gradients),
  })
  const clean: Pixels = Float64Array.from(await batch.images.data())
  batch.images.dispose()

  const ends = paths.map(({ iterates }) => difference(iterates.at(-1)!, clean))
  const signs = createDraws({ seed, images: imageIds })
    .uniformValues('init', shape, { part: 'direction' })
    .map(u => (u < 0.5 ? -1 : 1))
  const directions: Record<AxisName, Pixels> = { 'DW-box': ends.at(-1)!, EoT: ends[0]!, random: signs }
  const planeOf = ([first, second]: readonly [AxisName, AxisName]) => planeAlong(clean, directions[first], directions[second])

  const worldsOf = (noise: Noise, count: number) =>
    createDraws({
      seed,
      images: new Array<number>(count).fill(imageId),
      locks: noise === 'known' ? dwBoth : white,
      context: { purpose: 'select' },
    })
  const length = longestPerturbation(row.attack.norm, row.attack.epsilon, clean.length)
  const coordinates = Array.from({ length: grid.points }, (_, i) => grid.radius * ((2 * i) / (grid.points - 1) - 1))
  const surfaces: Surface[] = []
  for (const axes of planes) {
    for (const noise of ['known', 'averaged'] as const) {
      const loss = (x: Tensor, world: number): Tensor => {
        const count = x.shape[0]!
        return crossEntropy(defence(x, worldsOf(noise, count).at({ eotSample: world })), new Array<number>(count).fill(label))
      }
      const surface = await lossSurface(loss, planeOf(axes), {
        shape,
        coordinates: coordinates.map(c => c * length),
        worlds: noise === 'known' ? 1 : grid.worlds,
        onWork,
      })
      surfaces.push({ axes, noise, loss: surface.map(line => line.map(rounded)) })
    }
  }
  const plane = planeOf(planes[0]!)
  return {
    imageId,
    label,
    unit: length,
    coordinates: coordinates.map(rounded),
    surfaces,
    paths: paths.map(({ attack, iterates, losses }) => {
      const projections = iterates.map(iterate => projectOnto(plane, iterate))
      return {
        attack,
        points: projections.map(({ point: [a, b] }) => [rounded(a / length), rounded(b / length)] as const),
        residual: projections.map(({ residual }) => rounded(residual / length)),
        loss: losses.map(([loss]) => rounded(loss!)),
      }
    }),
    cosines: {
      eotAndDwBox: cosine(ends[0]!, ends.at(-1)!),
      twoEot: cosine(ends[0]!, ends[1]!),
      twoWithoutEot: cosine(ends[2]!, ends[3]!),
    },
  }
}

/** Six digits: more than the page shows, and results that stay small. */
const rounded = (value: number): number => Number(value.toPrecision(6))

/** 0 where one of them did not move. */
const cosine = (u: Pixels, v: Pixels): number => {
  const dot = (a: Pixels, b: Pixels): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0)
  return rounded(dot(u, v) / Math.max(Math.sqrt(dot(u, u) * dot(v, v)), 1e-300))
}
