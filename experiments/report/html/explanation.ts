import { SETTING_MEANING, SETTINGS } from '../settings.ts'
import { SETTING_COLOR } from './colors.ts'
import { html, type Markup } from './markup.ts'

/** What the columns mean. */
export const settingList = (): Markup =>
  html`<dl class="settings">${SETTINGS.map(
    setting =>
      html`<div style="--c:${SETTING_COLOR[setting]}"><dt><i class="swatch"></i>${setting}</dt><dd>${SETTING_MEANING[setting]}</dd></div>`,
  )}</dl>
<p class="note">A defence with a deterministic reverse process (DDIM) draws noise only once, when it noises the image. DW_Rev is then the same as White and DW_Fwd the
same as DW_Both; such cells repeat the number and say so.</p>`

/** How the numbers come about, for readers who are no statisticians. */
export const method = (): Markup => html`<div class="prose">
<p><b>Accuracy.</b> Every image is attacked once and then judged on several fresh draws of the defence's noise, which no attack step has seen (noise that the attacker
knows stays as it is). The accuracy is the share of right answers over all images and draws.</p>
<p><b>Interval.</b> The ranges are 95 % Wilson intervals: those true accuracies under which a result such as this one would not be unusual. They never leave 0 to 100 %.
The draws of one image are not independent, so they do not count as so many trials: the more alike the draws of an image turn out, the closer the number of trials
comes to the number of images.</p>
<p><b>EoT and its cosine.</b> Where noise stays random, the attacker averages the gradient over several samples of it (expectation over transformation, EoT).
The cosine compares the averages of two halves of the samples: near 1 the attacker sees a clear direction, near 0 the gradient is mostly noise.</p>
<p><b>Differences.</b> Two defences are compared on the same images, image by image, which removes the spread between easy and hard images. McNemar's test asks
whether the images that only one of them gets right could be split so unevenly by chance.</p></div>`
