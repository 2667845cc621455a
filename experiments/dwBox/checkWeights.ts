import { existsSync } from 'node:fs'
import { digitsUnet } from '../digits/networks.ts'
import { classifierShapes, findWeights, readWeights } from '../digits/weights.ts'
import { UserError } from '../support/errors.ts'
import type { RowSpec } from './plan.ts'

/**
 * Checks every weights file that the rows need, before anything is begun, and returns their SHA-256 by name: weights decide
 * the results, so a run is resumed with the same ones only.
 * @throws UserError when a folder or a file is missing, FileError when one is damaged
 */
export const checkWeights = (folders: readonly string[], rows: readonly RowSpec[]): Record<string, string> => {
  const missing = folders.find(folder => !existsSync(folder))
  if (missing !== undefined)
    throw new UserError(
      `there is no folder of weights ${missing}`,
      'make it with npm run train -- --preset digits --out <folder> and name it with --weights',
    )
  const purifiers = new Set(rows.flatMap(({ defence }) => defence.purifier ?? []))
  return Object.fromEntries([
    ['classifier', readWeights(findWeights(folders, 'classifier'), classifierShapes).sha256],
    ...[...purifiers].map(name => [name, readWeights(findWeights(folders, name), digitsUnet.parameterShapes()).sha256]),
  ])
}
