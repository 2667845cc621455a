export interface TarEntry {
  readonly name: string
  readonly bytes: Uint8Array
  /** '0' (default): a file, '2': a link, '5': a folder. */
  readonly type?: string
}

/** A ustar archive. */
export const tarArchive = (entries: readonly TarEntry[]): Buffer =>
  Buffer.concat([
    ...entries.flatMap(({ name, bytes, type = '0' }) => {
      const header = Buffer.alloc(512)
      header.write(name, 0, 'latin1')
      header.write(`${bytes.length.toString(8).padStart(11, '0')}\0`, 124, 'latin1')
      header.write('        ', 148, 'latin1')
      header.write(type, 156, 'latin1')
      header.write('ustar\x0000', 257, 'latin1')
      const sum = [...header].reduce((a, b) => a + b)
      header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
      return [header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]
    }),
    Buffer.alloc(1024),
  ])
