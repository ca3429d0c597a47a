import type { IncomingMessage } from 'node:http'
import type { Faults } from '../faults.ts'
import { type Answer, startProtocolServer } from '../protocol-server.ts'
import { createStats, type Stats } from '../stats.ts'
import { BadCommand, commandFromJson, commandFromPath, commandsFromJson, parseJson, unavailable } from './commands.ts'
import { RedisError, type Reply, replyToJson } from './reply.ts'
import { createRespClient, RedisDown, type RespClient } from './resp-client.ts'

export type UpstashProxyOptions = {
  /** A Redis on loopback. */
  redisPort: number
  /** What clients have to send as their bearer token. */
  token: string
  /** Loopback port. Without one, a free one. */
  port?: number
  /** How long Redis may leave a request without an answer before it is answered 503. Default 10 s. */
  timeoutMs?: number
}

export type UpstashProxy = {
  /** For the `url` of `@upstash/redis`, with `token`. */
  url: string
  token: string
  port: number
  /** `requests` that came in, also those that a fault swallowed; `commands` that were sent to Redis for them. */
  stats: Stats<'requests' | 'commands'>
  faults: Faults
  stop(): Promise<void>
}

/** Upstash's own limit of its larger plans. */
const MAX_BODY_BYTES = 10 * 1024 * 1024
/** Few, so that Redis gets many commands per read; more than one, so that a large answer holds up only its own. */
const CONNECTIONS = 3
/** The client sends it back; on one node every write has been seen by the time it is answered. */
const SYNC_TOKEN = 'local'

/**
 * Upstash's REST API in front of a Redis, for the unmodified `@upstash/redis`, as
 * https://upstash.com/docs/redis/features/restapi describes it.
 */
export async function startUpstashProxy(options: UpstashProxyOptions): Promise<UpstashProxy> {
  const stats = createStats({ requests: 0, commands: 0 })
  const client = { port: options.redisPort, timeoutMs: options.timeoutMs ?? 10_000 }
  const clients = Array.from({ length: CONNECTIONS }, () => createRespClient(client))
  let turn = 0

  function nextClient(): RespClient {
    turn = (turn + 1) % CONNECTIONS
    return clients[turn] ?? nextClient()
  }

  const server = await startProtocolServer({
    port: options.port,
    maxBodyBytes: MAX_BODY_BYTES,
    stats,
    handle: (request, body) => handle(request, body, options.token, nextClient(), stats).catch(errorAnswer),
    failed,
  })
  return {
    url: `http://127.0.0.1:${server.port}`,
    token: options.token,
    port: server.port,
    stats,
    faults: server.faults,
    async stop() {
      await server.stop()
      for (const each of clients) each.end()
    },
  }
}

async function handle(
  request: IncomingMessage,
  body: Buffer,
  token: string,
  client: RespClient,
  stats: UpstashProxy['stats'],
): Promise<Answer> {
  const [path = '/', search = ''] = (request.url ?? '/').split('?', 2)
  const query = new URLSearchParams(search)
  if (request.headers.authorization !== `Bearer ${token}` && query.get('_token') !== token) {
    return failed(401, 'Unauthorized')
  }
  if (!['HEAD', 'GET', 'POST', 'PUT'].includes(request.method ?? '')) return failed(405, 'ERR method not allowed')
  const base64 = request.headers['upstash-encoding'] === 'base64'

  switch (path) {
    case '/pipeline': {
      const commands = commandsFromJson(parseJson(body))
      const replies: (Reply | undefined)[] = commands.map(unavailable)
      const sent = commands.filter((_, index) => replies[index] === undefined)
      stats.add('commands', sent.length)
      const answers = (sent.length === 0 ? [] : await client.send(sent)).values()
      return ok(
        list(
          replies.map((refusal) => refusal ?? answers.next().value ?? null),
          base64,
        ),
      )
    }
    case '/multi-exec': {
      const commands = commandsFromJson(parseJson(body))
      const refusal = commands.map(unavailable).find((each) => each !== undefined)
      if (refusal !== undefined) return failed(400, refusal.message)
      stats.add('commands', commands.length)
      // One piece on its connection, so nothing can come between, not even from this connection's other requests.
      const outcome = (await client.send([['MULTI'], ...commands, ['EXEC']])).at(-1)
      if (outcome instanceof RedisError) return failed(400, outcome.message)
      return ok(list(Array.isArray(outcome) ? outcome : [], base64))
    }
    default: {
      const command = path === '/' ? commandFromJson(parseJson(body)) : commandFromPath(path, query, body)
      const refusal = unavailable(command)
      if (refusal !== undefined) return failed(400, refusal.message)
      stats.add('commands')
      const [reply = null] = await client.send([command])
      if (reply instanceof RedisError) return failed(400, reply.message)
      return ok(result(reply, base64))
    }
  }
}

function ok(body: string): Answer {
  return { status: 200, body, headers: { 'upstash-sync-token': SYNC_TOKEN } }
}

function list(replies: readonly Reply[], base64: boolean): string {
  return `[${replies.map((reply) => result(reply, base64)).join(',')}]`
}

function result(reply: Reply, base64: boolean): string {
  // Errors are never encoded.
  if (reply instanceof RedisError) return JSON.stringify({ error: reply.message })
  return `{"result":${replyToJson(reply, base64)}}`
}

function failed(status: number, message: string): Answer {
  return { status, body: JSON.stringify({ error: message }) }
}

function errorAnswer(error: unknown): Answer {
  if (error instanceof BadCommand) return failed(400, error.message)
  if (error instanceof RedisDown) return failed(503, error.message)
  throw error
}
