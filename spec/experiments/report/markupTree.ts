/** What a simple reading of a page finds: its elements in order, and its texts. */
export interface Page {
  readonly elements: readonly { readonly name: string; readonly attributes: string }[]
  readonly text: string
}

const VOID = new Set(['meta', 'br', 'img', 'link', 'hr', 'input'])

/**
 * Reads HTML strictly: every element is closed, in the right order, and no stray `<` or `&` stands in a text or an attribute.
 * Throws on the first fault.
 */
export const readPage = (source: string): Page => {
  const elements: { name: string; attributes: string }[] = []
  const open: string[] = []
  let text = ''
  let at = 0
  const body = source.replace(/^<!doctype html>\n/, '').replace(/<style>[^<]*<\/style>/, '')
  const checkEntities = (part: string): void => {
    const stray = part.replace(/&(amp|lt|gt|quot|#39);/g, '').match(/[<>&].{0,30}/)
    if (stray) throw new Error(`unescaped "${stray[0]}"`)
  }
  for (const match of body.matchAll(/<(\/?)([a-z][a-z0-9]*)((?:\s+[a-zA-Z][a-zA-Z0-9-]*(?:="[^"]*")?)*)\s*(\/?)>/g)) {
    const [tag, end, name, attributes, selfClosed] = match
    const between = body.slice(at, match.index)
    checkEntities(between)
    text += between
    at = match.index + tag.length
    if (end) {
      const last = open.pop()
      if (last !== name) throw new Error(`</${name}> closes <${last}>`)
      continue
    }
    checkEntities(attributes!)
    elements.push({ name: name!, attributes: attributes! })
    if (!selfClosed && !VOID.has(name!)) open.push(name!)
  }
  checkEntities(body.slice(at))
  if (open.length > 0) throw new Error(`<${open.at(-1)}> is never closed`)
  const characters: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" }
  return { elements, text: text.replace(/&(amp|lt|gt|quot|#39);/g, (_, name: string) => characters[name]!) }
}
