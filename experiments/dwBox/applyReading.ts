import { readings } from '../quirks/readings.ts'
import type { AuditOptions } from './options.ts'

/**
 * What a reading decides of a run's options: on how many draws images are judged, and EoT in DW_Fwd. Its timesteps are those of the
 * purifier's process (process.ts), and its training options those of `npm run quirks`. Without a reading nothing changes.
 */
export const applyReading = (o: AuditOptions): AuditOptions & { forwardEotSamples?: number } => {
  if (!o.reading) return o
  const { reportDraws, forwardEot } = readings[o.reading]
  return { ...o, reportDraws, ...(forwardEot === 'one' && { forwardEotSamples: 1 }) }
}
