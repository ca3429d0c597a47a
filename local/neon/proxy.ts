import type { IncomingMessage } from 'node:http'
import type { Client } from 'pg'
import { z } from 'zod'
import type { Faults } from '../faults.ts'
import { type Answer, startProtocolServer } from '../protocol-server.ts'
import { createStats, type Stats } from '../stats.ts'
import { type Credentials, parseConnectionString } from './credentials.ts'
import { BadRequest, errorAnswer, failed, MAX_BYTES } from './errors.ts'
import { paramsToText } from './params.ts'
import { createPool, type Pool } from './pool.ts'
import { ResponseTooLarge, Statement } from './statement.ts'

export type NeonProxyOptions = {
  /** The Postgres that every connection string leads to. */
  upstream: { host?: string; port: number }
  /** Loopback port. Without one, a free one. */
  port?: number
  /** To Postgres, over all users and databases. Default 60, of Postgres' 100. */
  maxConnections?: number
  /** How long a request waits for a connection before it is answered 500. Default 10 s. */
  acquireTimeoutMs?: number
}

export type NeonProxy = {
  /** For `neonConfig.fetchEndpoint`. */
  url: string
  port: number
  /** `requests` that came in, also those that a fault swallowed; `queries` that were sent to Postgres for them. */
  stats: Stats<'requests' | 'queries'>
  faults: Faults
  stop(): Promise<void>
}

const query = z.object({
  query: z.string(),
  params: z.array(z.unknown()).default([]),
  arrayMode: z.boolean().optional(),
})
const payload = z.union([query, z.object({ queries: z.array(query) })])
type Query = z.infer<typeof query>

const ISOLATION_LEVELS = new Map([
  ['ReadUncommitted', 'READ UNCOMMITTED'],
  ['ReadCommitted', 'READ COMMITTED'],
  ['RepeatableRead', 'REPEATABLE READ'],
  ['Serializable', 'SERIALIZABLE'],
])

/**
 * Neon's SQL over HTTP in front of a Postgres, for the unmodified `@neondatabase/serverless`. It follows the sources of
 * Neon's proxy (`proxy/src/serverless`), with one exception: a connection on which a statement failed is cleaned and
 * kept, not closed. A client that goes away does not cancel its query.
 */
export async function startNeonProxy(options: NeonProxyOptions): Promise<NeonProxy> {
  const pool = createPool({
    host: options.upstream.host ?? '127.0.0.1',
    port: options.upstream.port,
    maxConnections: options.maxConnections ?? 60,
    acquireTimeoutMs: options.acquireTimeoutMs ?? 10_000,
  })
  const stats = createStats({ requests: 0, queries: 0 })
  const server = await startProtocolServer({
    port: options.port,
    maxBodyBytes: MAX_BYTES,
    stats,
    handle: (request, body) => handle(request, body, pool, stats).catch(errorAnswer),
    failed,
  })
  return {
    url: `http://127.0.0.1:${server.port}/sql`,
    port: server.port,
    stats,
    faults: server.faults,
    async stop() {
      await server.stop()
      await pool.end()
    },
  }
}

async function handle(
  { method, url, headers }: IncomingMessage,
  body: Buffer,
  pool: Pool,
  stats: NeonProxy['stats'],
): Promise<Answer> {
  if (method !== 'POST' || url !== '/sql') return failed(404, `${method} ${url} is not POST /sql`)
  const credentials = parseConnectionString(headers['neon-connection-string'])
  const begin = startTransaction(headers)
  const work = parsePayload(body)
  const defaultMode = {
    raw: headers['neon-raw-text-output'] === 'true',
    array: headers['neon-array-mode'] === 'true',
  }
  let bytesLeft = MAX_BYTES

  async function run(client: Client, { query, params, arrayMode }: Query): Promise<string> {
    stats.add('queries')
    const mode = { ...defaultMode, array: arrayMode ?? defaultMode.array }
    const statement = client.query(new Statement(query, paramsToText(params), mode, bytesLeft))
    const result = await statement.result
    bytesLeft = statement.bytesLeft
    return result
  }

  if (!('queries' in work))
    return { status: 200, body: await withClient(pool, credentials, (client) => run(client, work)) }
  const results = await withClient(pool, credentials, async (client) => {
    await client.query(begin)
    try {
      const done: string[] = []
      for (const each of work.queries) done.push(await run(client, each))
      await client.query('COMMIT')
      return done
    } catch (error) {
      if (!(error instanceof ResponseTooLarge)) await client.query('ROLLBACK').catch(() => {})
      throw error
    }
  })
  return { status: 200, body: `{"results":[${results.join(',')}]}`, headers: batchHeaders(headers) }
}

async function withClient<T>(pool: Pool, credentials: Credentials, use: (client: Client) => Promise<T>): Promise<T> {
  const client = await pool.acquire(credentials)
  let broken = false
  try {
    return await use(client)
  } catch (error) {
    broken = error instanceof ResponseTooLarge
    throw error
  } finally {
    pool.release(client, broken)
  }
}

/** @throws BadRequest */
function parsePayload(body: Buffer): z.infer<typeof payload> {
  let value: unknown
  try {
    value = JSON.parse(body.toString())
  } catch (error) {
    throw new BadRequest(`could not parse the HTTP request body: ${String(error)}`)
  }
  const parsed = payload.safeParse(value)
  if (!parsed.success) throw new BadRequest('could not parse the HTTP request body: neither a query nor queries')
  return parsed.data
}

/** @throws BadRequest for an isolation level that Neon's proxy does not know, also outside a batch */
function startTransaction(headers: IncomingMessage['headers']): string {
  const options: string[] = []
  const level = headers['neon-batch-isolation-level']
  if (level !== undefined) {
    const sql = ISOLATION_LEVELS.get(String(level))
    if (sql === undefined) throw new BadRequest('invalid isolation level')
    options.push(`ISOLATION LEVEL ${sql}`)
  }
  if (headers['neon-batch-read-only'] === 'true') options.push('READ ONLY')
  if (headers['neon-batch-deferrable'] === 'true') options.push('DEFERRABLE')
  return `START TRANSACTION ${options.join(', ')}`
}

/** Neon says back with which options the batch ran. */
function batchHeaders(headers: IncomingMessage['headers']): Record<string, string> {
  const names = ['neon-batch-isolation-level', 'neon-batch-read-only', 'neon-batch-deferrable']
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = headers[name]
      return typeof value === 'string' && value !== 'false' ? [[name, value]] : []
    }),
  )
}
