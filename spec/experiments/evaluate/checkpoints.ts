import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ClassifierNetwork } from '../../../algorithms/models/classifierNetwork.ts'
import type { Parameters } from '../../../algorithms/models/types.ts'
import { createUnet2d, type Unet2d } from '../../../algorithms/models/unet2d.ts'
import { createWideResNet } from '../../../algorithms/models/wideResNet.ts'
import { tensor } from '../../../core/index.ts'
import { saveSafetensors } from '../../../core/io/files.ts'
import type { HostTensor } from '../../../core/io/hostTensor.ts'
import { key } from '../../../core/random/key.ts'
import { loadDigits } from '../../../experiments/data/digits.ts'
import { smallUnetConfig } from '../../algorithms/fixtures.ts'
import { asTensors, randomValues } from '../../models/plainLayers.ts'

/** Small networks with random weights, in files as other programs write them. */

export const classifier: ClassifierNetwork = createWideResNet({ implementation: 'wrn', depth: 10, widenFactor: 1, inChannels: 1 })

const unetConfig = { _class_name: 'UNet2DModel', sample_size: 8, ...smallUnetConfig(1) } as const

export const unet: Unet2d = createUnet2d(unetConfig)

export const hostTensors = (parameters: Parameters): Record<string, HostTensor> =>
  Object.fromEntries(
    Object.entries(parameters).map(([name, t]) => [name, { dtype: 'F32', shape: t.shape, values: Float32Array.from(t.dataSync()) }]),
  )

/** With the biases of its last layer such that no class is ahead of the others on the first digits. */
const centred = (parameters: Parameters): Parameters => {
  const images = tensor(loadDigits().images.subarray(0, 64 * 64), [64, 1, 8, 8])
  const bias = parameters['fc.bias']!
  return { ...parameters, 'fc.bias': bias.sub(classifier.apply(parameters, images).logits.mean([0])) }
}

export const saveClassifier = (path: string, change: (tensors: Record<string, HostTensor>) => void = () => {}): Parameters => {
  const shapes = { ...classifier.parameterShapes(), ...classifier.bufferShapes() }
  const parameters = centred(asTensors(randomValues(1, shapes), shapes))
  const tensors = hostTensors(parameters)
  change(tensors)
  saveSafetensors(path, tensors)
  return parameters
}

/** A folder as diffusers saves a model, or with `pipeline` as it saves a whole pipeline. */
export const saveDiffusersFolder = (
  folder: string,
  { pipeline = false, config = {}, scheduler }: { pipeline?: boolean; config?: object; scheduler?: object } = {},
): Parameters => {
  const [model, schedule] = pipeline ? [join(folder, 'unet'), join(folder, 'scheduler')] : [folder, folder]
  for (const path of [model, schedule]) mkdirSync(path, { recursive: true })
  const parameters = unet.init(key(2))
  saveSafetensors(join(model, 'diffusion_pytorch_model.safetensors'), hostTensors(parameters))
  writeFileSync(join(model, 'config.json'), JSON.stringify({ ...unetConfig, ...config }))
  if (scheduler) writeFileSync(join(schedule, 'scheduler_config.json'), JSON.stringify(scheduler))
  return parameters
}
