/**
 * The first key that occurs twice in one object of a JSON text, or null.
 *
 * `JSON.parse` silently keeps the last of two equal keys, so two tensors of one name would lose one unnoticed. Keys are
 * compared decoded ("a" equals "\u0061").
 *
 * @param json a text `JSON.parse` has accepted; the scan relies on its being well formed
 */
export const duplicateKey = (json: string): string | null => {
  /** The keys seen so far of each open object; null for an open array. */
  const open: (Set<string> | null)[] = []
  let i = 0
  while (i < json.length) {
    const char = json[i]
    if (char === '"') {
      const end = stringEnd(json, i)
      const keys = open.at(-1)
      if (keys && nextIsColon(json, end)) {
        const key = JSON.parse(json.slice(i, end)) as string
        if (keys.has(key)) return key
        keys.add(key)
      }
      i = end
      continue
    }
    if (char === '{') open.push(new Set())
    else if (char === '[') open.push(null)
    else if (char === '}' || char === ']') open.pop()
    i++
  }
  return null
}

/** The index after the closing quote of the string that opens at `start`. */
const stringEnd = (json: string, start: number): number => {
  let i = start + 1
  while (json[i] !== '"') i += json[i] === '\\' ? 2 : 1
  return i + 1
}

const nextIsColon = (json: string, from: number): boolean => {
  let i = from
  while (' \t\n\r'.includes(json[i])) i++
  return json[i] === ':'
}
