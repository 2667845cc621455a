import { mkdirSync } from 'node:fs'
import { useBackend } from '../../../core/index.ts'
import { key } from '../../../core/random/key.ts'
import { digitsClassifier, digitsUnet } from '../../../experiments/digits/networks.ts'
import { saveParameters, weightsFile } from '../../../experiments/digits/weights.ts'

/** Fills a folder with untrained networks under the names that the default table needs. */
export const writeRandomWeights = async (folder: string): Promise<void> => {
  await useBackend('cpu')
  mkdirSync(folder, { recursive: true })
  await saveParameters(weightsFile(folder, 'classifier'), digitsClassifier.init(key(1)), { seed: '1' })
  const names = ['vanilla', 'addt-paper', 'addt-scaled']
  for (const [i, name] of names.entries()) await saveParameters(weightsFile(folder, name), digitsUnet.init(key(i)), {})
}
