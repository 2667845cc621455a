/** Text attributes of a terminal, by their SGR codes (ECMA-48, 8.3.117): start and end. */
const CODES = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39], cyan: [36, 39] } as const

export type Attribute = keyof typeof CODES

/** Wraps a text in an attribute; leaves it alone without colour. */
export type Paint = (attribute: Attribute, text: string) => string

export const painter =
  (color: boolean): Paint =>
  (attribute, text) =>
    color ? `\u001b[${CODES[attribute][0]}m${text}\u001b[${CODES[attribute][1]}m` : text
