import type { Accuracy } from '../../dwBox/results.ts'
import { percent, percentRange } from '../format.ts'
import { html, type Markup } from './markup.ts'

const at = (share: number): string => `${(100 * Math.min(1, Math.max(0, share))).toFixed(2)}%`

/** An accuracy on the axis from 0 to 100 %: a bar from end to end of its interval and a mark at the mean. */
export const intervalBar = ({ mean, low, high }: Accuracy, color: string): Markup =>
  html`<span class="track" style="--c:${color}" aria-hidden="true"><span class="span" style="left:${at(low)};right:${at(1 - high)}"></span><span class="mean" style="left:${at(mean)}"></span></span>`

export const accuracyText = (accuracy: Accuracy): Markup =>
  html`<b>${percent(accuracy.mean)}</b> <span class="range">${percentRange(accuracy)}</span>`

/** A difference with its interval on an axis from -limit to limit, with 0 in the middle. */
export const differenceBar = (
  { mean, low, high }: { readonly mean: number; readonly low: number; readonly high: number },
  limit: number,
): Markup => {
  const share = (value: number): number => 0.5 + value / (2 * limit)
  return html`<span class="track signed" style="--c:var(--ink)" aria-hidden="true"><span class="span" style="left:${at(share(low))};right:${at(1 - share(high))}"></span><span class="mean" style="left:${at(share(mean))}"></span></span>`
}
