import { readings } from '../quirks/readings.ts'
import type { AuditOptions } from './options.ts'

/**
 * The options with the EoT samples that a reading gives DW_Fwd. Its report draws are a default of the options (options.ts), its
 * timesteps those of the purifier's process (process.ts), its training options those of `npm run quirks`. Without a reading nothing
 * changes.
 */
export const applyReading = (o: AuditOptions): AuditOptions & { readonly forwardEotSamples?: number } =>
  o.reading && readings[o.reading].forwardEot === 'one' ? { ...o, forwardEotSamples: 1 } : o
