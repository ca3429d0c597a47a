/** One command: its name and arguments, all of them text. */
export type Command = readonly string[]

/** A Redis that is out of reach, too slow, or refuses. Its message is for the logs. */
export class RedisFailure extends Error {
  override readonly name = 'RedisFailure'
}

/**
 * Redis over Upstash's REST protocol, as much of it as is used here. The official client is 31 KiB gzipped, with
 * retries and pipelines of its own making: docs/adr/0003-redis-client.md.
 */
export interface Redis {
  /** @throws RedisFailure */
  command(command: Command, budgetMs: number): Promise<unknown>
  /** In one request, in order, not atomic. A command that Redis refuses gives its `RedisFailure` in its place. @throws RedisFailure */
  pipeline(commands: readonly Command[], budgetMs: number): Promise<readonly unknown[]>
}

export interface RedisSettings {
  readonly url: string
  readonly token: string
}

export function createRedis({ url, token }: RedisSettings): Redis {
  const root = url.replace(/\/+$/, '')
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }

  async function post(path: string, body: unknown, budgetMs: number): Promise<unknown> {
    try {
      const response = await fetch(`${root}${path}`, {
        method: 'POST',
        headers,
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(budgetMs),
      })
      return await response.json()
    } catch (error) {
      throw new RedisFailure(error instanceof Error ? error.message : String(error))
    }
  }

  return {
    async command(command, budgetMs) {
      return resultOf(await post('/', command, budgetMs))
    },
    async pipeline(commands, budgetMs) {
      const replies = await post('/pipeline', commands, budgetMs)
      if (!Array.isArray(replies)) return [resultOf(replies)]
      return replies.map(resultOrFailure)
    },
  }
}

/** `{"result":…}`, or `{"error":"…"}` whatever the status. */
function resultOf(reply: unknown): unknown {
  if (typeof reply === 'object' && reply !== null && 'result' in reply) return reply.result
  const error = typeof reply === 'object' && reply !== null && 'error' in reply ? reply.error : 'no reply of Redis'
  throw new RedisFailure(String(error))
}

function resultOrFailure(reply: unknown): unknown {
  try {
    return resultOf(reply)
  } catch (failure) {
    return failure
  }
}
