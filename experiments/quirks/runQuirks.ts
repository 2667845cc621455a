import { join } from 'node:path'
import { useBackend } from '../../core/index.ts'
import { createFolders } from '../../core/io/createFolders.ts'
import { writeFileAtomic } from '../../core/io/files.ts'
import { commandLine } from '../cli/commandLine.ts'
import { digitsUnet } from '../digits/networks.ts'
import { shippedWeights } from '../digits/shippedWeights.ts'
import { classifierOf, classifierShapes, findWeights, loadParameters } from '../digits/weights.ts'
import { watchInterrupt } from '../support/interrupt.ts'
import { outputFile } from '../support/outputFile.ts'
import { createProgress } from '../support/progress.ts'
import { collectProvenance, nameOfCode, type Provenance } from '../support/provenance.ts'
import { openRun } from '../support/runStore.ts'
import { armSettings, arms } from './arms.ts'
import { type ArmOutcome, measureArm } from './measureArm.ts'
import { committedResults } from './measured.ts'
import type { QuirkResults } from './results.ts'
import { measureTies } from './ties.ts'
import { shortSteps, shortTrainings, trainShort } from './trainings.ts'

const runId = 'quirks'

/** What the command line gives. */
export interface QuirksOptions {
  readonly out: string
  readonly write?: boolean
  readonly quiet?: boolean
}

/** What decides the results, the code too: what one commit has measured does not go on under the name of another. */
export const decidingOptions = (provenance: Provenance): object => ({ ...armSettings, shortSteps, arms, code: nameOfCode(provenance) })

/**
 * Trains what has no shipped weights, measures every arm and the ties, and writes quirks.json; what an earlier call in the same
 * folder has finished with the same code is not measured again.
 * @throws UserError and FileError when the folder cannot be used, InterruptedError
 */
export const runQuirks = async ({ out, write = false, quiet = false }: QuirksOptions): Promise<void> => {
  const command = `npm run quirks${write ? ' -- --write' : ''}`
  const kept = outputFile(join(out, 'quirks.json'), '--out')
  const provenance = collectProvenance({ seed: armSettings.seed, backend: 'cpu' })
  const store = openRun({ root: out, id: runId, elsewhere: '--out', options: decidingOptions(provenance) })
  const interrupt = watchInterrupt({ resumeCommand: commandLine('quirks', { out, write }, { paths: ['out'] }) })
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
    createFolders(folder)
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
      provenance,
      options: { ...armSettings, shortSteps },
      ties: store.get('ties') as unknown as QuirkResults['ties'],
      arms: Object.fromEntries(arms.map(arm => [arm.id, store.get(`arm/${arm.id}`) as unknown as ArmOutcome])),
    }
    store.writeJson('results.json', results)
    const text = `${JSON.stringify(results)}\n`
    kept.write([text])
    if (write) writeFileAtomic(committedResults, text)
    process.stdout.write(`${join(out, 'quirks.json')}: ${arms.length} measurements; npm run audit shows what they say\n`)
  } finally {
    progress.stop()
    interrupt.dispose()
    store.close()
  }
}
