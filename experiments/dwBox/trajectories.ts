import { difference, planeAlong, projectOnto } from '../../algorithms/landscape/plane.ts'
import type { Networks } from './defence.ts'
import { followAttacks, usualAttacks } from './followAttacks.ts'
import type { Unit } from './plan.ts'
import type { Trajectory } from './results.ts'
import { batchOf, type OnWork } from './runUnit.ts'

/**
 * Attack trajectories on a few images, in the plane through the clean image and the ends of the White (EoT) and the DW_Both
 * attack, with the loss in the DW_Both world: the paper's claim 2 as a picture. Two White attacks with EoT, two without,
 * and DW_Both; they differ in their noise alone.
 */
export const runTrajectories = async (unit: Unit, networks: Networks, onWork: OnWork): Promise<Trajectory[]> => {
  const { row, setting, imageIds, seed } = unit
  const batch = batchOf(imageIds)
  const paths = await followAttacks(networks.defence(row.defence), batch, {
    attacks: usualAttacks(setting.eotSamples),
    attack: row.attack,
    seed,
    onWork,
  })
  batch.images.dispose()
  const size = batch.images.size / imageIds.length
  return imageIds.flatMap((imageId, i) => {
    const of = (iterate: Float64Array): Float64Array => iterate.subarray(i * size, (i + 1) * size)
    const clean = of(paths[0]!.iterates[0]!)
    const towards = (path: number): Float64Array => difference(of(paths.at(path)!.iterates.at(-1)!), clean)
    const plane = planeAlong(clean, towards(0), towards(-1))
    return paths.map(({ attack, iterates, losses }) => ({
      imageId,
      label: batch.labels[i]!,
      attack,
      points: iterates.map(
        iterate => projectOnto(plane, of(iterate)).point.map(c => c / Math.max(row.attack.epsilon, 1e-9)) as [number, number],
      ),
      loss: losses.map(step => step[i]!),
    }))
  })
}
