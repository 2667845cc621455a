/** P(X = k) for X ~ Binomial(n, p), k = 0..n: by ratios from the mode, then normalised; independent of the code under test. */
export const binomialProbabilities = (n: number, p: number): number[] => {
  const odds = p / (1 - p)
  const mode = Math.min(n, Math.floor((n + 1) * p))
  const weights = new Array<number>(n + 1).fill(0)
  weights[mode] = 1
  for (let k = mode; k < n; k++) weights[k + 1] = weights[k]! * odds * ((n - k) / (k + 1))
  for (let k = mode; k > 0; k--) weights[k - 1] = (weights[k]! / odds) * (k / (n - k + 1))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return weights.map(weight => weight / total)
}
