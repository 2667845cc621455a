import { networkEvaluations, purifyAny } from '../../algorithms/purification/anyPurifier.ts'
import { createDraws } from '../../algorithms/randomness/draws.ts'
import { createRecorder } from '../../core/backends/profile/profile.ts'
import { profiled } from '../../core/backends/profile/profiled.ts'
import { createReference } from '../../core/backends/reference/reference.ts'
import { full, type Tensor, tidy, withBackend } from '../../core/index.ts'
import { digitsUnet } from '../digits/networks.ts'
import { epsilonModel, loadParameters } from '../digits/weights.ts'
import type { ProcessOptions } from '../dwBox/process.ts'
import { processPurifier, processSteps } from '../dwBox/process.ts'

/** What it costs to purify one image. */
export interface Cost {
  readonly process: ProcessOptions['reverse']
  /** Evaluations of the diffusion model (NFE). */
  readonly evaluations: number
  readonly flops: number
  /** Processor time of all threads. */
  readonly cpuSeconds: number
}

/** Seconds of processor time that this process spends on `work`, and its result. */
export const timed = async <T>(work: () => Promise<T>): Promise<{ readonly result: T; readonly cpuSeconds: number }> => {
  const before = process.cpuUsage()
  const result = await work()
  const { user, system } = process.cpuUsage(before)
  return { result, cpuSeconds: (user + system) / 1e6 }
}

/**
 * The cost of every process with the weights of one file: operations by the formulas of the profiler, counted on one image and a backend
 * of its own, and the median processor time of three batches after one that is not counted.
 */
export const purificationCosts = async (weights: string, processes: readonly ProcessOptions[], images: Tensor): Promise<Cost[]> => {
  const model = () => epsilonModel(loadParameters(weights, digitsUnet.parameterShapes()))
  const epsilonTheta = model()
  const [count, ...shape] = images.shape as [number, ...number[]]
  const draws = createDraws({ seed: 0, images: Array.from({ length: count }, (_, i) => i) })
  const costs: Cost[] = []
  for (const options of processes) {
    const recorder = createRecorder({ maximumEvents: 0 })
    withBackend(profiled(createReference(), recorder), () =>
      tidy(() => {
        purifyAny(processPurifier(options, model()), full([1, ...shape], 0.5), draws.forImages([0]))
      }),
    )
    const flops = recorder.take(0).rows.reduce((sum, row) => sum + row.flops, 0)
    const run = async (): Promise<void> => {
      const purified = tidy(() => purifyAny(processPurifier(options, epsilonTheta), images, draws))
      await purified.data()
      purified.dispose()
    }
    await run()
    const seconds = [await timed(run), await timed(run), await timed(run)].map(({ cpuSeconds }) => cpuSeconds / count)
    costs.push({
      process: options.reverse,
      evaluations: networkEvaluations(processSteps(options)),
      flops,
      cpuSeconds: seconds.sort((a, b) => a - b)[1]!,
    })
  }
  return costs
}
