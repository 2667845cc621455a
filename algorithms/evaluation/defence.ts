import type { Tensor } from '../../core/index.ts'
import type { Classifier } from '../models/types.ts'
import { type Purifier, purify } from '../purification/purify.ts'
import type { Draws } from '../randomness/draws.ts'

/** What is attacked and evaluated: images [batch, channels, height, width] in [0,1] and named draws to logits [batch, classes]. */
export type Defence = (x: Tensor, draws: Draws) => Tensor

/** Classify what the purifier makes of the image. */
export const purifiedClassifier =
  (purifier: Purifier, classifier: Classifier): Defence =>
  (x, draws) =>
    classifier(purify(purifier, x, draws))

/** No purification: nothing random. */
export const undefended =
  (classifier: Classifier): Defence =>
  x =>
    classifier(x)
