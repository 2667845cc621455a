import { gzipSync as nodeGzip } from 'node:zlib'
import fc from 'fast-check'
import { gzipSync } from 'fflate'
import { describe, expect, it } from 'vitest'
import { FileError } from '../../../core/io/fileError.ts'
import { crc32, gunzip } from '../../../core/io/gzip.ts'
import { runs } from '../../support/replay.ts'

const text = new TextEncoder().encode('purified '.repeat(50))

const outcome = (bytes: Uint8Array): string => {
  try {
    return new TextDecoder().decode(gunzip(bytes, 'data.gz'))
  } catch (error) {
    expect(error).toBeInstanceOf(FileError)
    expect((error as Error).message).toMatch(/^data\.gz: .*; the file is damaged, fetch it again$/)
    return 'refused'
  }
}

describe('gunzip', () => {
  it('should read what another implementation compressed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), bytes => {
        expect(gunzip(nodeGzip(bytes), 'data.gz')).toEqual(bytes)
      }),
      { numRuns: runs(100) },
    )
  })

  it('should skip the optional fields of the header', () => {
    expect(gunzip(gzipSync(text, { filename: 'a.csv', mtime: 1 }), 'data.gz')).toEqual(text)
    const plain = gzipSync(text)
    const withFields = (flags: number, fields: number[]) =>
      Uint8Array.from([...plain.subarray(0, 3), flags, ...plain.subarray(4, 10), ...fields, ...plain.subarray(10)])
    const extra = [3, 0, 1, 2, 3]
    expect(gunzip(withFields(4, extra), 'data.gz')).toEqual(text)
    // With a name "a", a comment "bc" and the header's checksum.
    expect(gunzip(withFields(2 | 4 | 8 | 16, [...extra, 0x61, 0, 0x62, 0x63, 0, 9, 9]), 'data.gz')).toEqual(text)
  })

  it('should refuse the file cut off at any byte', () => {
    const bytes = gzipSync(text)
    for (let size = 0; size < bytes.length; size++) expect(outcome(bytes.subarray(0, size))).toBe('refused')
  })

  it('should never return altered content', () => {
    const bytes = gzipSync(text)
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const damaged = bytes.slice()
        damaged[at] ^= mask
        expect(['refused', new TextDecoder().decode(text)]).toContain(outcome(damaged))
      }),
      { numRuns: runs(300) },
    )
  })

  it('should compare the size in the trailer', () => {
    const bytes = gzipSync(text)
    bytes[bytes.length - 4] ^= 1
    expect(() => gunzip(bytes, 'data.gz')).toThrow(/gzip file is truncated or damaged \(it holds .*451/)
  })

  it('should not take memory for more than deflate can hold', () => {
    const bytes = gzipSync(text)
    bytes.fill(0xff, bytes.length - 4)
    expect(() => gunzip(bytes, 'data.gz')).toThrow(
      /^data\.gz: gzip file of \d+ bytes is truncated or damaged: it cannot hold the 4294967295 that its end says/,
    )
  })

  it('should refuse what is not gzip', () => {
    expect(() => gunzip(text, 'data.gz')).toThrow('data.gz: this is not a gzip file')
  })
})

describe('crc32', () => {
  it('should give the check value of its definition', () => {
    expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926)
  })
})
