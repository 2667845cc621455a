import { evaluateBatch } from '../../algorithms/evaluation/robustAccuracy.ts'
import { purifyAny } from '../../algorithms/purification/anyPurifier.ts'
import { createDraws } from '../../algorithms/randomness/draws.ts'
import { lockSets } from '../../algorithms/randomness/lockSets.ts'
import { type Tensor, tidy } from '../../core/index.ts'
import type { Networks } from './defence.ts'
import type { Unit } from './plan.ts'
import type { GalleryImage } from './results.ts'
import { batchOf, type OnWork } from './runUnit.ts'

/** Pictures of what an attack does to an image and what the purifier makes of both, in the world of the report draw 0. */
export const runGallery = async (unit: Unit, networks: Networks, onWork: OnWork): Promise<GalleryImage[]> => {
  const { row, setting, imageIds } = unit
  const locks = lockSets[setting.name]
  const batch = batchOf(imageIds)
  const purifier = networks.purifier({ ...row.defence, purifier: row.defence.purifier! })
  const { xAdv } = await evaluateBatch(networks.defence(row.defence), batch, {
    seed: unit.seed,
    setting: { name: setting.name, locks, eotSamples: setting.eotSamples },
    attack: row.attack,
    reportDraws: 1,
    onStep: () => onWork(imageIds.length * setting.eotSamples),
  })
  const draws = createDraws({ seed: unit.seed, images: imageIds, locks, context: { purpose: 'report' } })
  const seen = (x: Tensor) => {
    const purified = tidy(() => purifyAny(purifier, x, draws))
    return { purified, logits: tidy(() => networks.classifier(purified)) }
  }
  const clean = seen(batch.images)
  const adversarial = seen(xAdv)
  const perturbation = tidy(() =>
    xAdv
      .sub(batch.images)
      .mul(0.5 / Math.max(row.attack.epsilon, 1e-9))
      .add(0.5),
  )
  const pictures = {
    clean: await grey(batch.images),
    adversarial: await grey(xAdv),
    perturbation: await grey(perturbation),
    purifiedClean: await grey(clean.purified),
    purifiedAdversarial: await grey(adversarial.purified),
  }
  const predictedClean = await predictions(clean.logits)
  const predictedAdversarial = await predictions(adversarial.logits)
  for (const t of [xAdv, perturbation, batch.images, clean.purified, clean.logits, adversarial.purified, adversarial.logits]) t.dispose()
  const [, , height, width] = batch.images.shape as [number, number, number, number]
  return imageIds.map((imageId, i) => ({
    imageId,
    label: batch.labels[i]!,
    row: row.label,
    setting: setting.name,
    width,
    height,
    clean: pictures.clean[i]!,
    adversarial: pictures.adversarial[i]!,
    perturbation: pictures.perturbation[i]!,
    purifiedClean: pictures.purifiedClean[i]!,
    purifiedAdversarial: pictures.purifiedAdversarial[i]!,
    predictedClean: predictedClean[i]!,
    predictedAdversarial: predictedAdversarial[i]!,
  }))
}

/** Each image of [batch, 1, height, width] in [0,1] as grey bytes, base64. */
const grey = async (images: Tensor): Promise<string[]> => {
  const values = await images.data()
  const area = images.size / images.shape[0]!
  return Array.from({ length: images.shape[0]! }, (_, i) =>
    Buffer.from(Uint8Array.from(values.subarray(i * area, (i + 1) * area), v => Math.round(255 * Math.min(1, Math.max(0, v))))).toString(
      'base64',
    ),
  )
}

const predictions = async (logits: Tensor): Promise<number[]> => {
  const values = await logits.data()
  const classes = logits.shape[1]!
  return Array.from({ length: logits.shape[0]! }, (_, i) => {
    const row = values.subarray(i * classes, (i + 1) * classes)
    return row.indexOf(Math.max(...row))
  })
}
