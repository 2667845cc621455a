/**
 * Round numbers (1, 2 or 5 times a power of ten apart) inside [low, high], about `count` of them.
 * A range of no width has the one tick.
 */
export const ticks = (low: number, high: number, count = 5): number[] => {
  const span = high - low
  if (!(span > 0)) return [low]
  const power = 10 ** Math.floor(Math.log10(span / count))
  const step = power * [1, 2, 5, 10].find(factor => span / (factor * power) <= count)!
  const first = Math.ceil(low / step - 1e-9)
  const last = Math.floor(high / step + 1e-9)
  // Multiplied, not summed up, and rounded: 3 * 0.1 must print as 0.3.
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)))
}

/** The smallest and largest of the values, or [0, 1] of none; widened to `including`. */
export const extent = (values: readonly number[], including: readonly number[] = []): [low: number, high: number] => {
  const all = [...values, ...including].filter(Number.isFinite)
  return all.length === 0 ? [0, 1] : [all.reduce((a, b) => Math.min(a, b)), all.reduce((a, b) => Math.max(a, b))]
}
