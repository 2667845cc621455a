import { sidesRule, takesSide } from '../../algorithms/models/checkImages.ts'
import type { Purifier, ReverseProcess } from '../../algorithms/purification/purify.ts'
import { paperTimesteps } from '../../algorithms/purification/timesteps.ts'
import { FileError } from '../../core/io/fileError.ts'
import type { ImageDataset } from '../data/imageDataset.ts'
import { UsageError } from '../support/errors.ts'
import { loadDiffusersFolder } from './diffusersFolder.ts'

export interface PurifierOptions {
  readonly purify: 'ddpm' | 'ddim'
  /** A diffusers folder. */
  readonly purifier: string
  readonly tStar: number
  readonly steps: number
  readonly variance: 'fixedLarge' | 'fixedSmall'
}

/** The purifier of a diffusers folder for the images of a data set. @throws FileError, UsageError when they do not fit */
export const loadPurifier = (o: PurifierOptions, { shape: [channels, ...sides] }: Pick<ImageDataset, 'shape'>): Purifier => {
  const { network, epsilonTheta, schedule, weights } = loadDiffusersFolder(o.purifier)
  const { in_channels, out_channels, class_embed_type, num_class_embeds } = network.config
  if (in_channels !== channels || out_channels !== channels) {
    throw new FileError(
      weights,
      `the model takes ${in_channels} and gives ${out_channels} channels, images have ${channels}`,
      'choose another model',
    )
  }
  if (!sides.every(side => takesSide(side, network.input))) {
    throw new FileError(
      weights,
      `the model takes images${sidesRule(network.input)}, these have ${sides.join('x')} pixels`,
      'choose another model, or frame pictures with --resize and --crop',
    )
  }
  if (class_embed_type !== null || num_class_embeds !== null)
    throw new FileError(weights, 'the model wants the class of each image, which a purifier cannot know', 'choose an unconditional model')
  const reverse: ReverseProcess = o.purify === 'ddpm' ? { kind: 'ddpm', variance: o.variance } : { kind: 'ddim', eta: 0 }
  try {
    const intervals = paperTimesteps({ timesteps: schedule.timesteps, tStar: o.tStar, steps: o.steps })
    // Nothing is differentiated here; it frees the activations of each step.
    return { epsilonTheta, schedule, intervals, reverse, checkpointing: true }
  } catch (cause) {
    throw new UsageError((cause as Error).message, 'see --t-star and --steps')
  }
}
