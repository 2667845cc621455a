import type { ExactnessCertificate, SignalCertificate } from '../../calibration/certificates.ts'
import { percent, type Section, verdictCell } from '../section.ts'

const count = (value: number): string => (Number.isFinite(value) ? String(value) : 'no signal')

/** Whether the gradients that attacks climb are right, and how much of them is signal. */
export const certificatesSection = (exact: readonly ExactnessCertificate[], signal: readonly SignalCertificate[]): Section => ({
  id: 'gradients',
  title: 'Gradient certificates',
  lead: [
    'Of the shipped digits purifier under every reverse process, measured anew for this page.',
    'Exactness: the gradient of the loss of one test image through two reverse steps in float64 against a central difference along a random direction, and again with every step recomputed.',
    'Signal: gradients of 8 test images in 8 worlds, five reverse steps. Signal to noise is the length of the mean gradient over the deviation of one draw; the samples beside it make them equal, and the signal twice the noise.',
  ],
  tables: [
    {
      caption: 'Exactness',
      columns: ['Process', 'Relative error', 'Checkpointed = plain', ''],
      rows: exact.map(({ process, relativeError, checkpointedIsBitwise, passed }) => [
        process,
        relativeError.toExponential(1),
        checkpointedIsBitwise ? 'bitwise' : 'not bitwise',
        verdictCell(passed),
      ]),
    },
    {
      caption: 'What the attacker sees',
      columns: ['Process', 'Saturated output', 'Gradient zeros', 'Signal to noise', 'EoT for 1, for 2', 'Cosine White, DW_Both'],
      rows: signal.map(s => [
        s.process,
        percent(s.saturated),
        percent(s.zeros),
        s.signalToNoise.toFixed(2),
        `${count(s.samplesForOne)}, ${count(s.samplesForTwo)}`,
        s.cosineWithLocked.toFixed(2),
      ]),
    },
  ],
})
