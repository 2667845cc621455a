import type { Calibration } from '../../calibration/calibrate.ts'
import type { MaskingCheck } from '../../calibration/maskingChecks.ts'
import { percent, type Section, verdictCell } from '../section.ts'

const expectation = { exact: 'exactly that', unbiased: 'that, within 99.99 %', tooLow: 'too low: the protocol is biased' }

/** The evaluator tried on defences of known robustness, and the red flags on defences that hide their gradient. */
export const calibrationSection = (rows: readonly Calibration[], masking: readonly MaskingCheck[]): Section => ({
  id: 'calibration',
  title: 'Evaluator calibration',
  lead: [
    'Measured anew for this page: defences whose robust accuracy is known, judged by the code that judges purifiers.',
    'The published protocols stand beside ours and must print too little; were they right, the coin could not tell them apart.',
  ],
  tables: [
    {
      caption: 'Defences of known robustness',
      columns: ['Defence', 'Evaluator', 'True', 'Measured', 'Expected', ''],
      rows: rows.map(({ name, evaluator, truth, measured: m, expected, passed }) => [
        name,
        evaluator,
        percent(truth),
        expected === 'exact' ? percent(m.mean) : `${percent(m.mean)} [${percent(m.low)}, ${percent(m.high)}], n = ${m.trials}`,
        expectation[expected],
        verdictCell(passed),
      ]),
    },
    {
      caption: 'Red flags: three equally fragile defences, two of which hide their gradient',
      columns: ['Defence', 'Under PGD', 'Under Square', 'Whole box', 'Gradient zeros', 'Flags', ''],
      rows: masking.map(({ name, evidence: e, flags, passed }) => [
        name,
        percent(e.gradientAttack.robust / e.gradientAttack.images),
        (e.otherAttacks ?? []).map(({ robust, images }) => percent(robust / images)).join(', '),
        e.unbounded ? percent(e.unbounded.robust / e.unbounded.images) : 'not measured',
        percent(e.zeroGradientShare ?? 0),
        flags.map(flag => flag.name).join(', ') || 'none',
        verdictCell(passed, flags.length > 0 ? ['flagged', 'false alarm'] : ['quiet', 'missed']),
      ]),
    },
  ],
})
