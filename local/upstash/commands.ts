import { RedisError } from './reply.ts'
import type { Command } from './resp-client.ts'

/** A request that is no command; the message is Upstash's error. */
export class BadCommand extends Error {}

/** A command given as JSON: an array of a name and arguments, which Redis gets as text. @throws BadCommand */
export function commandFromJson(value: unknown): Command {
  if (!Array.isArray(value) || value.length === 0) throw new BadCommand('ERR failed to parse command')
  return value.map(argument)
}

/** Several commands as JSON, for `/pipeline` and `/multi-exec`. @throws BadCommand */
export function commandsFromJson(value: unknown): Command[] {
  if (!Array.isArray(value)) throw new BadCommand('ERR failed to parse pipeline request')
  if (value.length === 0) throw new BadCommand('ERR empty pipeline request')
  return value.map(commandFromJson)
}

/**
 * A command given as the URL's path, `/set/foo/bar`. The body, if any, is the last argument, byte by byte; query
 * parameters stand behind it: `POST /set/foo?EX=100`. @throws BadCommand
 */
export function commandFromPath(path: string, query: URLSearchParams, body: Buffer): Command {
  const parts: (string | Buffer)[] = path.slice(1).split('/').map(decode)
  if (body.length > 0) parts.push(body)
  for (const [name, value] of query) if (name !== '_token') parts.push(name, ...(value === '' ? [] : [value]))
  return parts
}

export function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString())
  } catch {
    throw new BadCommand('ERR failed to parse request body as JSON')
  }
}

function argument(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw new BadCommand('ERR failed to parse command')
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw new BadCommand('ERR failed to parse command')
  }
}

/**
 * Not available over REST: each of these would change, block or take over the connection, which all requests share.
 * Upstash refuses them too.
 */
const UNAVAILABLE = new Set(
  (
    'auth hello select quit reset client multi exec discard watch unwatch subscribe psubscribe ssubscribe unsubscribe ' +
    'punsubscribe sunsubscribe monitor sync psync replconf shutdown debug wait waitaof blpop brpop blmove brpoplpush ' +
    'blmpop bzpopmin bzpopmax bzmpop'
  ).split(' '),
)

/** The error for a command that is not available, undefined for one that is. */
export function unavailable(command: Command): RedisError | undefined {
  const name = String(command[0]).toLowerCase()
  const blocks = (name === 'xread' || name === 'xreadgroup') && command.some((part) => /^block$/i.test(String(part)))
  if (!UNAVAILABLE.has(name) && !blocks) return undefined
  return new RedisError(
    `ERR Command is not available: '${name}'. See https://upstash.com/docs/redis/overall/rediscompatibility for details`,
  )
}
