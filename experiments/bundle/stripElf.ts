const magic = [0x7f, 0x45, 0x4c, 0x46, 2, 1]
const headerCount = 56
const headerSize = 54
const headersAt = 32
const sectionsAt = 40
const sectionCount = 60
const sectionNames = 62

/**
 * A 64-bit little-endian ELF program or library without its section table and whatever lies behind the last byte that is loaded:
 * symbols and debugging information. Only debuggers read those. Other files are returned as they are.
 */
export const stripElf = (file: Uint8Array): Uint8Array => {
  if (file.length < 64 || !magic.every((byte, i) => file[i] === byte)) return file
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const at = Number(view.getBigUint64(headersAt, true))
  const [size, count] = [view.getUint16(headerSize, true), view.getUint16(headerCount, true)]
  let end = at + size * count
  for (let i = 0; i < count; i++) {
    const header = at + i * size
    end = Math.max(end, Number(view.getBigUint64(header + 8, true) + view.getBigUint64(header + 32, true)))
  }
  const stripped = new Uint8Array(file.subarray(0, end))
  const header = new DataView(stripped.buffer)
  header.setBigUint64(sectionsAt, 0n, true)
  header.setUint16(sectionCount, 0, true)
  header.setUint16(sectionNames, 0, true)
  return stripped
}
