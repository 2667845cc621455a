import { pgd } from '../../algorithms/attacks/pgd.ts'
import { createDraws } from '../../algorithms/randomness/draws.ts'
import { dwBoth, type LockSet, white } from '../../algorithms/randomness/lockSets.ts'
import { type Tensor, tidy } from '../../core/index.ts'
import { crossEntropy } from '../../core/nn/index.ts'
import type { Networks } from './defence.ts'
import type { Unit } from './plan.ts'
import type { Trajectory } from './results.ts'
import { batchOf, type OnWork } from './runUnit.ts'

interface Path {
  readonly attack: string
  /** Per attack step the images' pixels, the clean images first. */
  readonly iterates: Float64Array[]
  /** Per attack step the images' losses in the DW_Both world. */
  readonly losses: Float64Array[]
}

/**
 * Attack trajectories on a few images, in the plane through the clean image and the ends of the White (EoT) and the DW_Both
 * attack, with the loss in the DW_Both world: the paper's claim 2 as a picture. Two White attacks with EoT, two without,
 * and DW_Both; they differ in their noise alone.
 */
export const runTrajectories = async (unit: Unit, networks: Networks, onWork: OnWork): Promise<Trajectory[]> => {
  const { row, setting, imageIds } = unit
  const batch = batchOf(imageIds)
  const defence = networks.defence(row.defence)
  const drawsOf = (locks: LockSet) => createDraws({ seed: unit.seed, images: imageIds, locks, context: { purpose: 'attack' } })
  const locked = drawsOf(dwBoth)
  const lockedLoss = async (x: Tensor): Promise<Float64Array> => {
    const loss = tidy(() => crossEntropy(defence(x, locked), batch.labels))
    const values = Float64Array.from(await loss.data())
    loss.dispose()
    return values
  }

  const follow = async (attack: string, locks: LockSet, eotSamples: number, repetition: number): Promise<Path> => {
    const draws = drawsOf(locks).at({ repetition })
    const iterates = [Float64Array.from(await batch.images.data())]
    const losses = [await lockedLoss(batch.images)]
    const { xAdv } = await pgd(
      (x, attackStep, eotSample) => crossEntropy(defence(x, draws.at({ attackStep, eotSample })), batch.labels),
      batch.images,
      {
        ...row.attack,
        eotSamples,
        onStep: async x => {
          iterates.push(Float64Array.from(await x.data()))
          losses.push(await lockedLoss(x))
          onWork(imageIds.length * eotSamples)
        },
      },
    )
    xAdv.dispose()
    return { attack, iterates, losses }
  }

  const eot = setting.eotSamples
  const paths = [
    await follow(`White, EoT ${eot}`, white, eot, 0),
    await follow(`White, EoT ${eot}, other noise`, white, eot, 1),
    await follow('White, no EoT', white, 1, 2),
    await follow('White, no EoT, other noise', white, 1, 3),
    await follow('DW_Both', dwBoth, 1, 0),
  ]
  batch.images.dispose()
  const size = batch.images.size / imageIds.length
  return imageIds.flatMap((imageId, i) => {
    const of = (iterate: Float64Array): Float64Array => iterate.subarray(i * size, (i + 1) * size)
    const project = planeThrough(of(paths[0]!.iterates[0]!), of(paths[0]!.iterates.at(-1)!), of(paths.at(-1)!.iterates.at(-1)!))
    return paths.map(({ attack, iterates, losses }) => ({
      imageId,
      label: batch.labels[i]!,
      attack,
      points: iterates.map(iterate => project(of(iterate)).map(c => c / Math.max(row.attack.epsilon, 1e-9)) as [number, number]),
      loss: losses.map(step => step[i]!),
    }))
  })
}

/** Coordinates of a point in the plane origin + span(a - origin, b - origin), orthonormal, the second axis towards b. */
const planeThrough = (origin: Float64Array, a: Float64Array, b: Float64Array): ((x: Float64Array) => [number, number]) => {
  const minus = (u: ArrayLike<number>, v: ArrayLike<number>): Float64Array =>
    Float64Array.from({ length: u.length }, (_, i) => u[i]! - v[i]!)
  const dot = (u: Float64Array, v: Float64Array): number => u.reduce((sum, value, i) => sum + value * v[i]!, 0)
  const unit = (u: Float64Array): Float64Array => {
    const length = Math.sqrt(dot(u, u))
    return length > 0 ? u.map(value => value / length) : u
  }
  const first = unit(minus(a, origin))
  const towards = minus(b, origin)
  const along = dot(towards, first)
  const second = unit(towards.map((value, i) => value - along * first[i]!))
  return x => {
    const step = minus(x, origin)
    return [dot(step, first), dot(step, second)]
  }
}
