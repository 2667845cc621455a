import { useBackend } from '../../../core/index.ts'
import { calibrate } from '../../calibration/calibrate.ts'
import { certifyExactness, certifySignal } from '../../calibration/certificates.ts'
import { checkMasking } from '../../calibration/maskingChecks.ts'
import { lineOfSymbol, type SourceFile } from '../paperTags.ts'
import type { Section } from '../section.ts'
import { lastRun, mutationResults, quirkResults } from '../storedResults.ts'
import { calibrationSection } from './calibration.ts'
import { certificatesSection } from './certificates.ts'
import { killTableSection } from './killTable.ts'
import { quirksSection } from './quirks.ts'
import { tableLintsSection } from './tableLints.ts'

/** A section with what it found wrong, one line each. */
export interface Findings {
  readonly sections: readonly Section[]
  readonly problems: readonly string[]
}

/** `file#symbol` as a link to its line. */
const linkIn =
  (sources: readonly SourceFile[]) =>
  (reference: string): string => {
    const [path, symbol] = reference.split('#') as [string, string]
    const line = lineOfSymbol(sources.find(source => source.path === path)?.text ?? '', symbol)
    return line === undefined ? path : `${path}#L${line}`
  }

/** Everything of the audit beside the claims: calibration and gradients measured now, the rest from the results in `runs`. */
export const auditSections = async ({ runs, sources }: { runs: string; sources: readonly SourceFile[] }): Promise<Findings> => {
  const stored = { run: lastRun(runs), quirks: quirkResults(runs), kills: mutationResults(runs) }
  await useBackend('cpu')
  const calibration = await calibrate()
  const masking = await checkMasking()
  const signal = await certifySignal()
  await useBackend('reference')
  const exact = await certifyExactness()
  return {
    sections: [
      calibrationSection(calibration, masking),
      certificatesSection(exact, signal),
      tableLintsSection(stored.run),
      quirksSection(stored.quirks, linkIn(sources)),
      killTableSection(stored.kills),
    ],
    problems: [
      ...calibration.filter(({ passed }) => !passed).map(({ name }) => `calibration: ${name}: the evaluator is off; see the table`),
      ...masking.filter(({ passed }) => !passed).map(({ name }) => `calibration: ${name}: red flags are wrong; see the table`),
      ...exact.filter(({ passed }) => !passed).map(({ process }) => `gradients: ${process}: the gradient is not exact; see the table`),
    ],
  }
}
