/** A source file: its path from the project's root, and its text. */
export interface SourceFile {
  readonly path: string
  readonly text: string
}

/** One id of one `@paper` tag, with what its docblock documents. */
export interface PaperTag {
  /** As in the table of claims: `E8`, `Appendix G`. */
  readonly id: string
  readonly path: string
  /** Line of the tag, from 1. */
  readonly line: number
  /** The declaration below the docblock; empty when there is none. */
  readonly symbol: string
  /** What the docblock says after `Deviations:`; empty when it says nothing. */
  readonly deviations: string
}

const declaration = /^\s*(?:export\s+)?(?:default\s+)?(?:async\s+)?(?:const|let|function|class|interface|type)\s+(\w+)/

const lineAt = (text: string, position: number): number => text.slice(0, position).split('\n').length

/** The ids of `E10 (CGPO), E8 (RBGM)`: what is left between commas outside parentheses. */
const idsOf = (list: string): string[] =>
  list
    .replace(/\([^()]*\)/g, '')
    .replace(/\(.*$/, '')
    .split(',')
    .map(id => id.trim())
    .filter(id => id !== '')

const deviationsOf = (docblock: string): string => {
  const text = docblock.replace(/^\s*\*?\/?\s?/gm, '').replace(/\*\/\s*$/, '')
  const found = /Deviations:\s*([\s\S]*?)(?:\n\s*\n|$)/.exec(text)
  return found ? found[1]!.replace(/\s+/g, ' ').trim() : ''
}

/** Every `@paper` tag that begins a line of a docblock of the file; one within a sentence is a mention. */
export const parsePaperTags = ({ path, text }: SourceFile): PaperTag[] =>
  [...text.matchAll(/\/\*\*[\s\S]*?\*\//g)].flatMap(block => {
    const symbol = declaration.exec(text.slice(block.index + block[0].length))?.[1] ?? ''
    const deviations = deviationsOf(block[0])
    return [...block[0].matchAll(/(?<=(?:^|\n)\s*(?:\/\*\*|\*)[ \t]*)@paper[ \t]+([^\n]*)/g)].flatMap(tag =>
      idsOf(tag[1]!.replace(/\*\/\s*$/, '')).map(id => ({ id, path, line: lineAt(text, block.index + tag.index), symbol, deviations })),
    )
  })

/** Line of the declaration of `symbol`, from 1; undefined when the file does not declare it. */
export const lineOfSymbol = (text: string, symbol: string): number | undefined => {
  const index = text.split('\n').findIndex(line => declaration.exec(line)?.[1] === symbol && !/^\s/.test(line))
  return index < 0 ? undefined : index + 1
}
