import { parentPort, workerData } from 'node:worker_threads'
import { z } from 'zod'
import { startNeonProxy } from '../../../local/neon/proxy.ts'

/** Neon's protocol on a thread of its own: on the load generator's it would wait for its turn behind the load. */
const { port } = z.object({ port: z.int() }).parse(workerData)
const proxy = await startNeonProxy({ upstream: { port } })
parentPort?.once('message', async () => {
  await proxy.stop()
  process.exit(0)
})
parentPort?.postMessage({ url: proxy.url })
