/** The smallest value that at least `fraction` of all are not above; of ascending values, exact. */
export function percentile(ascending: readonly number[], fraction: number): number {
  const value = ascending[Math.max(Math.ceil(ascending.length * fraction) - 1, 0)]
  if (value === undefined) throw new RangeError('nothing was measured')
  return value
}

export function median(values: readonly number[]): number {
  const ascending = values.toSorted((a, b) => a - b)
  const middle = ascending.length / 2
  if (!Number.isInteger(middle)) return percentile(ascending, 0.5)
  return (percentile(ascending, 0.5) + percentile(ascending.slice(middle), 0)) / 2
}

/** A compared with B, from pairs that were measured side by side. */
export type Comparison = { a: number; b: number; ratio: number; min: number; max: number }

/** The ratio is the median of the pairs' own: a slow moment of the machine concerns both of a pair. */
export function compare(pairs: readonly (readonly [a: number, b: number])[]): Comparison {
  const ratios = pairs.map(([a, b]) => a / b)
  return {
    a: median(pairs.map(([a]) => a)),
    b: median(pairs.map(([, b]) => b)),
    ratio: median(ratios),
    min: Math.min(...ratios),
    max: Math.max(...ratios),
  }
}
