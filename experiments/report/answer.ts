import type { AuditResults, Verdict } from '../dwBox/results.ts'
import { percent } from './format.ts'

export const QUESTION = 'Is diffusion-based purification robust because it is random?'

const CONCLUSION: Readonly<Record<Verdict['outcome'], string>> = {
  shown: 'Yes, in this run',
  'not shown': 'This run does not show it',
  contradicted: 'No, not in this run',
}

/** The run's answer to the question in one sentence: the verdict on claim 1 and the two accuracies behind it. */
export const answerOf = ({ rows, verdicts }: Pick<AuditResults, 'rows' | 'verdicts'>): string => {
  const verdict = verdicts.find(({ claim }) => claim.startsWith('claim-1'))
  for (const { variation, label, settings } of rows) {
    const white = settings.find(({ setting }) => setting === 'White')
    const both = settings.find(({ setting }) => setting === 'DW_Both')
    if (variation !== '' || !white || !both) continue
    return (
      `${verdict ? CONCLUSION[verdict.outcome] : 'No verdict'}: ${label} classifies ${percent(white.robust.mean)} % of the attacked images ` +
      `correctly when the attacker has to guess the noise, and ${percent(both.robust.mean)} % when the attacker knows it.`
    )
  }
  return 'This run gives no answer: no defence of the default table was attacked both in White and in DW_Both.'
}
