import { grid } from '../report/grid.ts'
import type { Cost } from './cost.ts'
import type { QualityRow } from './quality.ts'

const HEADING = ['images', 'FID features', 'FID pixels', 'IS', 'l_2', 'l_inf', 'PSNR dB', 'SSIM']

/** The sets of images, and beneath them what purification costs. */
export const formatQuality = (rows: readonly QualityRow[], costs: readonly Cost[]): string => {
  const quality = rows.map(({ kind, model, fidFeatures, fidPixels, inceptionScore, distance: d }) => [
    model === null ? 'test digits' : `${kind}, ${model}`,
    fidFeatures.toFixed(3),
    fidPixels.toFixed(3),
    inceptionScore.toFixed(3),
    ...(d ? [d.l2.toFixed(3), d.linf.toFixed(3), d.psnr.toFixed(2), d.ssim.toFixed(3)] : ['–', '–', '–', '–']),
  ])
  const cost = costs.map(({ process, evaluations, flops, cpuSeconds }) => [
    process,
    String(evaluations),
    (flops / 1e6).toFixed(1),
    (1e3 * cpuSeconds).toFixed(2),
  ])
  return `${grid([HEADING, ...quality])}\n${grid([['purification of one image', 'NFE', 'MFLOP', 'CPU ms'], ...cost])}`
}
