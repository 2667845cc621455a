/** A piece of a contour line, from one point to another; units of grid cells, column first. */
export type Segment = readonly [from: readonly [number, number], to: readonly [number, number]]

/**
 * The line where a function on a grid has the value `level`, by marching squares: linear between neighbouring points, and in a saddle cell the
 * two pieces that keep its mean on the side it is on. grid[row][column], at least 2 x 2.
 */
export const contour = (grid: readonly (readonly number[])[], level: number): Segment[] => {
  const segments: Segment[] = []
  for (let j = 0; j + 1 < grid.length; j++) {
    for (let i = 0; i + 1 < grid[j]!.length; i++) segments.push(...cellSegments(grid, { i, j, level }))
  }
  return segments
}

const cellSegments = (
  grid: readonly (readonly number[])[],
  { i, j, level }: { readonly i: number; readonly j: number; readonly level: number },
): Segment[] => {
  /** Corners in order around the cell. */
  const corners = [
    [i, j],
    [i + 1, j],
    [i + 1, j + 1],
    [i, j + 1],
  ] as const
  const values = corners.map(([column, row]) => grid[row]![column]!)
  const above = values.map(value => value >= level)
  /** Where the line crosses each edge, from corner k to the next. */
  const crossing = (k: number): readonly [number, number] => {
    const [[x0, y0], [x1, y1]] = [corners[k]!, corners[(k + 1) % 4]!]
    const share = (level - values[k]!) / (values[(k + 1) % 4]! - values[k]!)
    return [x0 + share * (x1 - x0), y0 + share * (y1 - y0)]
  }
  const crossed = [0, 1, 2, 3].filter(k => above[k] !== above[(k + 1) % 4])
  if (crossed.length < 2) return []
  if (crossed.length === 2) return [[crossing(crossed[0]!), crossing(crossed[1]!)]]
  const middleAbove = values.reduce((sum, value) => sum + value, 0) / 4 >= level
  // A piece around each corner that is not on the side of the middle.
  return [0, 1, 2, 3].filter(k => above[k] !== middleAbove).map(k => [crossing((k + 3) % 4), crossing(k)] as const)
}
