import { type ProportionInterval, wilsonOfProportion } from './wilson.ts'

export interface MeanInterval extends ProportionInterval {
  /** Image-clustered standard error of the estimate. */
  readonly standardError: number
}

/**
 * Mean accuracy over several report draws per image, with an interval that knows the draws of one image are not independent.
 *
 * `outcomes[i][r]`: whether image i was right under report draw r; every image has the same number R of draws. With the
 * image means m_i and their mean m over N images (the clusters),
 *
 *   SE^2 = sum_i (m_i - m)^2 / (N (N - 1))
 *
 * and the interval is Wilson's at the effective number of trials m (1-m) / SE^2, at most N R. Where SE says nothing, at
 * m = 0 and m = 1, the effective number is N. Source: Korn and Graubard, Survey Methodology 24 (1998), for that construction.
 * Throws RangeError unless there are at least two images with the same positive number of draws.
 */
export const meanInterval = (outcomes: readonly (readonly boolean[])[], confidence = 0.95): MeanInterval => {
  const images = outcomes.length
  const draws = outcomes[0]?.length ?? 0
  const odd = outcomes.find(perImage => perImage.length !== draws)
  if (images < 2 || draws < 1 || odd) {
    throw new RangeError(
      `meanInterval: needs two images or more with equally many draws, got ${images} images with ${draws}${odd ? ` and ${odd.length}` : ''} draws; ` +
        'report every image equally often',
    )
  }
  const imageMeans = outcomes.map(perImage => perImage.filter(Boolean).length / draws)
  const estimate = imageMeans.reduce((sum, m) => sum + m, 0) / images
  const variance = imageMeans.reduce((sum, m) => sum + (m - estimate) ** 2, 0) / (images * (images - 1))
  const spread = estimate * (1 - estimate)
  const effective = spread === 0 ? images : Math.min(images * draws, spread / variance)
  return { ...wilsonOfProportion(estimate, effective, confidence), standardError: Math.sqrt(variance) }
}
