import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { z } from 'zod'

const STOP_BUDGET_MS = 3_000

const Stats = z.object({ requests: z.number(), commands: z.number().default(0) })

export type StoreProxy = {
  /** For the driver that speaks its protocol. */
  url: string
  /** Its own counters since they were last set to zero; `commands` are Redis'. */
  stats(): Promise<z.output<typeof Stats>>
  resetStats(): Promise<void>
  /** Each request waits so long before anything is done with it. 0: none does. */
  delay(ms: number): Promise<void>
  stop(): Promise<void>
}

export type StoreProxySettings =
  | { protocol: 'neon' /** Postgres'. */; port: number }
  | { protocol: 'upstash' /** Redis'. */; port: number; token: string }

/** Starts Neon's or Upstash's protocol in front of the store on a port. */
export async function startProxy(settings: StoreProxySettings): Promise<StoreProxy> {
  const thread = new Worker(new URL('proxy-thread.ts', import.meta.url), { workerData: settings })
  // Its errors reject this.
  const [message] = await once(thread, 'message')
  const { url } = z.object({ url: z.string() }).parse(message)

  async function control(method: string, path: string, body?: object): Promise<unknown> {
    const response = await fetch(new URL(path, url), { method, ...(body && { body: JSON.stringify(body) }) })
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`)
    return await response.json()
  }

  return {
    url,
    stats: async () => Stats.parse(await control('GET', '/__local/stats')),
    async resetStats() {
      await control('DELETE', '/__local/stats')
    },
    async delay(ms) {
      await control('POST', '/__local/faults', { delay: ms === 0 ? null : { ms } })
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
