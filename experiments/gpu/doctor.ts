import { type ComputedBy, createGpu } from '../../core/backends/gpu/gpu.ts'
import { chooseMode, type GpuMode, gpuModes, missingMode } from '../../core/backends/gpu/modes.ts'
import { type OpenWebgpu, openWebgpu } from '../../core/backends/gpu/webgpu/open.ts'
import { readTuning, tuningPath, writeTuning } from '../../core/backends/gpu/webgpu/tuningFile.ts'
import { oneLine } from '../../core/io/fileError.ts'
import { checkOps, type OpCheck } from './checkOps.ts'
import { type HostTime, measureHostTime } from './hostTime.ts'
import { type Peak, peakOf } from './peaks.ts'
import { measureRates, type Rate } from './rates.ts'
import { type Choice, type Tuned, tune } from './tune.ts'

/** The device of a mode that has one. */
export interface AdapterReport {
  readonly adapter: string
  readonly driver: string
  readonly software: boolean
  readonly features: readonly string[]
  readonly limits: Readonly<Record<string, number>>
  /** What the card can do at most, where it is known. */
  readonly peak?: Peak
  readonly tiles: TilesReport
}

/** How the tiles of matrix products and convolutions are chosen. */
export interface TilesReport {
  /** The file with what was measured, now or before. Absent: they are chosen by size alone. */
  readonly path?: string
  /** What was measured now. */
  readonly choices: readonly Choice[]
  /** Why nothing was measured, or not kept. */
  readonly failure?: string
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
      readonly host?: HostTime
    }

export interface DoctorReport {
  /** The mode that `--backend gpu` takes. */
  readonly best: GpuMode
  readonly modes: readonly ModeReport[]
  /** Whether every op is right on every mode that is present. */
  readonly ok: boolean
}

/** Measures and keeps tiles. What fails is told and not thrown: nobody needs tiles, and the checks of the ops are still to come. */
export const measureTiles = async (adapter: OpenWebgpu['info'], measure: () => Promise<Tuned>): Promise<TilesReport> => {
  let choices: readonly Choice[] = []
  try {
    const tuned = await measure()
    choices = tuned.choices
    return { path: writeTuning(adapter, tuned.tuning), choices }
  } catch (error) {
    return { choices, failure: oneLine(String((error as Error)?.message ?? error)) }
  }
}

/** Measures tiles, if that is wanted; else looks for what was measured before. */
const chooseTiles = async (opened: OpenWebgpu, measured: boolean): Promise<TilesReport> => {
  if (measured) return measureTiles(opened.info, () => tune(opened))
  return { ...(readTuning(opened.info) && { path: tuningPath(opened.info) }), choices: [] }
}

const describeAdapter = async (mode: GpuMode, { quick, tiles }: Effort): Promise<AdapterReport | undefined> => {
  const opened = mode === 'webgpu' ? await openWebgpu() : undefined
  if (!opened) return undefined
  const { adapter, driver, software, features, limits } = opened
  const peak = peakOf(adapter)
  const chosen = await chooseTiles(opened, tiles || !(quick || software))
  return { adapter, driver, software, features, limits, ...(peak && { peak }), tiles: chosen }
}

export interface DoctorOptions {
  /** Default: all modes. */
  readonly modes?: readonly GpuMode[]
  /** One case per op instead of six, no rates, and no tiles. Default false. */
  readonly quick?: boolean
  /** Measures tiles in any case. Default: unless quick, or on an adapter that computes on the processor, which builds kernels slowly. */
  readonly tiles?: boolean
}

/** What is measured of a mode. */
type Effort = Required<Pick<DoctorOptions, 'quick' | 'tiles'>>

/** The checks of a mode's ops, with what has computed each. */
const checkMode = async (
  mode: GpuMode,
  quick: boolean,
): Promise<Pick<Extract<ModeReport, { present: true }>, 'ops' | 'rates' | 'host'>> => {
  const computed = new Map<string, Set<ComputedBy>>()
  const backend = await createGpu(mode, {
    onComputed(op, by) {
      const all = computed.get(op) ?? new Set()
      computed.set(op, all.add(by))
    },
  })
  const checks = await checkOps(backend, quick ? { cases: 1 } : {})
  const ops = checks.map(check => ({ ...check, by: [...(computed.get(check.op) ?? [])] }))
  const host = quick ? undefined : await measureHostTime(backend)
  return { ops, ...(host && { host }), rates: quick ? [] : await measureRates(backend) }
}

const examine = async (mode: GpuMode, options: Effort): Promise<ModeReport> => {
  const missing = await missingMode(mode)
  if (missing) return { mode, present: false, missing: `${missing.what}; ${missing.remedy}` }
  const adapter = await describeAdapter(mode, options)
  return { mode, present: true, ...(adapter && { adapter }), ...(await checkMode(mode, options.quick)) }
}

