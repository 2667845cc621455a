import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { linearSchedule } from '../../../algorithms/diffusion/schedule.ts'
import { wilson } from '../../../algorithms/evaluation/statistics/wilson.ts'
import type { Parameters } from '../../../algorithms/models/types.ts'
import { purify } from '../../../algorithms/purification/purify.ts'
import { paperTimesteps } from '../../../algorithms/purification/timesteps.ts'
import { createDraws } from '../../../algorithms/randomness/draws.ts'
import { type Tensor, tensor, useBackend } from '../../../core/index.ts'
import { loadSafetensors, saveSafetensors } from '../../../core/io/files.ts'
import { loadDigits, splitDigits } from '../../../experiments/data/digits.ts'
import { imagesAt } from '../../../experiments/data/imagesAt.ts'
import { formatAccuracy } from '../../../experiments/evaluate/format.ts'
import { callProgram } from '../cli/callProgram.ts'
import { classifier, saveClassifier, saveDiffusersFolder, unet } from './checkpoints.ts'

let folder: string
let checkpoint: string
let parameters: Parameters
beforeAll(async () => {
  await useBackend('cpu')
  folder = mkdtempSync(join(tmpdir(), 'evaluate-'))
  checkpoint = join(folder, 'wrn.safetensors')
  parameters = saveClassifier(checkpoint)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const COUNT = 16
const shippedDigits = new URL('../../../experiments/data/digits8x8.csv.gz', import.meta.url)

const call = (...args: string[]) => callProgram('evaluate', '--checkpoint', checkpoint, ...args)
const digits = (...args: string[]) => call('--arch', 'wrn-10-1', '--dataset', 'digits', '--limit', String(COUNT), ...args)

const reported = async (...args: string[]) => {
  const { stdout, stderr, code } = await digits('--json', ...args)
  expect([code, stderr]).toEqual([0, ''])
  return JSON.parse(stdout)
}

const ids = (split: 'test' | 'train' = 'test'): number[] => [...splitDigits()[split].subarray(0, COUNT)]
const images = (split?: 'test' | 'train'): Tensor => tensor(imagesAt(loadDigits(), ids(split)).images, [COUNT, 1, 8, 8])

const classesOf = (x: Tensor): number[] => {
  const logits = Array.from(classifier.apply(parameters, x).logits.dataSync())
  return Array.from({ length: COUNT }, (_, i) => {
    const row = logits.slice(10 * i, 10 * i + 10)
    return row.indexOf(Math.max(...row))
  })
}

const different = (a: readonly number[], b: readonly number[]): number => a.filter((value, i) => value !== b[i]).length

/** A file of the digits where the first of a split have the given classes: a program that finds these classes is right every time. */
const labelled = (classes: readonly number[], split?: 'test' | 'train'): string => {
  const numbers = ids(split)
  const rows = new TextDecoder()
    .decode(gunzipSync(readFileSync(shippedDigits)))
    .trim()
    .split('\n')
  const path = join(folder, `${classes.join('')}.csv`)
  writeFileSync(path, rows.map((row, i) => row.replace(/\d+\r?$/, label => `${classes[numbers.indexOf(i)] ?? label}`)).join('\n'))
  return path
}

describe('evaluate', () => {
  it('should count what the network classifies correctly, whatever the batch', async () => {
    const classes = classesOf(images())
    expect(new Set(classes).size).toBeGreaterThan(2)
    // The first three labels are wrong on purpose.
    const data = labelled(classes.map((found, i) => (i < 3 ? (found + 1) % 10 : found)))
    for (const batch of ['5', '100']) {
      expect(await reported('--data', data, '--batch', batch)).toMatchObject({ images: COUNT, correct: COUNT - 3 })
    }
  })

  it('should take the digits of the split that was asked for', async () => {
    const data = labelled(classesOf(images('train')), 'train')
    expect(await reported('--data', data, '--split', 'train')).toMatchObject({ correct: COUNT, options: { split: 'train' } })
    expect((await reported('--data', data)).correct).toBeLessThan(COUNT)
  })

  it('should show the network pixels normalised by mean and deviation', async () => {
    const classes = classesOf(images().sub(0.9).div(0.3))
    expect(different(classes, classesOf(images()))).toBeGreaterThan(2)
    const report = await reported('--mean', '0.9', '--std', '0.3', '--data', labelled(classes))
    expect(report).toMatchObject({ correct: COUNT, options: { mean: [0.9], std: [0.3] } })
  })

  it('should say accuracy, counts and interval in words, and show progress on stderr unless told not to', async () => {
    const { stdout, stderr } = await digits()
    const { correct, accuracy } = await reported()
    expect(stdout).toBe(
      formatAccuracy({ images: COUNT, correct, accuracy }, { arch: 'wrn-10-1', data: [], dataset: 'digits', purifier: null }),
    )
    expect(stderr).toMatch(new RegExp(`^wrn-10-1: ${COUNT} images in .*accuracy ${((100 * correct) / COUNT).toFixed(1)} %\n$`))
    expect((await digits('--quiet')).stderr).toBe('')
  })

  it('should give with its numbers the options that decide them and what computed them', async () => {
    const { options, provenance, accuracy, correct } = await reported()
    expect(options).toEqual({
      arch: 'wrn-10-1',
      checkpoint,
      dataset: 'digits',
      data: [],
      split: 'test',
      limit: COUNT,
      batch: 64,
      backend: 'cpu',
      mean: [0],
      std: [1],
    })
    expect(provenance).toMatchObject({ backend: 'cpu', node: process.version })
    expect(accuracy).toEqual(wilson(correct, COUNT))
  })

  it('should take checkpoints from before batches were counted', async () => {
    const old = join(folder, 'old.safetensors')
    saveClassifier(old, tensors => {
      for (const name of Object.keys(tensors)) if (name.endsWith('num_batches_tracked')) delete tensors[name]
    })
    expect((await reported('--checkpoint', old)).correct).toBe((await reported()).correct)
  })
})

describe('evaluate --purify', () => {
  const purified = (model: Parameters, reverse: 'ddpm' | 'ddim', { seed = 0, betaEnd = 0.02 } = {}): Tensor => {
    const ids = Array.from({ length: COUNT }, (_, i) => i)
    const purifier = {
      epsilonTheta: (xT: Tensor, t: readonly number[]) => unet.apply(model, xT, t),
      schedule: linearSchedule({ betaEnd }),
      intervals: paperTimesteps({ tStar: 0.2, steps: 2 }),
      reverse: reverse === 'ddpm' ? ({ kind: 'ddpm', variance: 'fixedLarge' } as const) : ({ kind: 'ddim', eta: 0 } as const),
    }
    return purify(purifier, images(), createDraws({ seed, images: ids }))
  }
  const args = (name: string, reverse: string): string[] => [
    '--purify',
    reverse,
    '--purifier',
    join(folder, name),
    '--t-star',
    '0.2',
    '--steps',
    '2',
  ]

  it.each(['ddpm', 'ddim'] as const)('should purify first, by draws that the batch does not change (%s)', async reverse => {
    const classes = classesOf(purified(saveDiffusersFolder(join(folder, 'model')), reverse, { seed: 3 }))
    expect(different(classes, classesOf(images()))).toBeGreaterThan(2)
    const data = labelled(classes)
    expect((await reported(...args('model', reverse), '--data', data, '--seed', '3')).correct).toBe(COUNT)
    expect((await reported(...args('model', reverse), '--data', data, '--seed', '3', '--batch', '7')).correct).toBe(COUNT)
    expect((await reported(...args('model', reverse), '--data', data, '--seed', '4')).correct).toBeLessThan(COUNT)
  })

  it('should take the noise schedule from the folder, also that of a whole pipeline', async () => {
    const model = saveDiffusersFolder(join(folder, 'pipeline'), {
      pipeline: true,
      scheduler: { beta_end: 0.2, _class_name: 'DDPMScheduler' },
    })
    const classes = classesOf(purified(model, 'ddpm', { betaEnd: 0.2 }))
    expect(different(classes, classesOf(purified(model, 'ddpm')))).toBeGreaterThan(2)
    const { correct, options } = await reported(...args('pipeline', 'ddpm'), '--data', labelled(classes))
    expect(correct).toBe(COUNT)
    expect(options).toMatchObject({ purify: 'ddpm', tStar: 0.2, steps: 2, seed: 0, variance: 'fixedLarge' })
  })

  it('should load old names of attention weights', async () => {
    const classes = classesOf(purified(saveDiffusersFolder(join(folder, 'old')), 'ddpm'))
    const file = join(folder, 'old', 'diffusion_pytorch_model.safetensors')
    const renamed = Object.entries(loadSafetensors(file).tensors).map(([name, value]) => [name.replace('.to_q.', '.query.'), value])
    saveSafetensors(file, Object.fromEntries(renamed))
    expect((await reported(...args('old', 'ddpm'), '--data', labelled(classes))).correct).toBe(COUNT)
  })

  it.each<[string, () => void, RegExp]>([
    ['no folder', () => {}, /bad: no such folder; give a folder with config\.json/],
    [
      'no weights',
      () => {
        saveDiffusersFolder(join(folder, 'bad'))
        rmSync(join(folder, 'bad', 'diffusion_pytorch_model.safetensors'))
      },
      /bad: there are no weights; add one of diffusion_pytorch_model\.safetensors/,
    ],
    [
      'a configuration that is no JSON',
      () => {
        saveDiffusersFolder(join(folder, 'bad'))
        writeFileSync(join(folder, 'bad', 'config.json'), '{')
      },
      /config\.json: this is no JSON/,
    ],
    ['an unknown option', () => void saveDiffusersFolder(join(folder, 'bad'), { config: { act_fn: 'relu' } }), /act_fn is "relu"/],
    ['other weights', () => void saveDiffusersFolder(join(folder, 'bad'), { config: { layers_per_block: 2 } }), /parameters do not fit/],
    ['three channels', () => void saveDiffusersFolder(join(folder, 'bad'), { config: { in_channels: 3 } }), /parameters do not fit/],
    [
      'a schedule of another kind',
      () => void saveDiffusersFolder(join(folder, 'bad'), { scheduler: { beta_schedule: 'squaredcos_cap_v2' } }),
      /scheduler_config\.json: "beta_schedule".*only linear schedules/,
    ],
  ])('should refuse in one line: %s', async (_, prepare, message) => {
    rmSync(join(folder, 'bad'), { recursive: true, force: true })
    prepare()
    const { code, stdout, stderr } = await digits(...args('bad', 'ddpm'))
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(/^[^\n]+\n$/)
    expect(stderr).toMatch(message)
  })
})

describe('an evaluation that cannot be done', () => {
  const cifar = (bytes: number): string => {
    const path = join(folder, `cifar-${bytes}.bin`)
    writeFileSync(path, new Uint8Array(bytes))
    return path
  }

  it.each<[number, string, () => string[], RegExp]>([
    [2, 'an unknown architecture', () => ['--arch', 'resnet21'], /^there is no architecture "resnet21"; use resnet20, .*wrn-28-10/],
    [
      2,
      'steps of no purifier',
      () => ['--arch', 'resnet20', '--steps', '7'],
      /^--steps is given without --purify; add --purify ddpm and --purifier, or leave it away\n/,
    ],
    [2, 'a width of nothing', () => ['--arch', 'wrn-28-0'], /^there is no architecture "wrn-28-0"; use /],
    [
      2,
      'more than one file of digits',
      () => ['--arch', 'wrn-10-1', '--dataset', 'digits', '--data', 'a', 'b'],
      /^2 files were given for the digits; name one, or none for those of the project\n/,
    ],
    [2, 'a depth that does not exist', () => ['--arch', 'wrn-12-1'], /^--arch wrn-12-1: .*depth must be 6 n \+ 4, got 12/],
    [2, 'no data', () => ['--arch', 'resnet20'], /^no data was given; name test_batch\.bin/],
    [2, 'too few means', () => ['--arch', 'resnet20', '--mean', '1', '2'], /^--mean has 2 values for images of 3 channels/],
    [
      2,
      'a place inside a safetensors file',
      () => ['--arch', 'wrn-10-1', '--dataset', 'digits', '--state-dict', 'model'],
      /^--state-dict is "model", but .*wrn\.safetensors is a safetensors file, which has no nested state dict; leave the option away\n/,
    ],
    [2, 'a deviation of 0', () => ['--arch', 'resnet20', '--std', '0'], /^--std is 0; use positive numbers/],
    [2, 'no purifier', () => ['--arch', 'resnet20', '--purify', 'ddpm'], /^--purify ddpm has no model; name its folder/],
    [2, 'a purifier that is not used', () => ['--arch', 'resnet20', '--purifier', 'x'], /^--purifier is given without --purify/],
    [2, 'too many digits', () => ['--arch', 'wrn-10-1', '--dataset', 'digits', '--limit', '9999'], /^9999 images wanted, 500 there/],
    [
      1,
      'a record of another size',
      () => ['--arch', 'resnet20', '--data', cifar(3072)],
      /file has 3072 bytes, expected a multiple of 3073/,
    ],
    [1, 'missing data', () => ['--arch', 'resnet20', '--data', 'none.bin'], /^none\.bin: reading failed: no such file/],
    [
      1,
      'weights of another network',
      () => ['--arch', 'resnet20', '--data', cifar(3073)],
      /\.safetensors: parameters do not fit the network: \d+ missing .*unexpected/,
    ],
    [
      1,
      'a missing checkpoint',
      () => ['--arch', 'resnet20', '--data', cifar(3073), '--checkpoint', 'none.th'],
      /^none\.th: .*no such file/,
    ],
  ])('should end with exit code %i and one line: %s', async (code, _, args, message) => {
    const ended = await call(...args())
    expect(ended).toMatchObject({ code, stdout: '' })
    expect(ended.stderr).toMatch(/^[^\n]+\n$/)
    expect(ended.stderr).toMatch(message)
  })

  it('should refuse weights that are not numbers', async () => {
    const path = join(folder, 'nan.safetensors')
    saveClassifier(path, tensors => {
      tensors['fc.bias']!.values[3] = Number.NaN
    })
    expect(await digits('--checkpoint', path)).toMatchObject({
      code: 1,
      stdout: '',
      stderr: `${path}: tensor "fc.bias" is NaN at index 3; fetch or train it again\n`,
    })
  })
})

const shared = fileURLToPath(new URL('../../../../shared/data/', import.meta.url))

describe.skipIf(!existsSync(shared))('evaluate on the shared images', () => {
  it('should find the published ResNet-20 correct on 827 of 1,024', async () => {
    const files = ['--checkpoint', join(shared, 'resnet20-12fca82f.th'), '--data', join(shared, 'cifar10-test-1024.bin.gz')]
    const { stdout } = await callProgram('evaluate', '--arch', 'resnet20', ...files, '--quiet')
    expect(stdout).toMatch(/\naccuracy 80\.76 % \(827 of 1,024\), 95 % interval 78\.23 to 83\.06 %\n$/)
  })
})
