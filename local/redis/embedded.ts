import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import {
  attachSession,
  createRedisCommandExecutor,
  RedisServerState,
  SocketConnectionTransport,
} from 'js-redis-server/core'
import type { RedisOptions, RunningRedis } from './types.ts'

/**
 * Redis in JavaScript, in this process. Assembled from the package's parts because its own server listens on all
 * interfaces, and closes only after its last client has gone.
 */
export async function startEmbedded({ port = 0 }: RedisOptions): Promise<RunningRedis> {
  const state = new RedisServerState()
  const executor = createRedisCommandExecutor()
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    attachSession(new SocketConnectionTransport(socket), { state, executor })
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a TCP server has no port')
  return {
    port: address.port,
    engineName: 'js-redis-server',
    pid: undefined,
    async stop() {
      if (!server.listening) return
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
      state.close()
    },
  }
}
