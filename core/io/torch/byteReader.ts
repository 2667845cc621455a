import type { ByteSource } from '../byteSource.ts'
import { FileError } from '../fileError.ts'

const CHUNK = 65_536

/** Reads a source from front to back, fetching no more than 64 KiB ahead. */
export class ByteReader {
  readonly source: ByteSource
  /** The offset of the next byte. */
  position: number
  private chunk: Uint8Array = new Uint8Array(0)
  private chunkBegin = 0

  constructor(source: ByteSource, position = 0) {
    this.source = source
    this.position = position
  }

  /** @throws FileError at the end of the source */
  byte(): number {
    const at = this.position - this.chunkBegin
    if (at >= 0 && at < this.chunk.length) {
      this.position++
      return this.chunk[at]!
    }
    return this.take(1)[0]!
  }

  /**
   * The next `size` bytes; they may share memory and are not to be changed.
   * @throws FileError when there are fewer
   */
  take(size: number): Uint8Array {
    const { source, position } = this
    const end = position + size
    if (end > source.size) {
      throw new FileError(
        source.name,
        `file is truncated: ${size} bytes at byte ${position} end beyond its ${source.size} bytes`,
        'fetch it again',
      )
    }
    if (position < this.chunkBegin || end > this.chunkBegin + this.chunk.length) {
      this.chunk = source.read(position, Math.min(source.size, Math.max(end, position + CHUNK)))
      this.chunkBegin = position
    }
    this.position = end
    return this.chunk.subarray(position - this.chunkBegin, end - this.chunkBegin)
  }

  view(size: number): DataView {
    const bytes = this.take(size)
    return new DataView(bytes.buffer, bytes.byteOffset, size)
  }

  /** The bytes before the next newline, which is passed. */
  line(): Uint8Array {
    const bytes: number[] = []
    for (let byte = this.byte(); byte !== 0x0a; byte = this.byte()) {
      bytes.push(byte)
      if (bytes.length > MAX_LINE) throw new FileError(this.source.name, `a name at byte ${this.position} has no end`, 'fetch it again')
    }
    return Uint8Array.from(bytes)
  }
}

/** Lines hold the names of classes only. */
const MAX_LINE = 1000
