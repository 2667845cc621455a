import { existsSync, statSync } from 'node:fs'
import { digitsUnet } from '../digits/networks.ts'
import { classifierShapes, findWeights, readWeights } from '../digits/weights.ts'
import { UserError } from '../support/errors.ts'

/**
 * Checks the files of the classifier and of the named diffusion models, before anything is begun, and returns their SHA-256 by
 * name: weights decide the results, so a run is resumed with the same ones only.
 * @throws UserError when a folder or a file is missing, FileError when one is damaged
 */
export const checkWeights = (folders: readonly string[], models: readonly string[]): Record<string, string> => {
  const missing = folders.find(folder => !(existsSync(folder) && statSync(folder).isDirectory()))
  if (missing !== undefined)
    throw new UserError(
      `there is no folder of weights ${missing}`,
      'make it with npm run train -- --preset digits --out <folder> and name it with --weights',
    )
  return Object.fromEntries([
    ['classifier', readWeights(findWeights(folders, 'classifier'), classifierShapes).sha256],
    ...[...new Set(models)].map(name => [name, readWeights(findWeights(folders, name), digitsUnet.parameterShapes()).sha256]),
  ])
}
