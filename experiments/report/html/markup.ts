/** Text that is markup already. Everything else that is put into a page is escaped. */
export interface Markup {
  readonly markup: string
}

type Content = Markup | string | number | null | false | readonly Content[]

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

export const escapeText = (text: string): string => text.replace(/[&<>"']/g, character => ENTITIES[character]!)

const show = (content: Content): string => {
  if (content === null || content === false) return ''
  if (typeof content === 'string') return escapeText(content)
  if (typeof content === 'number') return String(content)
  return 'markup' in content ? content.markup : content.map(show).join('')
}

/**
 * A template of HTML or SVG. Texts put into it are escaped, also between the quotes of an attribute; other templates and
 * lists of them are put in as they are; null and false leave nothing.
 */
export const html = (strings: TemplateStringsArray, ...contents: readonly Content[]): Markup => ({
  markup: strings.reduce((text, part, i) => text + show(contents[i - 1]!) + part),
})

/** A constant of ours, such as a style sheet, put in unescaped. */
export const verbatim = (markup: string): Markup => ({ markup })
