import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Classifier, EpsilonModel, Parameters } from '../../algorithms/models/types.ts'
import { type Tensor, tensor } from '../../core/index.ts'
import { loadSafetensors, saveSafetensors } from '../../core/io/files.ts'
import { checkParameters, type ParameterShapes } from '../../core/nn/index.ts'
import { UserError } from '../support/errors.ts'
import { digitsClassifier, digitsUnet } from './networks.ts'

/** The weights that come with the project; `npm run train -- --preset digits` makes them anew. */
export const shippedWeights = fileURLToPath(new URL('./weights/', import.meta.url))

export const weightsFile = (folder: string, name: string): string => join(folder, `${name}.safetensors`)

/** Finds a weights file in the first folder that has it. @throws UserError naming the folders and the remedy */
export const findWeights = (folders: readonly string[], name: string): string => {
  const found = folders.map(folder => weightsFile(folder, name)).find(existsSync)
  if (!found)
    throw new UserError(`weights "${name}" are in none of ${folders.join(', ')}`, 'make them with: npm run train -- --preset digits')
  return found
}

/** Parameters from a safetensors file, exactly those of the network. @throws FileError, Error listing every misfit */
export const loadParameters = (path: string, shapes: ParameterShapes): Parameters => {
  const { tensors } = loadSafetensors(path)
  checkParameters(shapes, tensors, path)
  return Object.fromEntries(Object.entries(tensors).map(([name, { values, shape }]) => [name, tensor(values, shape)]))
}

/** Saves parameters as float32 under their state-dict names. */
export const saveParameters = async (path: string, parameters: Parameters, metadata: Readonly<Record<string, string>>): Promise<void> => {
  const host = await Promise.all(
    Object.entries(parameters).map(
      async ([name, t]) => [name, { dtype: 'F32' as const, shape: [...t.shape], values: Float32Array.from(await t.data()) }] as const,
    ),
  )
  saveSafetensors(path, Object.fromEntries(host), metadata)
}

/** epsilonTheta of the digits with fixed parameters. */
export const epsilonModel =
  (parameters: Parameters): EpsilonModel =>
  (xT, t) =>
    digitsUnet.apply(parameters, xT, t)

/** The digits classifier with fixed parameters; takes pixels in [0,1] and sees them in [-1,1]. */
export const classifierOf =
  (parameters: Parameters): Classifier =>
  (images: Tensor) =>
    digitsClassifier.apply(parameters, images.mul(2).sub(1)).logits
