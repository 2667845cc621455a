import { chooseMode, type GpuMode, gpuModes, missingMode } from '../../core/backends/gpu/modes.ts'
import { loadBackend } from '../../core/index.ts'
import { checkOps, type OpCheck } from './checkOps.ts'
import { measureRates, type Rate } from './rates.ts'

/** What one mode of the gpu backend offers on this machine. */
export type ModeReport =
  | { readonly mode: GpuMode; readonly present: false; readonly missing: string }
  | { readonly mode: GpuMode; readonly present: true; readonly ops: readonly OpCheck[]; readonly rates: readonly Rate[] }

export interface DoctorReport {
  /** The mode that `--backend gpu` takes. */
  readonly best: GpuMode
  readonly modes: readonly ModeReport[]
  /** Whether every op is right on every mode that is present. */
  readonly ok: boolean
}

const examine = async (mode: GpuMode): Promise<ModeReport> => {
  const missing = await missingMode(mode)
  if (missing) return { mode, present: false, missing: `${missing.what}; ${missing.remedy}` }
  const backend = await loadBackend(`gpu:${mode}`)
  return { mode, present: true, ops: await checkOps(backend), rates: await measureRates(backend) }
}

/** Looks at each mode: what it needs when it is missing, else whether its ops are right and how fast they are. */
export const doctor = async (modes: readonly GpuMode[] = gpuModes): Promise<DoctorReport> => {
  const reports: ModeReport[] = []
  for (const mode of modes) reports.push(await examine(mode))
  return {
    best: await chooseMode('best'),
    modes: reports,
    ok: reports.every(report => !report.present || report.ops.every(check => check.ok)),
  }
}

const opLines = (ops: readonly OpCheck[]): string[] => {
  const wrong = ops.filter(check => !check.ok)
  const worst = ops.reduce((a, b) => (b.error > a.error ? b : a))
  return [
    `  ops      ${ops.length - wrong.length} of ${ops.length} as on the reference, largest error ${worst.error.toExponential(1)} (${worst.op})`,
    ...wrong.map(({ op, error, failure }) => `  WRONG    ${op}: ${failure ?? `error ${error.toExponential(1)}`}`),
  ]
}

const rateLine = ({ name, milliseconds, perSecond, unit }: Rate): string =>
  `  rate     ${name}: ${milliseconds.toFixed(1)} ms, ${perSecond.toPrecision(3)} ${unit}`

/** The report for a terminal. */
export const formatDoctor = ({ best, modes }: DoctorReport): string =>
  [
    ...modes.flatMap(report =>
      report.present
        ? [`gpu:${report.mode}  present`, ...opLines(report.ops), ...report.rates.map(rateLine)]
        : [`gpu:${report.mode}  missing`, `  ${report.missing}`],
    ),
    `--backend gpu takes gpu:${best}`,
  ].join('\n')
