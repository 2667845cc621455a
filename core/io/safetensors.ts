import { type ByteSource, memorySource } from './byteSource.ts'
import { FileError, quoteKey } from './fileError.ts'
import { CODECS, elementCount, type HostTensor, isHostDtype } from './hostTensor.ts'
import { type HeaderEntry, LENGTH_BYTES, MAX_HEADER_BYTES, METADATA_KEY, readHeader } from './safetensorsHeader.ts'

/**
 * The safetensors format: named tensors and text metadata in one file (https://github.com/huggingface/safetensors).
 *
 * Reading checks the whole file before it returns anything, so no caller ever sees a half-loaded model.
 */
export interface Safetensors {
  readonly tensors: Record<string, HostTensor>
  readonly metadata: Record<string, string>
}

/** A file whose header has been checked and whose values have not been read. */
export interface OpenSafetensors {
  readonly entries: readonly HeaderEntry[]
  readonly metadata: Record<string, string>
  /** Reads all values. @throws FileError when an I64 value has no exact number or a BOOL is neither 0 nor 1 */
  readonly read: () => Safetensors
}

// Values are copied between file and memory as they lie, and the format is little endian.
const HOST_IS_LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1

const requireLittleEndian = (source: string): void => {
  if (!HOST_IS_LITTLE_ENDIAN) throw new FileError(source, 'this machine is big endian, safetensors is little endian', 'use another machine')
}

/**
 * Opens a safetensors file and reads its header only. `read` then takes one tensor after the other, straight into the
 * memory that holds its values: beside the results there is at most one tensor of a dtype that is held in another one.
 *
 * @throws FileError naming file, tensor, rule and remedy when anything is not as the format says (see `readHeader`)
 */
export const openSafetensors = (file: ByteSource): OpenSafetensors => {
  requireLittleEndian(file.name)
  const { entries, metadata } = readHeader(file)
  const valuesOf = ({ key, dtype, begin, end }: HeaderEntry): HostTensor['values'] => {
    try {
      return CODECS[dtype].decode(file.copy(begin, end))
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause
      throw new FileError(file.name, `tensor ${quoteKey(key)}: ${cause.message}`, 'the file is damaged or unsuited, save it again', {
        cause,
      })
    }
  }
  // fromEntries defines own properties, so that even a tensor named "__proto__" is only a name.
  const read = (): Safetensors => ({
    tensors: Object.fromEntries(entries.map(entry => [entry.key, { dtype: entry.dtype, shape: entry.shape, values: valuesOf(entry) }])),
    metadata,
  })
  return { entries, metadata, read }
}

/**
 * The tensors and metadata of a safetensors file in memory, with the order of names in its header.
 *
 * @param source the file's name, for messages
 * @throws FileError see `openSafetensors`
 */
export const readSafetensors = (bytes: Uint8Array, source: string): Safetensors => openSafetensors(memorySource(bytes, source)).read()

/**
 * The bytes of one tensor as the file holds them; they may share the memory of `values`.
 * @throws FileError when shape, dtype and values do not agree
 */
export const encodeTensor = (key: string, tensor: HostTensor): Uint8Array => {
  const fail = (rule: string, remedy: string): never => {
    throw new FileError('writeSafetensors', `tensor ${quoteKey(key)}: ${rule}`, remedy)
  }
  if (key === METADATA_KEY) return fail('this name is reserved by the format', 'rename the tensor')
  const { dtype, shape, values } = tensor
  if (!isHostDtype(dtype)) return fail(`unknown dtype ${quoteKey(String(dtype))}`, `use one of ${Object.keys(CODECS).join(', ')}`)
  const { holder } = CODECS[dtype]
  if (values?.constructor?.name !== holder)
    return fail(`${dtype} values must be a ${holder}, got ${values?.constructor?.name}`, 'convert them')
  try {
    const count = elementCount(shape)
    if (count !== values.length) return fail(`shape [${shape}] has ${count} elements, values has ${values.length}`, 'correct the shape')
    return CODECS[dtype].encode(values)
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    return fail(cause.message, 'choose another dtype or correct the values')
  }
}

/**
 * The bytes of a safetensors file. The header keeps the order of names; data is laid out by falling element size and
 * the header padded to 8 bytes, so that every tensor is aligned for readers that map the file. Equal input, equal bytes.
 *
 * @throws FileError when a tensor's shape, dtype and values do not agree
 */
export const writeSafetensors = (
  tensors: Readonly<Record<string, HostTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> => {
  requireLittleEndian('writeSafetensors')
  const parts = Object.entries(tensors).map(([key, tensor]) => ({ key, tensor, data: encodeTensor(key, tensor) }))
  const byFallingSize = [...parts].sort((a, b) => CODECS[b.tensor.dtype].bytesPerElement - CODECS[a.tensor.dtype].bytesPerElement)
  const begins = new Map<string, number>()
  let dataSize = 0
  for (const { key, data } of byFallingSize) {
    begins.set(key, dataSize)
    dataSize += data.length
  }
  const entries = parts.map(({ key, tensor: { dtype, shape }, data }): [string, unknown] => {
    const begin = begins.get(key)!
    return [key, { dtype, shape, data_offsets: [begin, begin + data.length] }]
  })
  if (Object.keys(metadata).length > 0) entries.unshift([METADATA_KEY, metadata])
  const header = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)))
  const headerSize = Math.ceil(header.length / 8) * 8
  if (headerSize > MAX_HEADER_BYTES) {
    throw new FileError(
      'writeSafetensors',
      `the header needs ${headerSize} bytes, the limit is ${MAX_HEADER_BYTES}`,
      'put less into the metadata',
    )
  }

  const file = new Uint8Array(LENGTH_BYTES + headerSize + dataSize)
  new DataView(file.buffer).setBigUint64(0, BigInt(headerSize), true)
  file.fill(0x20, LENGTH_BYTES, LENGTH_BYTES + headerSize)
  file.set(header, LENGTH_BYTES)
  for (const { key, data } of parts) file.set(data, LENGTH_BYTES + headerSize + begins.get(key)!)
  return file
}
