import { chooseMode, type GpuMode, gpuModes, missingMode } from '../../core/backends/gpu/modes.ts'
import { openWebgpu } from '../../core/backends/gpu/webgpu/open.ts'
import { loadBackend } from '../../core/index.ts'
import { checkOps, type OpCheck } from './checkOps.ts'
import { type Peak, peakOf } from './peaks.ts'
import { measureRates, type Rate } from './rates.ts'

/** The device of a mode that has one. */
export interface AdapterReport {
  readonly adapter: string
  readonly driver: string
  readonly software: boolean
  readonly features: readonly string[]
  readonly limits: Readonly<Record<string, number>>
  /** What the card can do at most, where it is known. */
  readonly peak?: Peak
}

/** What one mode of the gpu backend offers on this machine. */
export type ModeReport =
  | { readonly mode: GpuMode; readonly present: false; readonly missing: string }
  | {
      readonly mode: GpuMode
      readonly present: true
      readonly adapter?: AdapterReport
      readonly ops: readonly OpCheck[]
      readonly rates: readonly Rate[]
    }

export interface DoctorReport {
  /** The mode that `--backend gpu` takes. */
  readonly best: GpuMode
  readonly modes: readonly ModeReport[]
  /** Whether every op is right on every mode that is present. */
  readonly ok: boolean
}

const describeAdapter = async (mode: GpuMode): Promise<AdapterReport | undefined> => {
  const opened = mode === 'webgpu' ? await openWebgpu() : undefined
  if (!opened) return undefined
  const { adapter, driver, software, features, limits } = opened
  const peak = peakOf(adapter)
  return { adapter, driver, software, features, limits, ...(peak && { peak }) }
}

const examine = async (mode: GpuMode): Promise<ModeReport> => {
  const missing = await missingMode(mode)
  if (missing) return { mode, present: false, missing: `${missing.what}; ${missing.remedy}` }
  const backend = await loadBackend(`gpu:${mode}`)
  const adapter = await describeAdapter(mode)
  return { mode, present: true, ...(adapter && { adapter }), ops: await checkOps(backend), rates: await measureRates(backend) }
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

const adapterLines = ({ adapter, driver, software, features, limits }: AdapterReport): string[] => [
  `  adapter  ${adapter}${software ? ' (software: computes on the processor)' : ''}`,
  `  driver   ${driver}`,
  `  features ${features.join(', ') || 'none beyond the standard'}`,
  ...Object.entries(limits).map(([name, value]) => `  limit    ${name} ${value}`),
]

const peakPer = (unit: Rate['unit'], peak: Peak | undefined): number | undefined =>
  unit === 'GFLOP/s' ? peak?.gflops : unit === 'GB/s' ? peak?.bandwidth : undefined

const rateLine = ({ name, milliseconds, perSecond, unit }: Rate, peak?: Peak): string => {
  const most = peakPer(unit, peak)
  const share = most === undefined ? '' : `, ${((100 * perSecond) / most).toPrecision(2)} % of the card's ${most}`
  return `  rate     ${name}: ${milliseconds.toFixed(1)} ms, ${perSecond.toPrecision(3)} ${unit}${share}`
}

/** The report for a terminal. */
export const formatDoctor = ({ best, modes }: DoctorReport): string =>
  [
    ...modes.flatMap(report =>
      report.present
        ? [
            `gpu:${report.mode}  present`,
            ...(report.adapter ? adapterLines(report.adapter) : []),
            ...opLines(report.ops),
            ...report.rates.map(rate => rateLine(rate, report.adapter?.peak)),
          ]
        : [`gpu:${report.mode}  missing`, `  ${report.missing}`],
    ),
    `--backend gpu takes gpu:${best}`,
  ].join('\n')
