import { FileError } from './fileError.ts'

/** What reading any file may take: tables, the objects of a pickle. */
const BASE_BYTES = 16 * 2 ** 20
/** Per byte of the file; 2 since a 16-bit float is held as a float32. */
const BYTES_PER_FILE_BYTE = 2

/**
 * A limit on the memory that reading one file may take, whatever sizes the file claims: twice its own size and 16 MiB.
 * Every reader of the file spends from the same budget before it allocates.
 */
export interface MemoryBudget {
  /** @throws FileError when the file asks for more than its size allows */
  readonly spend: (bytes: number, what: string) => void
}

export const memoryBudget = (name: string, fileSize: number): MemoryBudget => {
  const limit = BASE_BYTES + BYTES_PER_FILE_BYTE * fileSize
  let spent = 0
  return {
    spend: (bytes, what) => {
      spent += bytes
      if (spent <= limit) return
      throw new FileError(
        name,
        `${what} would bring memory to ${spent} bytes, a file of ${fileSize} bytes may take ${limit}`,
        'save it again with uncompressed, contiguous tensors',
      )
    },
  }
}
