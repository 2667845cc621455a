import { createGpu } from '../../core/backends/gpu/gpu.ts'
import type { OpenWebgpu } from '../../core/backends/gpu/webgpu/open.ts'
import { candidateTiles, type Extent, fits, paddedResults, type Tile, tileName, usualTile } from '../../core/backends/gpu/wgsl/tile.ts'
import { type Level, type ProductKind, productKinds, type Tuning, tunedTile } from '../../core/backends/gpu/wgsl/tuning.ts'
import { type Backend, sizeOf } from '../../core/index.ts'
import { conv2dInputGrad } from '../../core/ops/conv2dInputGrad.ts'
import { conv2dWeightGrad } from '../../core/ops/conv2dWeightGrad.ts'
import { convolutions, elapsed, gemm, gemms, makeInputs, patience, type Task } from './rates.ts'

const geometry = { stride: [1, 1], padding: [1, 1, 1, 1], groups: 1 } as const

const inputGrad = (forward: Task): Task => {
  const [image] = forward.inputs
  return {
    ...forward,
    name: `input gradient of ${forward.name}`,
    call: ([dy, w]) => conv2dInputGrad(dy!, w!, { ...geometry, inputShape: image! }),
  }
}

const weightGrad = (forward: Task): Task => {
  const [image, weights] = forward.inputs
  return {
    ...forward,
    name: `weight gradient of ${forward.name}`,
    inputs: [image!, image!],
    call: ([x, dy]) => conv2dWeightGrad(x!, dy!, { ...geometry, weightShape: weights! }),
  }
}

/** What is timed for each kind of product, smallest first. */
export const trials: Readonly<Record<ProductKind, readonly Task[]>> = {
  gemm: gemms,
  skinny: [gemm(512, 8), gemm(4096, 16)],
  conv2d: convolutions,
  conv2dInputGrad: convolutions.map(inputGrad),
  conv2dWeightGrad: convolutions.map(weightGrad),
}

/** What the tuner found at the largest size of a kind. */
export interface Choice {
  readonly kind: ProductKind
  readonly task: string
  readonly tile: string
  readonly usual: string
  /** Time with the usual tile divided by time with the chosen one. */
  readonly gain: number
}

/** A backend that computes with the tile that `setTile` was given last. */
interface Bench {
  readonly backend: Backend
  readonly setTile: (tile: Tile | undefined) => void
  /** The last product that was asked for. */
  readonly seen: () => { readonly kind: ProductKind; readonly extent: Extent }
}

const createBench = async (): Promise<Bench> => {
  let current: Tile | undefined
  let seen: ReturnType<Bench['seen']> | undefined
  const tileFor = (kind: ProductKind, extent: Extent) => {
    seen = { kind, extent }
    return current
  }
  const backend = await createGpu('webgpu', { abilities: { tileFor } })
  return { backend, setTile: tile => (current = tile), seen: () => seen! }
}

/** Milliseconds of dispatches that are timed together, so that the read at their end counts little, and most of them. */
const [batchMilliseconds, mostCalls] = [20, 16]
const rounds = 4

/** Least time of a call with each tile, in rounds of all tiles after one that builds them. */
const timeTiles = async (task: Task, tiles: readonly Tile[], { backend, setTile }: Bench): Promise<Map<Tile, number>> => {
  const inputs = makeInputs(task, backend)
  setTile(undefined)
  await elapsed(() => task.call(inputs))
  const calls = Math.min(mostCalls, Math.ceil(batchMilliseconds / (await elapsed(() => task.call(inputs)))))
  const batch = () => {
    for (let i = 1; i < calls; i++) task.call(inputs)
    return task.call(inputs)
  }
  const least = new Map<Tile, number>()
  for (let round = 0; round <= rounds; round++) {
    for (const tile of tiles) {
      setTile(tile)
      const time = (await elapsed(batch)) / calls
      if (round > 0) least.set(tile, Math.min(time, least.get(tile) ?? Infinity))
    }
  }
  for (const input of inputs) input.dispose()
  return least
}

export interface Tuned {
  readonly tuning: Tuning
  readonly choices: readonly Choice[]
}

export interface TuneOptions {
  readonly tasks?: Partial<typeof trials>
  /** Those that the device's limits allow are timed; the usual ones must be among them. */
  readonly candidates?: readonly Tile[]
}

/** Measures candidate tiles for each kind of product at the sizes that do not take long. */
export const tune = async ({ device }: OpenWebgpu, { tasks = trials, candidates = candidateTiles }: TuneOptions = {}): Promise<Tuned> => {
  const tiles = candidates.filter(tile => fits(tile, device.limits))
  const bench = await createBench()
  const tuning: Partial<Record<ProductKind, Level[]>> = {}
  const choices: Choice[] = []
  for (const kind of productKinds) {
    const levels: Level[] = []
    let times = new Map<Tile, number>()
    let timed: Task | undefined
    for (const task of tasks[kind] ?? []) {
      if (timed && (Math.max(...times.values()) * task.work) / timed.work > patience) break
      times = await timeTiles(task, tiles, bench)
      timed = task
      const { extent } = bench.seen()
      const costs = [...times].map(([tile, time]) => [tileName(tile), time / paddedResults(extent, tile)] as const)
      levels.push({ results: sizeOf([extent.batches, extent.m, extent.n]), costs: Object.fromEntries(costs) })
    }
    if (!timed) continue
    tuning[kind] = levels
    const { extent } = bench.seen()
    const [tile, usual] = [tunedTile(tuning, kind, extent)!, usualTile(extent)]
    choices.push({
      kind,
      task: timed.name,
      tile: tileName(tile),
      usual: tileName(usual),
      gain: times.get(usual)! / times.get(tile)!,
    })
  }
  return { tuning, choices }
}
