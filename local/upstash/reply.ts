/** An error that Redis answered with. */
export class RedisError extends Error {}

/** A status such as OK or PONG, which Redis distinguishes from a value. */
export class Status {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

/** A RESP2 reply. Values stay bytes; integers beyond 2^53 are bigints. */
export type Reply = null | number | bigint | Buffer | Status | RedisError | Reply[]

/**
 * The reply as the JSON of Upstash's `result`. With `base64`, every string in it is base64, only a status OK stays
 * itself when it is the whole reply. Integers keep all their digits.
 */
export function replyToJson(reply: Reply, base64: boolean, nested = false): string {
  if (reply === null) return 'null'
  if (typeof reply === 'number' || typeof reply === 'bigint') return String(reply)
  if (Array.isArray(reply)) return `[${reply.map((item) => replyToJson(item, base64, true)).join(',')}]`
  if (reply instanceof Status && reply.text === 'OK' && !nested) return '"OK"'
  const bytes = Buffer.isBuffer(reply) ? reply : Buffer.from(reply instanceof Status ? reply.text : reply.message)
  return base64 ? `"${bytes.toString('base64')}"` : JSON.stringify(bytes.toString())
}
