import { parentPort, workerData } from 'node:worker_threads'
import { z } from 'zod'
import { startNeonProxy } from '../../../local/neon/proxy.ts'
import { startUpstashProxy } from '../../../local/upstash/proxy.ts'

/** A protocol server on a thread of its own: on the load generator's it would wait for its turn behind the load. */
const settings = z
  .discriminatedUnion('protocol', [
    z.object({ protocol: z.literal('neon'), port: z.int() }),
    z.object({ protocol: z.literal('upstash'), port: z.int(), token: z.string() }),
  ])
  .parse(workerData)
const proxy =
  settings.protocol === 'neon'
    ? await startNeonProxy({ upstream: { port: settings.port } })
    : await startUpstashProxy({ redisPort: settings.port, token: settings.token })
parentPort?.once('message', async () => {
  await proxy.stop()
  process.exit(0)
})
parentPort?.postMessage({ url: proxy.url })
