/** A map of bounded number and size: what was used longest ago makes room. Sizes are the caller's to tell. */
export interface Lru<Value> {
  get(name: string): Value | undefined
  set(name: string, value: Value, bytes: number): void
}

export function createLru<Value>(maxEntries: number, maxBytes: number): Lru<Value> {
  // A Map keeps the order of insertion: the first is the one used longest ago.
  const entries = new Map<string, { readonly value: Value; readonly bytes: number }>()
  let bytesHeld = 0

  function remove(name: string): void {
    bytesHeld -= entries.get(name)?.bytes ?? 0
    entries.delete(name)
  }

  return {
    get(name) {
      const entry = entries.get(name)
      if (!entry) return undefined
      entries.delete(name)
      entries.set(name, entry)
      return entry.value
    },
    set(name, value, bytes) {
      remove(name)
      entries.set(name, { value, bytes })
      bytesHeld += bytes
      for (const oldest of entries.keys()) {
        if (entries.size <= maxEntries && bytesHeld <= maxBytes) break
        remove(oldest)
      }
    },
  }
}
