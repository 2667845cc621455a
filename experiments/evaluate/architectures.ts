import type { ClassifierNetwork } from '../../algorithms/models/classifierNetwork.ts'
import { createResNet, type ResNetImplementation } from '../../algorithms/models/resNet.ts'
import { createVgg, type VggConfig } from '../../algorithms/models/vgg.ts'
import { createVit } from '../../algorithms/models/vit.ts'
import { createWideResNet } from '../../algorithms/models/wideResNet.ts'
import { UsageError } from '../support/errors.ts'

/** Per channel, in pixels of [0, 1]: a network sees (pixel - mean) / std. */
export interface Normalisation {
  readonly mean: readonly number[]
  readonly std: readonly number[]
}

/** A network by its name on the command line, and what its published checkpoints expect. */
export interface Architecture {
  readonly network: ClassifierNetwork
  readonly normalisation: Normalisation
}

/** What a network cannot know by its name. */
export interface DataFacts {
  readonly channels: number
  readonly classes: number
}

const none: Normalisation = { mean: [0], std: [1] }
const imagenet: Normalisation = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }
/** Of the CIFAR-10 training images; the deviations are the means of those of single images, as many repositories have them. */
const cifar: Normalisation = { mean: [0.4914, 0.4822, 0.4465], std: [0.2023, 0.1994, 0.201] }

interface Family {
  readonly pattern: RegExp
  /** For messages: one name, and what they all are. */
  readonly example: string
  readonly names: string
  readonly normalisation: Normalisation
  /** From the numbers in the name. */
  readonly make: (numbers: readonly number[], facts: DataFacts) => ClassifierNetwork
}

const resNets =
  (implementation: ResNetImplementation): Family['make'] =>
  ([depth], { channels, classes }) =>
    createResNet({ implementation, depth: depth!, inChannels: channels, classes })

const wideResNets =
  (implementation: 'wrn' | 'wide'): Family['make'] =>
  ([depth, widenFactor], { channels, classes }) =>
    createWideResNet({ implementation, depth: depth!, widenFactor: widenFactor!, inChannels: channels, classes })

const FAMILIES: readonly Family[] = [
  {
    pattern: /^resnet(20|32|44|56|110)$/,
    example: 'resnet20',
    names: 'resnet20, resnet32, resnet44, resnet56, resnet110',
    normalisation: imagenet,
    make: resNets('heCifar'),
  },
  {
    pattern: /^resnet(18|34|50|101|152)$/,
    example: 'resnet18',
    names: 'resnet18, resnet34, resnet50, resnet101, resnet152',
    normalisation: cifar,
    make: resNets('cifar'),
  },
  {
    pattern: /^resnet(18|34|50|101|152)-imagenet$/,
    example: 'resnet18-imagenet',
    names: 'resnet18-imagenet, ..., resnet152-imagenet',
    normalisation: imagenet,
    make: resNets('imagenet'),
  },
  {
    pattern: /^wrn-(\d{1,3})-([1-9]\d?)$/,
    example: 'wrn-28-10',
    names: 'wrn-28-10 or any wrn-<depth>-<width> (TRADES)',
    normalisation: none,
    make: wideResNets('wrn'),
  },
  {
    pattern: /^wide-(\d{1,3})-([1-9]\d?)$/,
    example: 'wide-28-10',
    names: 'wide-28-10 or any wide-<depth>-<width> (wide-resnet.pytorch)',
    normalisation: cifar,
    make: wideResNets('wide'),
  },
  {
    // The preprocessing of its origin; the paper's scripts leave it out: --mean 0 --std 1.
    pattern: /^vit-b-16$/,
    example: 'vit-b-16',
    names: 'vit-b-16',
    normalisation: { mean: [0.5], std: [0.5] },
    make: (_, { channels, classes }) => createVit({ inChannels: channels, classes }),
  },
  {
    pattern: /^vgg(11|13|16|19)-bn$/,
    example: 'vgg16-bn',
    names: 'vgg11-bn, vgg13-bn, vgg16-bn, vgg19-bn',
    normalisation: imagenet,
    make: ([depth], { channels, classes }) => createVgg({ depth: depth as VggConfig['depth'], inChannels: channels, classes }),
  },
]

/** The names `architectureOf` takes, one family per line. */
export const architectureNames = (): string[] => FAMILIES.map(({ names }) => names)

/** One name of each family. */
export const architectureExamples: readonly string[] = FAMILIES.map(({ example }) => example)

/** The network of a name such as `resnet20` or `wrn-28-10`. @throws UsageError when there is none */
export const architectureOf = (name: string, facts: DataFacts): Architecture => {
  for (const { pattern, normalisation, make } of FAMILIES) {
    const match = pattern.exec(name)
    if (!match) continue
    try {
      return { network: make(match.slice(1).map(Number), facts), normalisation }
    } catch (cause) {
      throw new UsageError(`--arch ${name}: ${(cause as Error).message}`, 'see npm run evaluate -- --help')
    }
  }
  throw new UsageError(`there is no architecture "${name}"`, `use ${architectureNames().join('; ')}`)
}
