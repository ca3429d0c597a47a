/** Named counters of one local server. */
export type Stats<Name extends string> = {
  add(name: Name, count?: number): void
  snapshot(): Record<Name, number>
  reset(): void
}

/** Counters that all start, and restart, at `zero`. */
export function createStats<Name extends string>(zero: Readonly<Record<Name, number>>): Stats<Name> {
  let counts: Record<Name, number> = { ...zero }
  return {
    add(name, count = 1) {
      counts[name] += count
    },
    snapshot: () => ({ ...counts }),
    reset() {
      counts = { ...zero }
    },
  }
}
