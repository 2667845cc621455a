import { type Backend, capture, dispose, ops, type Tensor, tensor, tidy } from '../../core/index.ts'
import { median } from '../bench/statistics.ts'

/** Microseconds of the host's time: JavaScript, the driver's encoding and its submission. */
export interface HostTime {
  readonly perReplayedKernel: number
  readonly perCalledOp: number
}

/** Kernels of the step, small enough that the device is never waited for. */
const kernels = 400
const rounds = 15

/** A chain that does not fuse. */
const step = ([x]: readonly Tensor[]): readonly [Tensor] => {
  let y = x!
  for (let i = 0; i < kernels; i++) y = ops.softmax(y)
  return [y]
}

/**
 * Microseconds until a step is submitted, per kernel: run, encoding and submission follow each other without a turn of the event
 * loop, and what the device takes for it comes after.
 */
const untilSubmitted = async (run: () => readonly Tensor[]): Promise<number> => {
  const start = performance.now()
  const results = run()
  const read = results[0]!.data()
  await new Promise(setImmediate)
  const elapsed = performance.now() - start
  await read
  dispose([...results])
  return (1000 * elapsed) / kernels
}

/** What a kernel costs the host when its step is replayed, and when the op is called. Undefined where steps are not recorded. */
export const measureHostTime = async (backend: Backend): Promise<HostTime | undefined> => {
  if (!backend.capture) return undefined
  const x = tensor(new Float32Array(16), [4, 4], { backend })
  const captured = await capture(backend, step, [x])
  const [replayed, called]: [number[], number[]] = [[], []]
  for (let round = 0; round <= rounds; round++) {
    replayed.push(await untilSubmitted(() => captured.run([x])))
    called.push(await untilSubmitted(() => tidy(() => step([x]))))
  }
  captured.dispose()
  x.dispose()
  // The first round compiles.
  return { perReplayedKernel: median(replayed.slice(1)), perCalledOp: median(called.slice(1)) }
}
