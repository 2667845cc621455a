import { zipSync } from 'fflate'
import { describe, expect, it } from 'vitest'
import { memorySource } from '../../../core/io/byteSource.ts'
import { FileError } from '../../../core/io/fileError.ts'
import { memoryBudget } from '../../../core/io/memoryBudget.ts'
import { openZip, type ZipArchive } from '../../../core/io/zip.ts'
import { type ZipFile, zip } from './zipWriter.ts'

const open = (bytes: Uint8Array): ZipArchive => openZip(memorySource(bytes, 'a.zip'), memoryBudget('a.zip', bytes.length))

const text = (content: string): Uint8Array => new TextEncoder().encode(content)

const readAll = (bytes: Uint8Array): Record<string, Uint8Array> => {
  const archive = open(bytes)
  return Object.fromEntries(archive.names.map(name => [name, archive.read(name).slice()]))
}

const messageOf = (bytes: Uint8Array): string => {
  try {
    readAll(bytes)
  } catch (error) {
    expect(error).toBeInstanceOf(FileError)
    return (error as Error).message
  }
  return 'read'
}

const a: ZipFile = { name: 'a', content: text('content of a') }

describe('zip', () => {
  it('should read what another writer has stored and deflated', () => {
    const files = { 'x/stored.bin': text('abc'), 'x/deflated.txt': text('abc'.repeat(1000)), 'x/empty': new Uint8Array(0) }
    for (const level of [0, 9] as const) expect(readAll(zipSync(files, { level }))).toEqual(files)
  })

  it.each([[{}], [{ zip64: true }], [{ comment: 'PK and more' }]])('should read stored and deflated files with %j', options => {
    const files = [a, { name: 'b/c', content: text('z'.repeat(5000)), deflate: true }]
    expect(readAll(zip(files, options))).toEqual({ a: a.content, 'b/c': text('z'.repeat(5000)) })
  })

  it('should take from the zip64 field only what is marked', () => {
    const [table, end, extra] = [50, 97, [1, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0]]
    const plain = zip([a])
    const bytes = Uint8Array.from([...plain.slice(0, end), ...extra, ...plain.slice(end)])
    const view = new DataView(bytes.buffer)
    view.setUint32(table + 42, 0xffffffff, true)
    view.setUint16(table + 30, extra.length, true)
    view.setUint32(end + extra.length + 12, end - table + extra.length, true)
    expect(readAll(bytes)).toEqual({ a: a.content })
  })

  it('should leave out folders', () => {
    expect(open(zip([{ name: 'x/', content: text('') }, a])).names).toEqual(['a'])
  })

  it.each<[what: string, bytes: Uint8Array, message: RegExp]>([
    ['an empty file', new Uint8Array(0), /no zip table of contents in 0 bytes/],
    ['a file without its end', zip([a]).slice(0, -1), /no zip table of contents/],
    ['a name that leads up', zip([{ ...a, name: 'x/../../a' }]), /leads out of the archive/],
    ['an absolute name', zip([{ ...a, name: '/etc/a' }]), /leads out of the archive/],
    ['a drive letter', zip([{ ...a, name: 'C:a' }]), /leads out of the archive/],
    ['a backslash', zip([{ ...a, name: '..\\a' }]), /leads out of the archive/],
    ['a name with a zero', zip([{ ...a, name: 'a\0.txt' }]), /leads out of the archive/],
    ['no name', zip([{ ...a, name: '' }]), /leads out of the archive/],
    ['two files of one name', zip([a, a]), /has two files "a"/],
    ['an encrypted file', zip([{ ...a, flags: 1 }]), /is encrypted; decrypt/],
    ['an unknown method', zip([{ ...a, method: 14 }]), /compressed by method 14; pack it again/],
    ['a wrong checksum', zip([{ ...a, crc: 1 }]), /has checksum [0-9a-f]+, the table of contents says 1;/],
    ['a stored file of another size', zip([{ ...a, size: 99 }]), /stored in 12 bytes but has 99/],
    ['another name in the header', zip([{ ...a, localName: 'b' }]), /has another name in its header/],
    ['a file longer than its room', zip([{ ...a, size: 13, storedSize: 13 }]), /needs bytes 38 to 51, it has room to byte 50/],
    ['files that overlap', zip([a, { ...a, name: 'b', offset: 4 }]), /overlaps/],
    ['two empty files in one place', zip(['a', 'b'].map(name => ({ name, content: text(''), offset: 0 }))), /overlaps what lies at byte 0/],
    ['a place beyond the table', zip([{ ...a, offset: 90 }]), /overlaps/],
    ['a place without header', zip([{ ...a, content: new Uint8Array(60), offset: 1, size: 0, storedSize: 0 }]), /has no header at byte 1/],
    ['more content than announced', zip([{ ...a, deflate: true, size: 5 }]), /cannot be unpacked \(it holds more than the 5 bytes/],
    ['less content than announced', zip([{ ...a, deflate: true, size: 50 }]), /cannot be unpacked \(it holds 12 bytes, 50 were/],
    ['no deflate stream', zip([{ ...a, method: 8 }]), /cannot be unpacked/],
  ])('should refuse %s', (_, bytes, message) => {
    expect(messageOf(bytes)).toMatch(message)
  })

  it('should refuse a small file that unpacks to far more than its size', () => {
    const bomb = zip([{ name: 'a', content: new Uint8Array(32 * 2 ** 20), deflate: true }])
    expect(bomb.length).toBeLessThan(50_000)
    expect(messageOf(bomb)).toMatch(/unpacking "a" would bring memory to 33\d+ bytes, a file of \d+ bytes may take 16\d+/)
  })

  it('should refuse a table of contents that claims more entries than it has room for', () => {
    const bytes = zip([a])
    new DataView(bytes.buffer).setUint16(bytes.length - 12, 60_000, true)
    expect(messageOf(bytes)).toMatch(/claims 60000 entries in bytes 50 to 97/)
  })

  it('should refuse a part of an archive', () => {
    const bytes = zip([a])
    new DataView(bytes.buffer).setUint16(bytes.length - 18, 2, true)
    expect(messageOf(bytes)).toMatch(/several parts; join them/)
  })

  it('should say which file is not there', () => {
    expect(() => open(zip([a])).read('b')).toThrow('a.zip: the archive has no file "b"; ')
  })
})
