import { startEmbedded } from './embedded.ts'
import { findServer, startServer } from './server.ts'
import type { RedisOptions, RunningRedis } from './types.ts'

export type { RedisOptions, RunningRedis }

/** Starts an empty Redis on 127.0.0.1. @throws when `engine: 'server'` finds no binary, or when it does not start */
export async function startRedis(options: RedisOptions = {}): Promise<RunningRedis> {
  const { engine = 'auto' } = options
  const server = engine === 'embedded' ? undefined : await findServer()
  if (server !== undefined) return startServer(server, options)
  if (engine === 'server') throw new Error('neither redis-server nor valkey-server is on the PATH')
  return startEmbedded(options)
}
