/** The shapes of a checkpoint's tensors by name. */
export type Shapes = Readonly<Record<string, readonly number[]>>

/** One extent of a tensor; undefined when there is no such tensor or axis. */
export const extent = (shapes: Shapes, name: string, axis: number): number | undefined =>
  Object.hasOwn(shapes, name) ? shapes[name]![axis] : undefined

/** How many consecutive numbers, from 0 on, follow a prefix in the names: `layer1.` in `layer1.0.x`, `layer1.1.x` gives 2. */
export const countNumbered = (shapes: Shapes, prefix: string): number => {
  const found = new Set(
    Object.keys(shapes)
      .filter(name => name.startsWith(prefix))
      .map(name => name.slice(prefix.length).split('.', 1)[0]),
  )
  let count = 0
  while (found.has(String(count))) count++
  return count
}

export const hasPrefix = (shapes: Shapes, prefix: string): boolean => Object.keys(shapes).some(name => name.startsWith(prefix))

export const hasTensor = (shapes: Shapes, name: string): boolean => Object.hasOwn(shapes, name)

export const numbered = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i))
