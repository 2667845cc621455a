/** Characters of a text that holds no control characters; every character we print is one column wide. */
export const columns = (text: string): number => [...text].length

/** A text as it may be printed: on one line, and without characters that steer the terminal. */
export const plain = (text: string): string => text.replace(/\p{Cc}+/gu, ' ')

export const padEnd = (text: string, width: number): string => text + ' '.repeat(Math.max(0, width - columns(text)))

/**
 * Breaks a text at its spaces into lines of at most `width` characters; a longer word is broken where the line ends.
 * An empty text is one empty line.
 */
export const wrap = (text: string, width: number): string[] => {
  const lines: string[] = []
  let line = ''
  for (const word of plain(text).split(/ +/)) {
    const joined = line === '' ? word : `${line} ${word}`
    if (columns(joined) <= width) {
      line = joined
      continue
    }
    if (line !== '') lines.push(line)
    const letters = [...word]
    while (letters.length > width) lines.push(letters.splice(0, width).join(''))
    line = letters.join('')
  }
  return [...lines, line]
}

/** Wraps a text and indents its lines; the first line may have its own lead of the same width. */
export const paragraph = (text: string, width: number, indent: number, lead = ''): string[] =>
  wrap(text, width - indent).map((line, i) => (i === 0 ? padEnd(lead, indent) : ' '.repeat(indent)) + line)
