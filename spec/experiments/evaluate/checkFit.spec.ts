import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encode } from 'fast-png'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { useBackend } from '../../../core/index.ts'
import { DATASETS, type DatasetName } from '../../../experiments/data/datasets.ts'
import { architectureExamples, architectureOf } from '../../../experiments/evaluate/architectures.ts'
import { checkFit, knownSides } from '../../../experiments/evaluate/checkFit.ts'
import { loadPurifier } from '../../../experiments/evaluate/purifier.ts'
import { UsageError } from '../../../experiments/support/errors.ts'
import { callProgram } from '../cli/callProgram.ts'
import { saveDiffusersFolder } from './checkpoints.ts'

let folder: string
beforeAll(async () => {
  await useBackend('cpu')
  folder = mkdtempSync(join(tmpdir(), 'fit-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Its 200 classes, and one picture of the given side. */
const tinyImageNet = (side: number): string => {
  const root = join(folder, `tiny-${side}`)
  for (let i = 0; i < 200; i++) mkdirSync(join(root, 'train', `n${i}`), { recursive: true })
  writeFileSync(join(root, 'train', 'n0', 'a.png'), encode({ width: side, height: side, channels: 3, data: new Uint8Array(3 * side ** 2) }))
  return root
}

describe('evaluate of images that the network does not take', () => {
  it.each<[string, () => string[], RegExp]>([
    [
      'pixels of one channel for weights of three',
      () => ['--arch', 'resnet20', '--dataset', 'digits'],
      /^--dataset digits has images of 8x8 pixels with 1 channel, --arch resnet20 takes images of 3 channels with sides divisible by 4; use --dataset cifar10, .*, or --arch wrn-28-10, vit-b-16, or give --mean and --std for weights that take 1 channel\n/,
    ],
    [
      'pixels of one channel where only the mean is given',
      () => ['--arch', 'resnet20', '--dataset', 'digits', '--mean', '0'],
      /^--dataset digits has .* takes images of 3 channels/,
    ],
    [
      'images that are too small',
      () => ['--arch', 'vgg16-bn', '--dataset', 'digits', '--mean', '0', '--std', '1'],
      /^--dataset digits has images of 8x8 pixels .* takes images of 1 channel with sides of at least 32; use --dataset [^;]*, or --arch wrn-28-10, vit-b-16\n/,
    ],
    [
      'images that do not halve, before they are asked for',
      () => ['--arch', 'resnet18', '--dataset', 'mnist', '--mean', '0', '--std', '1'],
      /^--dataset mnist has images of 28x28 pixels .* with sides divisible by 8; use /,
    ],
    [
      'a crop that the network does not take, before the pictures are asked for',
      () => ['--arch', 'resnet18-imagenet', '--dataset', 'imagenet', '--crop', '100'],
      /^--dataset imagenet has images of 100x100 pixels .* with sides divisible by 32; use [^;]*, or frame the pictures with --resize and --crop\n/,
    ],
    [
      'pictures of a size that only they know',
      () => ['--arch', 'resnet20', '--dataset', 'tiny-imagenet', '--split', 'train', '--data', tinyImageNet(6)],
      /^--dataset tiny-imagenet has images of 6x6 pixels with 3 channels, --arch resnet20 takes images of 3 channels with sides divisible by 4; use /,
    ],
  ])('should say what they have, what it takes and what fits: %s', async (_, args, message) => {
    const ended = await callProgram('evaluate', '--checkpoint', join(folder, 'none'), ...args())
    expect(ended).toMatchObject({ code: 2, stdout: '' })
    expect(ended.stderr).toMatch(/^[^\n]+\n$/)
    expect(ended.stderr).toMatch(message)
  })

  it('should propose only what it takes itself', () => {
    let refused = 0
    for (const arch of architectureExamples) {
      for (const dataset of Object.keys(DATASETS) as DatasetName[]) {
        const pair = { arch, dataset, sides: knownSides(dataset, {}) }
        try {
          checkFit(pair)
        } catch (error) {
          refused++
          expect(error).toBeInstanceOf(UsageError)
          const [, datasets, architectures] = /; use --dataset ([^;]*), or --arch (.*?)(, or give.*)?$/.exec((error as Error).message)!
          for (const other of datasets!.split(', ') as DatasetName[])
            expect(() => checkFit({ arch, dataset: other, sides: knownSides(other, {}) })).not.toThrow()
          for (const other of architectures!.split(', ')) expect(() => checkFit({ ...pair, arch: other })).not.toThrow()
        }
      }
    }
    // Five families of three channels beside mnist and digits.
    expect(refused).toBe(10)
  })

  it('should know the images that each network accepts', () => {
    const { input } = architectureOf('wrn-10-1', { channels: 1, classes: 10 }).network
    expect(input).toEqual({ channels: 1, divisor: 4 })
    expect(architectureExamples.map(name => architectureOf(name, { channels: 3, classes: 10 }).network.input)).toEqual([
      { channels: 3, divisor: 4 },
      { channels: 3, divisor: 8 },
      { channels: 3, divisor: 32 },
      { channels: 3, divisor: 4 },
      { channels: 3, divisor: 4 },
      { channels: 3 },
      { channels: 3, leastSide: 32 },
    ])
  })

  it('should refuse images that its model does not halve', () => {
    saveDiffusersFolder(join(folder, 'halving'))
    const load = (side: number) =>
      loadPurifier(
        { purify: 'ddpm', purifier: join(folder, 'halving'), tStar: 0.1, steps: 2, variance: 'fixedLarge' },
        { shape: [1, side, side] },
      )
    expect(() => load(9)).toThrow('the model takes images with sides divisible by 2, these have 9x9 pixels; choose another model')
    expect(() => load(8)).not.toThrow()
  })
})
