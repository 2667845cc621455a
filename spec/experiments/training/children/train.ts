/** Trains the toy job of 200 steps slowly, keeping a checkpoint every 10. Argument: the checkpoint. */
import { useBackend } from '../../../../core/index.ts'
import { runTraining } from '../../../../experiments/training/loop.ts'
import { toyJob } from '../toyJob.ts'

await useBackend('cpu')
let step = 0
await runTraining(toyJob({ steps: 200 }), {
  checkpoint: process.argv[2]!,
  every: 10,
  progress: { advance: () => {}, finish: () => {}, stop: () => {} },
  interrupt: {
    afterUnit: async () => {
      process.stdout.write(`step ${++step}\n`)
      await new Promise(resolve => setTimeout(resolve, 2))
    },
  },
})
