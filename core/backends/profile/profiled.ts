import { formatShape, type Shape, sizeOf } from '../../shape.ts'
import { isPullingBack } from '../../tape.ts'
import type { Backend, DType, HostValues, Operand, Storage } from '../backend.ts'
import { flopsOf } from './flops.ts'
import type { Phase, Recorder } from './profile.ts'

const bytesPer: Record<DType, number> = { float32: 4, float64: 8, int32: 4 }

const bytesOf = ({ storage, shape }: Operand): number => bytesPer[storage.dtype] * sizeOf(shape)

const totalBytes = (operands: readonly Operand[]): number => operands.reduce((sum, operand) => sum + bytesOf(operand), 0)

/** What the pass of a deferred array, seen in this shape, reads and writes. */
const bytesOfPass = ({ leaves, results }: NonNullable<Storage['deferred']>, shape: Shape): number =>
  totalBytes([...leaves, ...results.map(storage => ({ storage, shape }))])

/** Name of the passes in which deferred elementwise ops are computed together. */
export const FUSED = 'elementwise, fused'

/**
 * The backend with a clock around every call. Where elementwise ops are deferred, those are counted when they are called
 * and their time when they are computed, under a row of its own; that is settled first, so that no other op is charged for it.
 * Time spent in freeing, uploading and reading is recorded as `memory`.
 *
 * Throws when the backend is asynchronous: there, a call returns before its work is done.
 */
export const profiled = (backend: Backend, recorder: Recorder): Backend => {
  if (!backend.readSync) throw new Error(`profile: backend "${backend.name}" is asynchronous; choose cpu or reference`)
  const readSync = (storage: Storage, size: number): HostValues => backend.readSync!(storage, size)
  const phaseNow = (): Phase => (isPullingBack() ? 'gradient' : 'forward')
  const now = (): number => 1000 * (performance.timeOrigin + performance.now())

  /** Computes what still waits, on its own account. */
  const settle = ({ storage, shape }: Operand): boolean => {
    const { deferred } = storage
    if (!deferred || !backend.settle) return false
    const start = now()
    backend.settle(storage)
    backend.finish?.()
    const duration = now() - start
    const bytes = bytesOfPass(deferred, shape)
    recorder.record({ name: FUSED, phase: phaseNow(), start, duration, detail: formatShape(shape), flops: 0, bytes, calls: 1 })
    return true
  }

  const moving = <T>(name: string, bytes: number, body: () => T): T => {
    const start = now()
    const result = body()
    recorder.record({ name, phase: 'memory', start, duration: now() - start, detail: '', flops: 0, bytes, calls: 1 })
    return result
  }

  const read = (storage: Storage, size: number): HostValues => {
    settle({ storage, shape: [size] })
    return moving('read', bytesPer[storage.dtype] * size, () => readSync(storage, size))
  }

  const run: Backend['run'] = (op, inputs, attributes, shape, dtype) => {
    const isElementwise = op.kernel === 'elementwise'
    if (!isElementwise) for (const input of inputs) settle(input)
    const waiting = inputs
      .filter(({ storage }) => storage.deferred)
      .map(input => ({ input, bytes: bytesOfPass(input.storage.deferred!, input.shape) }))
    const start = now()
    const storage = backend.run(op, inputs, attributes, shape, dtype)
    backend.finish?.()
    const duration = now() - start
    const settled = waiting.filter(({ input }) => !input.storage.deferred)
    const output = { storage, shape }
    const common = {
      phase: phaseNow(),
      start,
      detail: `${inputs.map(input => formatShape(input.shape)).join(' ')} -> ${formatShape(shape)}`,
    }
    const name = isElementwise ? 'elementwise' : op.name
    const flops = flopsOf({ op, inputs: inputs.map(input => input.shape), attributes, output: shape })
    const bytes = storage.deferred ? 0 : totalBytes([...inputs, output])
    if (settled.length === 0) {
      recorder.record({ ...common, name, duration, flops, bytes, calls: 1 })
      return storage
    }
    // An operand that cannot be taken in was computed within the call, which is nearly all of its time.
    const moved = settled.reduce((sum, pass) => sum + pass.bytes, 0)
    recorder.record({ ...common, name: FUSED, duration, flops: 0, bytes: moved, calls: settled.length })
    recorder.record({ ...common, name, duration: 0, flops, bytes, calls: 1 })
    return storage
  }

  const runAll: Backend['runAll'] =
    backend.runAll &&
    ((name, inputs, attributes, shape) => {
      for (const input of inputs) settle(input)
      const start = now()
      const storages = backend.runAll!(name, inputs, attributes, shape)
      backend.finish?.()
      const duration = now() - start
      if (!storages) return undefined
      const call = { op: { name: 'elementwise' }, inputs: inputs.map(input => input.shape), output: shape }
      const { params } = attributes
      const flops = attributes.exprs.reduce((sum, expr) => sum + flopsOf({ ...call, attributes: { expr, params } }), 0)
      const bytes = storages[0]!.deferred ? 0 : totalBytes([...inputs, ...storages.map(storage => ({ storage, shape }))])
      recorder.record({ name: 'elementwise', phase: phaseNow(), start, duration, detail: formatShape(shape), flops, bytes, calls: 1 })
      return storages
    })

  return Object.assign(Object.create(backend) as Backend, {
    name: backend.name,
    floatType: backend.floatType,
    run,
    ...(runAll && { runAll }),
    upload: (values: ArrayLike<number>, dtype: DType) =>
      moving('upload', bytesPer[dtype] * values.length, () => backend.upload(values, dtype)),
    free: (storage: Storage) => moving('free', 0, () => backend.free(storage)),
    read: async (storage: Storage, size: number) => read(storage, size),
    readSync: read,
  })
}
