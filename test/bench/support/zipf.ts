import { percentile } from './statistics.ts'

/** How the load of many accounts is spread: the n-th most active has 1/n of the first one's (Zipf, s = 1). */
export type Zipf = { share(rank: number): number; sample(): number }

export function createZipf(size: number, random: () => number): Zipf {
  const sums = new Float64Array(size)
  let sum = 0
  for (let rank = 0; rank < size; rank++) {
    sum += 1 / (rank + 1)
    sums[rank] = sum
  }
  return {
    share: (rank) => 1 / (rank + 1) / sum,
    sample() {
      const drawn = random() * sum
      let [low, high] = [0, size - 1]
      while (low < high) {
        const middle = (low + high) >> 1
        if ((sums[middle] ?? sum) < drawn) low = middle + 1
        else high = middle
      }
      return low
    },
  }
}

/** Mulberry32: the same numbers in each run. */
export function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export function quantiles(values: readonly number[]): { p50: number; p95: number; p99: number } | null {
  if (values.length === 0) return null
  const ascending = values.toSorted((a, b) => a - b)
  return { p50: percentile(ascending, 0.5), p95: percentile(ascending, 0.95), p99: percentile(ascending, 0.99) }
}
