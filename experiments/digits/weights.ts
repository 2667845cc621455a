import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Classifier, EpsilonModel, Parameters } from '../../algorithms/models/types.ts'
import { type Tensor, tensor } from '../../core/index.ts'
import { FileError } from '../../core/io/fileError.ts'
import { loadSafetensors, saveSafetensors } from '../../core/io/files.ts'
import type { HostTensor } from '../../core/io/hostTensor.ts'
import { encodeTensor } from '../../core/io/safetensors.ts'
import { checkParameters, type ParameterShapes } from '../../core/nn/index.ts'
import { UserError } from '../support/errors.ts'
import { digitsClassifier, digitsUnet } from './networks.ts'

/** What a classifier file holds: parameters and the running statistics of its normalisation. */
export const classifierShapes: ParameterShapes = { ...digitsClassifier.parameterShapes(), ...digitsClassifier.bufferShapes() }

export const weightsFile = (folder: string, name: string): string => join(folder, `${name}.safetensors`)

/** Finds a weights file in the first folder that has it. @throws UserError naming the folders and the remedy */
export const findWeights = (folders: readonly string[], name: string): string => {
  const found = folders.map(folder => weightsFile(folder, name)).find(existsSync)
  if (!found)
    throw new UserError(
      `weights "${name}" are in none of ${folders.join(', ')}`,
      'make them with npm run train (see its --help) and name their folder with --weights',
    )
  return found
}

export interface Weights {
  readonly tensors: Readonly<Record<string, HostTensor>>
  readonly metadata: Readonly<Record<string, string>>
  /** Of names, shapes and values: tells two trainings apart, whatever their files are called. */
  readonly sha256: string
}

/** SHA-256 of every tensor's name, dtype, shape and bytes, in the order of names. */
const digest = (tensors: Readonly<Record<string, HostTensor>>): string => {
  const hash = createHash('sha256')
  for (const name of Object.keys(tensors).sort()) {
    const t = tensors[name]!
    hash.update(JSON.stringify([name, t.dtype, t.shape])).update(encodeTensor(name, t))
  }
  return hash.digest('hex')
}

/**
 * Reads weights without a backend and checks them: exactly the tensors of the network, finite, and matching the checksum
 * that `saveParameters` writes (files of other programs have none).
 * @throws FileError naming the file
 */
export const readWeights = (path: string, shapes: ParameterShapes): Weights => {
  const { tensors, metadata } = loadSafetensors(path)
  checkParameters(shapes, tensors, path)
  const remedy = 'restore the file or train it again'
  for (const [name, { values }] of Object.entries(tensors)) {
    const at = values.findIndex(value => !Number.isFinite(value))
    if (at >= 0) throw new FileError(path, `tensor "${name}" is ${values[at]} at index ${at}`, remedy)
  }
  const sha256 = digest(tensors)
  if (metadata.sha256 !== undefined && metadata.sha256 !== sha256)
    throw new FileError(path, 'the weights do not match their checksum', remedy)
  return { tensors, metadata, sha256 }
}

/** Parameters from a weights file on the current backend. @throws FileError */
export const loadParameters = (path: string, shapes: ParameterShapes): Parameters =>
  Object.fromEntries(Object.entries(readWeights(path, shapes).tensors).map(([name, { values, shape }]) => [name, tensor(values, shape)]))

/** Saves parameters as float32 under their state-dict names, with a checksum beside the metadata. */
export const saveParameters = async (path: string, parameters: Parameters, metadata: Readonly<Record<string, string>>): Promise<void> => {
  const host = Object.fromEntries(
    await Promise.all(
      Object.entries(parameters).map(
        async ([name, t]) => [name, { dtype: 'F32' as const, shape: [...t.shape], values: Float32Array.from(await t.data()) }] as const,
      ),
    ),
  )
  saveSafetensors(path, host, { ...metadata, sha256: digest(host) })
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