/** Looks at each mode: what it needs when it is missing, else whether its ops are right, what computes them and how fast they are. */
export const doctor = async ({ modes = gpuModes, quick = false, tiles = false }: DoctorOptions = {}): Promise<DoctorReport> => {
  const reports: ModeReport[] = []
  for (const mode of modes) reports.push(await examine(mode, { quick, tiles }))
  return {
    best: await chooseMode('best'),
    modes: reports,
    ok: reports.every(report => !report.present || report.ops.every(check => check.ok)),
  }
}

/** `41 by WGSL; 2 by gpu.js: pad, slice`: ops are named where the rest is not the rule. */
const byLine = (ops: readonly OpCheck[]): string[] => {
  const groups = (['WGSL', 'gpu.js', 'definition'] as const)
    .map(by => ({ by, names: ops.filter(check => check.by?.includes(by)).map(({ op }) => op) }))
    .filter(({ names }) => names.length > 0)
  const most = Math.max(...groups.map(({ names }) => names.length))
  const parts = groups.map(({ by, names }) => `${names.length} by ${by}${names.length === most ? '' : `: ${names.join(', ')}`}`)
  return parts.length > 0 ? [`  computed ${parts.join('; ')}`] : []
}

const opLines = (ops: readonly OpCheck[]): string[] => {
  const wrong = ops.filter(check => !check.ok)
  const worst = ops.reduce((a, b) => (b.error > a.error ? b : a))
  return [
    `  ops      ${ops.length - wrong.length} of ${ops.length} as on the reference, largest error ${worst.error.toExponential(1)} (${worst.op})`,
    ...byLine(ops),
    ...wrong.map(({ op, error, failure }) => `  WRONG    ${op}: ${failure ?? `error ${error.toExponential(1)}`}`),
  ]
}

const tilesLine = ({ path, failure }: TilesReport): string => {
  if (failure !== undefined) return `  tiles    FAILED to be measured and kept: ${failure}`
  return `  tiles    ${path === undefined ? 'by size: nothing was measured, which npm run gpu:doctor -- --tiles does' : `as measured: ${path}`}`
}

const tileLines = (tiles: TilesReport): string[] => [
  tilesLine(tiles),
  ...tiles.choices.map(({ kind, task, tile, usual, gain }) => {
    const against = tile === usual ? 'as without measuring' : `${gain.toFixed(2)} times as fast as ${usual}`
    return `  tile     ${kind}, ${task}: ${tile}, ${against}`
  }),
]

const halfLine = (features: readonly string[]): string =>
  features.includes('shader-f16') ? 'f16 operands of products with --backend gpu:webgpu:half' : 'not present: the adapter has no shader-f16'

const adapterLines = ({ adapter, driver, software, features, limits, tiles }: AdapterReport): string[] => [
  `  adapter  ${adapter}${software ? ' (software: computes on the processor)' : ''}`,
  `  driver   ${driver}`,
  `  features ${features.join(', ') || 'none beyond the standard'}`,
  ...Object.entries(limits).map(([name, value]) => `  limit    ${name} ${value}`),
  ...tileLines(tiles),
  `  half     ${halfLine(features)}`,
  `  sums     of workgroups ${features.includes('subgroups') ? 'by subgroups' : 'in workgroup memory: the adapter has no subgroups'}`,
]

const peakPer = (unit: Rate['unit'], peak: Peak | undefined): number | undefined =>
  unit === 'GFLOP/s' ? peak?.gflops : unit === 'GB/s' ? peak?.bandwidth : undefined

const rateLine = ({ name, milliseconds, perSecond, unit }: Rate, peak?: Peak): string => {
  const most = peakPer(unit, peak)
  const share = most === undefined ? '' : `, ${((100 * perSecond) / most).toPrecision(2)} % of the card's ${most}`
  return `  rate     ${name}: ${milliseconds.toFixed(1)} ms, ${perSecond.toPrecision(3)} ${unit}${share}`
}

const hostLine = ({ perReplayedKernel, perCalledOp }: HostTime): string =>
  `  host     ${perReplayedKernel.toFixed(1)} us per kernel of a replayed step, ${perCalledOp.toFixed(1)} us per op called`

/** The report for a terminal. */
export const formatDoctor = ({ best, modes }: DoctorReport): string =>
  [
    ...modes.flatMap(report =>
      report.present
        ? [
            `gpu:${report.mode}  present`,
            ...(report.adapter ? adapterLines(report.adapter) : []),
            ...opLines(report.ops),
            ...(report.host ? [hostLine(report.host)] : []),
            ...report.rates.map(rate => rateLine(rate, report.adapter?.peak)),
          ]
        : [`gpu:${report.mode}  missing`, `  ${report.missing}`],
    ),
    `--backend gpu takes gpu:${best}`,
  ].join('\n')
