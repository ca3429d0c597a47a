export type RedisOptions = {
  /** Where a server's pid is kept, so that the next start can end one that a killed run left. No data is ever kept. */
  dataDir?: string
  /** Loopback port. Without one, a free one. */
  port?: number
  /** `server`: a redis-server or valkey-server on the PATH; `embedded`: one in JavaScript; `auto`: the first that is there. */
  engine?: 'auto' | 'server' | 'embedded'
}

export type RunningRedis = {
  port: number
  engineName: 'redis-server' | 'valkey-server' | 'js-redis-server'
  /** Of the server; undefined for the embedded one, which is in this process. */
  pid: number | undefined
  /** Resolves once nothing listens any more. Its data are gone. May be called twice. */
  stop(): Promise<void>
}
