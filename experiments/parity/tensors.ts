import { type Tensor, tensor } from '../../core/index.ts'
import { FileError } from '../../core/io/fileError.ts'
import type { HostTensor } from '../../core/io/hostTensor.ts'
import type { Comparison } from './comparison.ts'
import type { GoldenFile } from './goldenFolder.ts'

/** A tensor of a file on the current backend. */
export const upload = ({ values, shape }: HostTensor): Tensor => tensor(values as ArrayLike<number>, shape)

export const uploadAll = (tensors: Readonly<Record<string, HostTensor>>): Record<string, Tensor> =>
  Object.fromEntries(Object.entries(tensors).map(([name, host]) => [name, upload(host)]))

/** Every tensor of a file, by name. */
export const allTensors = (file: GoldenFile): Record<string, HostTensor> =>
  Object.fromEntries(file.tensorNames.map(name => [name, file.get(name)]))

/**
 * Pairs a computed tensor with the expected ones of a file: the one of that name and, if there is one, its float64
 * reference `<name>64`. Names the file does not have are left out.
 */
export const compareWith = async (
  file: GoldenFile,
  name: string,
  computed: Tensor,
  quantity: Comparison['quantity'],
): Promise<Comparison[]> => {
  const actual = { shape: computed.shape, values: await computed.data() }
  return [name, `${name}64`].flatMap(tensorName => {
    const expected = file.find(tensorName)
    return expected ? [{ file: file.name, tensor: tensorName, quantity, actual, expected }] : []
  })
}

/** The `config` a file's metadata holds. @throws FileError when there is none */
export const configOf = (file: GoldenFile): Readonly<Record<string, unknown>> => {
  const { config } = file.meta
  if (config === null || typeof config !== 'object') {
    throw new FileError(file.path, 'neither its metadata nor manifest.json gives a "config"', 'add the network configuration')
  }
  return config as Record<string, unknown>
}

/** Builds a network from a file's configuration; a configuration it refuses is a fault of the file. */
export const fromConfig = <T>(file: GoldenFile, make: (config: Readonly<Record<string, unknown>>) => T): T => {
  const config = configOf(file)
  try {
    return make(config)
  } catch (cause) {
    throw new FileError(file.path, (cause as Error).message, 'correct its configuration', { cause })
  }
}
