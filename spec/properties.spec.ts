import { describe, expect, it } from 'vitest'
import { claims } from './claims.ts'
import { properties } from './support/properties.ts'
import { propertyTestsOf } from './support/propertyTests.ts'
import { readSources } from './support/sources.ts'

const specs = readSources('spec').filter(({ path }) => path.endsWith('.spec.ts') && path !== 'spec/properties.spec.ts')
const tests = specs.flatMap(propertyTestsOf)
const names = Array.from({ length: 66 }, (_, i) => `P${i + 1}`)

describe('properties of the test plan', () => {
  it('should be P1 to P66', () => {
    expect(Object.keys(properties)).toEqual(names)
  })

  it.each(names)('should have a test of %s, on what the table says', name => {
    const found = tests.filter(({ property }) => property === name).map(({ scope }) => scope)
    expect(found).toContain(properties[name]![1])
  })

  it('should not be named by a test beyond them', () => {
    expect(tests.filter(({ property }) => !names.includes(property))).toEqual([])
  })

  it('should each belong to a claim', () => {
    const claimed = new Set(claims.flatMap(claim => claim.properties))
    expect(names.filter(name => !claimed.has(name))).toEqual([])
    expect([...claimed].filter(name => !names.includes(name))).toEqual([])
  })
})

describe('propertyTestsOf', () => {
  it('should tell by group or title whether a test runs on every backend', () => {
    const text = [
      "describe.each(backendsUnderTest)('a on %s', backend => {",
      "  it('should hold (P1)', () => useBackend(backend))",
      '})',
      "describe('b', () => {",
      "  it('should hold (P2)', () => useBackend('reference'))",
      `  it(\`should hold on \${backend} (P3)\`, () => {})`,
      '})',
    ]
    const scopes = (lines: readonly string[]) =>
      propertyTestsOf({ path: 'a', text: lines.join('\n') }).map(({ property, scope }) => [property, scope])
    expect(scopes(text)).toEqual([
      ['P1', 'every backend'],
      ['P2', 'reference'],
      ['P3', 'every backend'],
    ])
    expect(scopes(["it('should hold (P4, P55)', () => {})"])).toEqual([
      ['P4', 'host'],
      ['P55', 'host'],
    ])
  })
})
