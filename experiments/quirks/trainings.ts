import { existsSync } from 'node:fs'
import { dispose } from '../../core/index.ts'
import { type DiffusionJob, diffusionJob, modulations } from '../digits/jobs.ts'
import { digitsUnet } from '../digits/networks.ts'
import { shippedWeights } from '../digits/shippedWeights.ts'
import { classifierShapes, findWeights, loadParameters, saveParameters, weightsFile } from '../digits/weights.ts'
import type { Interrupt } from '../support/interrupt.ts'
import type { Progress } from '../support/progress.ts'
import { runTraining } from '../training/loop.ts'

/** Steps of the short fine-tunings, from the shipped base model: enough to part them, not to finish them. */
export const shortSteps = 150

const short = (name: string, more: Partial<DiffusionJob> = {}): DiffusionJob => ({
  name: `short-${name}`,
  seed: 0,
  steps: shortSteps,
  learningRate: 5e-4,
  timestepLimit: 300,
  modulation: modulations.scaled,
  ...more,
})

/** ADDT as in the paper, and with one quirk of the published training each. */
export const shortTrainings: readonly DiffusionJob[] = [
  short('addt'),
  short('addt-leak', { leakGuideGradient: true }),
  short('addt-dropout', { searchDropout: true }),
  short('addt-last-gradient', { accumulate: false }),
  short('addt-epsilon', { target: 'epsilon' }),
]

/** Makes the weights of one short fine-tuning in `folder`; what is there is kept, and an interrupted training continues. */
export const trainShort = async (
  job: DiffusionJob,
  {
    folder,
    progress,
    interrupt,
  }: { readonly folder: string; readonly progress: Progress; readonly interrupt: Pick<Interrupt, 'afterUnit'> },
): Promise<void> => {
  const path = weightsFile(folder, job.name)
  if (existsSync(path)) return
  const start = {
    parameters: loadParameters(findWeights([shippedWeights], 'base'), digitsUnet.parameterShapes()),
    classifier: loadParameters(findWeights([shippedWeights], 'classifier'), classifierShapes),
  }
  const trained = await runTraining(diffusionJob(job, start), { checkpoint: `${path}.checkpoint`, progress, interrupt })
  await saveParameters(
    path,
    trained.average.average,
    Object.fromEntries(Object.entries(job).map(([name, value]) => [name, JSON.stringify(value)])),
  )
  dispose(trained)
  dispose(start)
}
