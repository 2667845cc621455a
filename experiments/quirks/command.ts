import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { shippedWeights } from '../digits/shippedWeights.ts'
import { collectProvenance } from '../support/provenance.ts'
import { armSettings, arms } from './arms.ts'
import type { ArmOutcome } from './measureArm.ts'
import { committedResults } from './measured.ts'
import type { QuirkResults } from './results.ts'

const runId = 'quirks'

/** `quirks`: measures on the digits what the published scripts do otherwise than the paper says. */
export const quirksCommand = (): Command =>
  new Command('quirks')
    .description('measure the effect of every finding about the published scripts on the digits; npm run audit shows the results')
    .option('--out <folder>', 'where runs are kept; an interrupted measurement there is continued', 'runs')
    .option('--write', "also replace the project's own results, experiments/quirks/measured.json")
    .option('--quiet', 'no progress bar')
    .addHelpText(
      'after',
      `
Examples:
  npm run quirks                   some ten minutes on two cores; Ctrl-C and the same command continue
  npm run quirks -- --write        and keep the results with the project
  npm run quirks -- --out build    runs in another folder`,
    )
    .action(async ({ out, write = false, quiet = false }: { out: string; write?: boolean; quiet?: boolean }) => {
      const { useBackend } = await import('../../core/index.ts')
      const { digitsUnet } = await import('../digits/networks.ts')
      const { classifierOf, classifierShapes, findWeights, loadParameters } = await import('../digits/weights.ts')
      const { watchInterrupt } = await import('../support/interrupt.ts')
      const { createProgress } = await import('../support/progress.ts')
      const { openRun } = await import('../support/runStore.ts')
      const { measureArm } = await import('./measureArm.ts')
      const { measureTies } = await import('./ties.ts')
      const { shortSteps, shortTrainings, trainShort } = await import('./trainings.ts')
      const command = `npm run quirks${write ? ' -- --write' : ''}`
      const store = openRun({ root: out, id: runId, options: { ...armSettings, shortSteps, arms: arms as object[] } })
      const interrupt = watchInterrupt({ resumeCommand: command })
      const total = shortTrainings.length + arms.length + 1
      const progress = createProgress({ label: 'measuring', total, done: store.size, unit: 'measurements', silent: quiet })
      const once = async (key: string, measure: () => Promise<unknown>): Promise<void> => {
        if (store.has(key)) return
        store.put(key, await measure())
        progress.advance(1, key)
        await interrupt.afterUnit()
      }
      try {
        await useBackend('cpu')
        const folder = store.path('weights')
        mkdirSync(folder, { recursive: true })
        for (const job of shortTrainings) {
          await once(`training/${job.name}`, async () => {
            await trainShort(job, { folder, progress: { advance() {}, finish() {}, stop() {} }, interrupt })
            return job.steps
          })
        }
        const classifier = classifierOf(loadParameters(findWeights([shippedWeights], 'classifier'), classifierShapes))
        const weights = (name: string) => loadParameters(findWeights([shippedWeights, folder], name), digitsUnet.parameterShapes())
        await once('ties', () => measureTies({ classifier, diffusion: weights('base') }))
        for (const arm of arms) await once(`arm/${arm.id}`, () => measureArm(arm, { classifier, diffusion: weights(arm.weights) }))
        progress.finish()

        const results: QuirkResults = {
          command,
          provenance: collectProvenance({ seed: armSettings.seed, backend: 'cpu' }),
          options: { ...armSettings, shortSteps },
          ties: store.get('ties') as unknown as QuirkResults['ties'],
          arms: Object.fromEntries(arms.map(arm => [arm.id, store.get(`arm/${arm.id}`) as unknown as ArmOutcome])),
        }
        store.writeJson('results.json', results)
        const text = `${JSON.stringify(results)}\n`
        writeFileSync(join(out, 'quirks.json'), text)
        if (write) writeFileSync(committedResults, text)
        process.stdout.write(`${join(out, 'quirks.json')}: ${arms.length} measurements; npm run audit shows what they say\n`)
      } finally {
        progress.stop()
        interrupt.dispose()
        store.close()
      }
    })
