export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue }

const isPlainObject = (value: object): boolean => [Object.prototype, null].includes(Object.getPrototypeOf(value))

/**
 * The value as JSON holds it, after a check that nothing is lost on the way.
 *
 * `JSON.stringify` writes NaN and Infinity as null, and a typed array as an object; a resumed run would then go on with
 * other numbers than the first one had. Properties that are undefined are left out.
 *
 * @param what the value's name in messages
 * @throws TypeError naming the place of what JSON cannot hold
 */
export const toJsonValue = (value: unknown, what: string): JsonValue => {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value
  if (typeof value === 'number') {
    if (Number.isFinite(value)) return value
    throw new TypeError(`${what} is ${value}, which JSON cannot hold; store null or a text instead`)
  }
  if (Array.isArray(value)) return value.map((item, i) => toJsonValue(item, `${what}[${i}]`))
  if (typeof value === 'object' && isPlainObject(value)) {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined)
    return Object.fromEntries(entries.map(([key, item]) => [key, toJsonValue(item, `${what}.${key}`)]))
  }
  const kind = typeof value === 'object' ? value.constructor.name : typeof value
  throw new TypeError(`${what} is a ${kind}, which JSON cannot hold; convert it to numbers, texts, lists or plain objects`)
}

const isRecord = (value: JsonValue | undefined): value is { readonly [key: string]: JsonValue } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** At most 40 characters of it. */
const show = (value: JsonValue | undefined): string => {
  const text = value === undefined ? 'not set' : JSON.stringify(value)
  return text.length > 40 ? `${text.slice(0, 37)}...` : text
}

/** Where two values differ, one text per place: `attack.steps 20 -> 40`. Objects are compared whatever their key order. */
export const jsonDifferences = (before: JsonValue | undefined, after: JsonValue | undefined, path = ''): string[] => {
  if (isRecord(before) && isRecord(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])]
    return keys.flatMap(key => jsonDifferences(before[key], after[key], path === '' ? key : `${path}.${key}`))
  }
  if (Array.isArray(before) && Array.isArray(after) && before.length === after.length) {
    return before.flatMap((item, i) => jsonDifferences(item, after[i], `${path}[${i}]`))
  }
  return before === after ? [] : [`${path} ${show(before)} -> ${show(after)}`]
}
