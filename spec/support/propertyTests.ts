import type { PropertyScope } from './properties.ts'
import type { Source } from './sources.ts'

/** A test, or one title for several, that says in its title which properties it holds. */
export interface PropertyTest {
  readonly property: string
  readonly file: string
  readonly scope: PropertyScope
}

/** Whether what is tested there runs once for each backend under test: by its group, or by a name in its own title. */
const onEveryBackend = (before: string, line: string): boolean =>
  /backendsUnderTest/.test([...before.matchAll(/^describe[^\n]*/gm)].at(-1)?.[0] ?? '') || /\$\{backend\}/.test(line)

/** The property tests of a spec file. One that never selects a backend needs no tensors. */
export const propertyTestsOf = ({ path, text }: Source): PropertyTest[] =>
  [...text.matchAll(/\((P\d+(?:, P\d+)*)\)/g)].flatMap(({ 1: named, index }) => {
    const start = text.lastIndexOf('\n', index) + 1
    const end = text.indexOf('\n', index)
    const every = onEveryBackend(text.slice(0, start), text.slice(start, end < 0 ? undefined : end))
    const scope: PropertyScope = every ? 'every backend' : text.includes('useBackend(') ? 'reference' : 'host'
    return named!.split(', ').map(property => ({ property, file: path, scope }))
  })
