import { RedisError, type Reply, Status } from './reply.ts'

/** An array that still lacks items. */
type OpenArray = { items: Reply[]; missing: number }

const CR = 13

/**
 * Reads RESP2 replies out of the chunks of a connection; calls `onReply` with each complete one. Keeps its place in
 * nested arrays, and joins the chunks of a long value once, so the cost is linear in the bytes.
 */
export function createRespParser(onReply: (reply: Reply) => void): (chunk: Buffer) => void {
  let chunks: Buffer[] = []
  let held = 0
  /** Bytes without which there is no use in looking again. */
  let needed = 0
  const open: OpenArray[] = []

  function complete(reply: Reply): void {
    let value = reply
    for (;;) {
      const array = open.at(-1)
      if (array === undefined) {
        onReply(value)
        return
      }
      array.items.push(value)
      if (--array.missing > 0) return
      open.pop()
      value = array.items
    }
  }

  /** Reads one header, or value, at `start`; returns where it ends, or -1 when it is not all there. */
  function step(data: Buffer, start: number): number {
    const cr = data.indexOf(CR, start)
    if (cr === -1 || cr + 1 >= data.length) return -1
    const text = data.toString('utf8', start + 1, cr)
    const next = cr + 2
    switch (data[start]) {
      case 0x24: {
        const length = Number(text)
        if (length === -1) complete(null)
        if (length === -1) return next
        if (next + length + 2 > data.length) {
          needed = next + length + 2 - start
          return -1
        }
        complete(data.subarray(next, next + length))
        return next + length + 2
      }
      case 0x2a: {
        const length = Number(text)
        if (length > 0) open.push({ items: [], missing: length })
        else complete(length === 0 ? [] : null)
        return next
      }
      case 0x3a:
        complete(Number.isSafeInteger(Number(text)) ? Number(text) : BigInt(text))
        return next
      case 0x2b:
        complete(new Status(text))
        return next
      case 0x2d:
        complete(new RedisError(text))
        return next
      default:
        throw new Error(`not a RESP2 reply: ${JSON.stringify(data.toString('latin1', start, start + 20))}`)
    }
  }

  return (chunk) => {
    chunks.push(chunk)
    held += chunk.length
    if (held < needed) return
    const data = chunks.length === 1 ? chunk : Buffer.concat(chunks)
    needed = 0
    let position = 0
    while (position < data.length) {
      const end = step(data, position)
      if (end === -1) break
      position = end
    }
    const rest = data.subarray(position)
    chunks = rest.length === 0 ? [] : [rest]
    held = rest.length
  }
}
