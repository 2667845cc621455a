import { linearSchedule } from '../../algorithms/diffusion/schedule.ts'
import type { Classifier, Parameters } from '../../algorithms/models/types.ts'
import { trainingSources } from '../../algorithms/randomness/drawName.ts'
import { createDraws } from '../../algorithms/randomness/draws.ts'
import { cgpo } from '../../algorithms/training/cgpo.ts'
import { ddpmProcess } from '../../algorithms/training/noiseProcess.ts'
import { tidy } from '../../core/index.ts'
import { splitDigits } from '../data/digits.ts'
import { modulations } from '../digits/jobs.ts'
import { digitsUnet } from '../digits/networks.ts'
import { batchOf } from '../dwBox/runUnit.ts'
import { armSettings } from './arms.ts'

/** How often RBGM has to break ties on the digits. */
export interface TieOutcome {
  readonly images: number
  /** Pixels whose delta equals that of another pixel of the same image, of all pixels of all refinements. */
  readonly tied: number
  readonly pixels: number
}

const tiedPixels = (values: readonly number[]): number => {
  const counts = new Map<number, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return [...counts.values()].filter(count => count > 1).reduce((sum, count) => sum + count, 0)
}

/** Counts the ties in CGPO's delta on training images. */
export const measureTies = async ({ classifier, diffusion }: { classifier: Classifier; diffusion: Parameters }): Promise<TieOutcome> => {
  const { ids, labels, images } = batchOf([...splitDigits().train.slice(0, armSettings.images)])
  const x0 = tidy(() => images.mul(2).sub(1))
  images.dispose()
  const draws = createDraws({ seed: armSettings.seed, images: ids, registered: trainingSources, context: { purpose: 'train' } })
  const process = ddpmProcess(linearSchedule(), { timestepLimit: 300 })
  const area = x0.size / ids.length
  const counted = { images: ids.length, tied: 0, pixels: 0 }
  const found = await cgpo(
    { x0, labels, t: process.drawTimes(draws), draws },
    {
      process,
      network: (xT, t) => digitsUnet.apply(diffusion, xT, t),
      classifier,
      modulation: modulations.scaled,
      onStep: async ({ delta }) => {
        const values = [...(await delta.data())]
        counted.pixels += values.length
        for (let first = 0; first < values.length; first += area) counted.tied += tiedPixels(values.slice(first, first + area))
      },
    },
  )
  for (const used of [x0, found]) used.dispose()
  return counted
}
