import type { MemoryBudget } from '../../core/io/memoryBudget.ts'
import { containerGlobals } from '../../core/io/torch/containerGlobals.ts'
import type { PickleContext } from '../../core/io/torch/pickleMachine.ts'
import { InertRecord, isTuple, PickleGlobal, type PickleValue } from '../../core/io/torch/pickleValue.ts'

/** A pickled array of bytes. */
export interface ByteArray {
  readonly shape: readonly number[]
  readonly values: Uint8Array
}

const RECONSTRUCT = ['numpy.core.multiarray._reconstruct', 'numpy._core.multiarray._reconstruct']
const DTYPE = 'numpy.dtype'
const ARRAY = 'numpy.ndarray'

/** Pickles of containers, numbers and numpy arrays: arrays become inert data, every other class is refused by name. */
export const numpyContext = (budget: MemoryBudget): PickleContext => {
  const inert = (name: string): PickleGlobal => new PickleGlobal(name, args => new InertRecord(name, args))
  const known = new Map([...containerGlobals(budget), ...[...RECONSTRUCT, DTYPE, ARRAY].map(inert)].map(global => [global.name, global]))
  return {
    budget,
    findGlobal: (module, name) => {
      const global = known.get(`${module}.${name}`)
      if (!global)
        throw new RangeError(`it asks for ${JSON.stringify(`${module}.${name}`).slice(0, 200)}, which is no array, container or number`)
      return global
    },
    persistentLoad: () => {
      throw new RangeError('it refers to something outside the file')
    },
  }
}

const isWholeNumbers = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.every(item => Number.isSafeInteger(item) && item >= 0)

/** A `str` of Python 2 that happens to be UTF-8 was read as text. */
const bytesOf = (value: PickleValue | undefined): Uint8Array | null => {
  if (value instanceof Uint8Array) return value
  return typeof value === 'string' ? new TextEncoder().encode(value) : null
}

/**
 * The values of a pickled numpy array of unsigned bytes, row-major. Its state is (version, shape, dtype, Fortran order, data).
 * @throws RangeError when the value is no such array
 */
export const byteArrayOf = (value: PickleValue | undefined): ByteArray => {
  if (!(value instanceof InertRecord) || !RECONSTRUCT.includes(value.className) || !isTuple(value.state))
    throw new RangeError('it is no array')
  const [, shape, dtype, fortran, data] = value.state
  if (!(dtype instanceof InertRecord) || dtype.className !== DTYPE || dtype.args[0] !== 'u1')
    throw new RangeError('its elements are no bytes')
  if (fortran !== false && fortran !== 0) throw new RangeError('its columns come first')
  const values = bytesOf(data)
  if (!isWholeNumbers(shape) || !values || values.length !== shape.reduce((size, length) => size * length, 1))
    throw new RangeError(`its shape [${String(shape).slice(0, 100)}] does not fit ${values?.length ?? 'no'} bytes of data`)
  return { shape, values }
}
