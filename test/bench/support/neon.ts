import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { z } from 'zod'

const STOP_BUDGET_MS = 3_000

export type Neon = {
  /** For NEON_FETCH_ENDPOINT. */
  url: string
  /** The proxy's own counters since they were last set to zero. */
  stats(): Promise<{ requests: number; queries: number }>
  resetStats(): Promise<void>
  stop(): Promise<void>
}

/** Starts Neon's protocol in front of the Postgres on a port. */
export async function startNeon(port: number): Promise<Neon> {
  const thread = new Worker(new URL('proxy-thread.ts', import.meta.url), { workerData: { port } })
  // Its errors reject this.
  const [message] = await once(thread, 'message')
  const { url } = z.object({ url: z.string() }).parse(message)
  const counters = new URL('/__local/stats', url)
  return {
    url,
    async stats() {
      const response = await fetch(counters)
      return z.object({ requests: z.number(), queries: z.number() }).parse(await response.json())
    },
    async resetStats() {
      await (await fetch(counters, { method: 'DELETE' })).text()
    },
    async stop() {
      const ended = once(thread, 'exit')
      thread.postMessage('stop')
      const timer = setTimeout(() => void thread.terminate(), STOP_BUDGET_MS)
      await ended
      clearTimeout(timer)
    },
  }
}
