import type { IncomingMessage } from 'node:http'

/** How far a body over its limit is still read, and thrown away, so that its sender gets to see the answer. */
const MAX_DRAINED_BYTES = 64 * 1024 * 1024

/**
 * The body of a request, or undefined when it is over `maxBytes`.
 * @throws when the client goes away before its end
 */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = []
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= maxBytes) chunks.push(chunk)
      else chunks = []
      if (size > MAX_DRAINED_BYTES) request.destroy()
    })
    request.on('end', () => {
      const [first] = chunks
      resolve(size > maxBytes ? undefined : chunks.length === 1 ? first : Buffer.concat(chunks))
    })
    request.on('error', reject)
    request.on('close', () => reject(new Error('the client went away')))
  })
}
