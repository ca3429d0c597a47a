import { Client } from 'pg'
import type { Credentials } from './credentials.ts'
import { ConnectError } from './errors.ts'
import { Reset } from './reset.ts'

export type Pool = {
  /**
   * A clean connection, at most after `acquireTimeoutMs`. Give it back with `release`.
   * @throws ConnectError
   */
  acquire(credentials: Credentials): Promise<Client>
  /** Cleans the connection up behind its user's back, then offers it again; or closes it, when it is `broken`. */
  release(client: Client, broken: boolean): void
  end(): Promise<void>
}

export type PoolOptions = {
  host: string
  port: number
  /** Over all users and databases. Postgres has 100 in all and tests open some of their own. */
  maxConnections: number
  acquireTimeoutMs: number
}

type Waiter = {
  key: string
  credentials: Credentials
  timer: NodeJS.Timeout
  resolve(client: Client): void
  reject(error: Error): void
}

/**
 * Connections by user, password and database. A new one is opened only when none is idle and none of the same kind is
 * just being cleaned up (which takes less time); when all places are taken, another kind's idle one makes room.
 */
export function createPool({ host, port, maxConnections, acquireTimeoutMs }: PoolOptions): Pool {
  const keys = new Map<Client, string>()
  const idle = new Map<string, Client[]>()
  let waiters: Waiter[] = []
  /** Connections being opened, which have a place already. */
  let opening = 0
  const closing = new Set<Promise<void>>()
  /** How many of each kind are being cleaned up. */
  const cleaning = new Map<string, number>()
  let ended = false

  const keyOf = ({ user, password, database }: Credentials) => JSON.stringify([user, password, database])

  function takeIdle(key: string): Client | undefined {
    // The one used last has the warmest caches.
    return idle.get(key)?.pop()
  }

  function forget(client: Client): void {
    const key = keys.get(client)
    if (key === undefined) return
    keys.delete(client)
    const left = idle.get(key)?.filter((other) => other !== client) ?? []
    if (left.length === 0) idle.delete(key)
    else idle.set(key, left)
  }

  function offer(client: Client, key: string): void {
    const clients = idle.get(key)
    if (clients === undefined) idle.set(key, [client])
    else clients.push(client)
  }

  function close(client: Client): void {
    forget(client)
    const gone = client.end().catch(() => {})
    closing.add(gone)
    void gone.then(() => {
      closing.delete(gone)
      serveWaiters()
    })
  }

  async function open(waiter: Waiter): Promise<void> {
    opening++
    // From here on the connection's own timeout counts: a waiter that gave up would leave it without a user.
    clearTimeout(waiter.timer)
    const connectionTimeoutMillis = acquireTimeoutMs
    const client = new Client({ ...waiter.credentials, host, port, ssl: false, connectionTimeoutMillis })
    // Without a listener, a connection lost while idle would end the process.
    client.on('error', () => forget(client))
    client.on('end', () => {
      forget(client)
      serveWaiters()
    })
    try {
      await client.connect()
      opening--
      keys.set(client, waiter.key)
      waiter.resolve(client)
      if (ended) close(client)
    } catch (error) {
      opening--
      waiter.reject(new ConnectError(error))
      serveWaiters()
    }
  }

  function serveWaiters(): void {
    const still: Waiter[] = []
    const soonIdle = new Map(cleaning)
    for (const waiter of waiters) {
      const client = takeIdle(waiter.key)
      const soon = soonIdle.get(waiter.key) ?? 0
      if (client !== undefined) {
        clearTimeout(waiter.timer)
        waiter.resolve(client)
      } else if (soon > 0) {
        soonIdle.set(waiter.key, soon - 1)
        still.push(waiter)
      } else if (keys.size + opening < maxConnections) void open(waiter)
      else {
        const other = [...idle.values()].find((clients) => clients.length > 0)?.[0]
        if (other !== undefined) close(other)
        still.push(waiter)
      }
    }
    waiters = still
  }

  return {
    acquire(credentials) {
      const key = keyOf(credentials)
      const client = takeIdle(key)
      if (client !== undefined) return Promise.resolve(client)
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiters = waiters.filter((other) => other.timer !== timer)
          reject(new ConnectError(`no connection became free within ${acquireTimeoutMs} ms`))
        }, acquireTimeoutMs)
        waiters.push({ key, credentials, timer, resolve, reject })
        serveWaiters()
      })
    },
    release(client, broken) {
      // Neon's proxy closes a connection that was left inside a transaction, too.
      const key = keys.get(client)
      if (broken || key === undefined || client.getTransactionStatus() !== 'I') {
        close(client)
        return
      }
      cleaning.set(key, (cleaning.get(key) ?? 0) + 1)
      void client.query(new Reset()).done.then((worked) => {
        const left = (cleaning.get(key) ?? 1) - 1
        if (left === 0) cleaning.delete(key)
        else cleaning.set(key, left)
        if (!worked) close(client)
        else if (keys.has(client)) offer(client, key)
        if (waiters.length > 0) serveWaiters()
      })
    },
    async end() {
      ended = true
      for (const { timer, reject } of waiters) {
        clearTimeout(timer)
        reject(new ConnectError('shutting down'))
      }
      waiters = []
      for (const client of keys.keys()) close(client)
      await Promise.all(closing)
    },
  }
}
