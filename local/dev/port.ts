import { once } from 'node:events'
import { createServer } from 'node:net'
import { waitUntil } from '../wait-until.ts'
import { CannotStart, reasonOf } from './cannot-start.ts'

/** What a run that has just ended held is free after a moment. */
const PATIENCE_MS = 1_000

/** @throws CannotStart when somebody listens on the port, or we may not */
export async function assertPortFree(port: number): Promise<void> {
  let obstacle: unknown
  const free = await waitUntil(
    async () => {
      const server = createServer()
      try {
        server.listen(port, '127.0.0.1')
        await once(server, 'listening')
        server.close()
        await once(server, 'close')
        return true
      } catch (error) {
        obstacle = error
        return false
      }
    },
    PATIENCE_MS,
    100,
  )
  if (free) return
  const taken = obstacle instanceof Error && 'code' in obstacle && obstacle.code === 'EADDRINUSE'
  throw new CannotStart(
    taken
      ? `port ${port} is taken by another program: stop it, or set PORT to another one`
      : `port ${port} cannot be used (${reasonOf(obstacle)}): set PORT to another one`,
  )
}
