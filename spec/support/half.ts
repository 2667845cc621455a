/** The nearest binary16 number, ties to even; infinite from 65520 on. */
export const roundHalf = (x: number): number => {
  const size = Math.abs(x)
  if (!(size < 65520)) return size >= 65520 ? Math.sign(x) * Infinity : Number.NaN
  const exponent = Math.max(-14, Math.floor(Math.log2(size || 1)))
  const step = 2 ** (exponent - 10)
  const scaled = size / step
  const down = Math.floor(scaled)
  const rest = scaled - down
  const up = rest > 0.5 || (rest === 0.5 && down % 2 === 1)
  return (x < 0 ? -1 : 1) * (down + (up ? 1 : 0)) * step
}

/** How far a number is from what half precision makes of it at most: u of its size, for normal numbers, else u 2^-14. */
export const halfError = (x: number, u = 2 ** -11): number => u * Math.max(Math.abs(x), 2 ** -14)
