/** Looks into an isolate through V8's inspector. */
export type Heap = {
  /** Bytes in use after a full collection: JavaScript's, and the buffers that it holds. */
  usedBytes(): Promise<number>
  close(): void
}

const BUDGET_MS = 60_000

export async function openHeap(inspectorUrl: string): Promise<Heap> {
  const socket = new WebSocket(inspectorUrl)
  const waiting = new Map<number, (message: { result?: object; error?: object }) => void>()
  let sent = 0
  socket.addEventListener('message', ({ data }) => {
    const message = JSON.parse(String(data))
    waiting.get(message.id)?.(message)
  })
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve())
    socket.addEventListener('error', () => reject(new Error(`no inspector at ${inspectorUrl}`)))
  })

  async function call(method: string): Promise<Record<string, unknown>> {
    const id = ++sent
    const { promise, resolve, reject } = Promise.withResolvers<{ result?: object; error?: object }>()
    const timer = setTimeout(() => reject(new Error(`${method}: no answer`)), BUDGET_MS)
    waiting.set(id, resolve)
    socket.send(JSON.stringify({ id, method }))
    const { result, error } = await promise.finally(() => {
      clearTimeout(timer)
      waiting.delete(id)
    })
    if (error) throw new Error(`${method}: ${JSON.stringify(error)}`)
    return { ...result }
  }

  return {
    async usedBytes() {
      // What is in it nobody wants, but nothing else has workerd collect first.
      await call('HeapProfiler.takeHeapSnapshot')
      const { usedSize, backingStorageSize = 0 } = await call('Runtime.getHeapUsage')
      return Number(usedSize) + Number(backingStorageSize)
    },
    close: () => socket.close(),
  }
}
