import type { Tensor } from '../../core/index.ts'
import type { Classifier } from '../models/types.ts'
import { type AnyPurifier, purifyAny } from '../purification/anyPurifier.ts'
import type { Draws } from '../randomness/draws.ts'

/** What is attacked and evaluated: images [batch, channels, height, width] in [0,1] and named draws to logits [batch, classes]. */
export type Defence = (x: Tensor, draws: Draws) => Tensor

/** Classify what the purifier, of any process, makes of the image. */
export const purifiedClassifier =
  (purifier: AnyPurifier, classifier: Classifier): Defence =>
  (x, draws) =>
    classifier(purifyAny(purifier, x, draws))

/** No purification: nothing random. */
export const undefended =
  (classifier: Classifier): Defence =>
  x =>
    classifier(x)
