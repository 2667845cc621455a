/** How numbers are written, the same on the terminal and on the page. */

const MINUS = '−'

/** 0.4727 is `47.3`. */
export const percent = (share: number): string => (100 * share).toFixed(1)

/** `44.2–50.4`, per cent. */
export const percentRange = ({ low, high }: { readonly low: number; readonly high: number }): string => `${percent(low)}–${percent(high)}`

/** A difference of shares in percentage points with its sign: `+4.2`, `−1.3`, `0.0`. */
export const points = (difference: number): string => {
  const digits = Math.abs(100 * difference).toFixed(1)
  if (digits === '0.0') return digits
  return `${difference < 0 ? MINUS : '+'}${digits}`
}

/** `p = 0.012`, `p < 0.001`. */
export const pValue = (p: number): string => (p < 0.001 ? 'p < 0.001' : `p = ${p < 0.1 ? p.toFixed(3) : p.toFixed(2)}`)

/** A number for an axis or a legend: at most three decimals, no trailing zeros. */
export const short = (value: number): string => String(Number(value.toFixed(3))).replace('-', MINUS)
