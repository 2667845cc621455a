/** What a random draw is called. The name alone decides its values: never the batch, its order, or what was drawn before. */

/**
 * Where in the algorithms noise enters: `forward` and `reverse` noise of the purifier, `rbgm` noise to be ranked, `init` of
 * an attack, `search` proposals of an attack without gradients, `smoothing` noise of a smoothed classifier, `dropout` masks,
 * and in training `timestep`, `epsilon` (the diffusion target) and `augment`.
 */
export type Source = 'forward' | 'reverse' | 'rbgm' | 'init' | 'search' | 'smoothing' | 'dropout' | 'timestep' | 'epsilon' | 'augment'

/** What the draw is for: finding the perturbation, choosing among perturbations, the reported number, or training. */
export type Purpose = 'attack' | 'select' | 'report' | 'train'

/** The part of a name that changes while one algorithm runs. Locked sources ignore all of it. */
export interface DrawContext {
  readonly purpose: Purpose
  /** Restart of an attack, epoch of a training, or one of several reports. */
  readonly repetition: number
  /** Step of the attack, or of CGPO. */
  readonly attackStep: number
  /** Which of the samples that expectation over transformation averages. */
  readonly eotSample: number
}

/** The part of a name given with the draw. */
export interface DrawPlace {
  /** Step of the diffusion process, counted by the purifier; 0 for what happens once. */
  readonly diffusionStep: number
  /** Tells apart several draws of one source at one step, such as the dropout masks of different layers; '' if there is one. */
  readonly part: string
}

/** The full name within one seed. `image` is the image's id in its data set, not its place in the batch. */
export interface DrawName extends DrawContext, DrawPlace {
  readonly source: Source
  readonly image: number
}

/** What a purifier and its attack draw. A network left in training mode meets an unregistered source. */
export const evaluationSources: readonly Source[] = ['forward', 'reverse', 'init']

/** What a purifier and any attack draw. */
export const attackSources: readonly Source[] = [...evaluationSources, 'search']

/** What a smoothed classifier and a purifier in it draw. */
export const smoothingSources: readonly Source[] = [...evaluationSources, 'smoothing']

/** What training draws. */
export const trainingSources: readonly Source[] = ['rbgm', 'dropout', 'timestep', 'epsilon', 'augment', 'init']
