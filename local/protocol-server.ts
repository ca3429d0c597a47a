import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { ZodError } from 'zod'
import { createFaults, type Faults } from './faults.ts'
import { readBody } from './read-body.ts'
import type { Stats } from './stats.ts'

export type Answer = { status: number; body: string; headers?: Record<string, string> }

export type Protocol<Name extends string> = {
  /** Loopback port. Without one, a free one. */
  port: number | undefined
  maxBodyBytes: number
  stats: Stats<Name | 'requests'>
  /** Its rejections are answered with `failed`. */
  handle(request: IncomingMessage, body: Buffer): Promise<Answer>
  /** An error answer in the protocol's own shape. */
  failed(status: number, message: string): Answer
}

export type ProtocolServer = { port: number; faults: Faults; stop(): Promise<void> }

/** An idle connection of a client's pool must never be closed under its next request. */
const KEEP_ALIVE_MS = 3_600_000
const MAX_CONTROL_BYTES = 4096

/**
 * The HTTP shell that the local protocol servers share, on 127.0.0.1: bounded bodies, counting, and faults on demand.
 *
 * From other processes the faults are at `/__local/faults` (GET, POST settings as JSON, DELETE) and the counters at
 * `/__local/stats` (GET, DELETE sets them to zero). Neither is counted or suffers faults itself.
 */
export async function startProtocolServer<Name extends string>(protocol: Protocol<Name>): Promise<ProtocolServer> {
  const faults = createFaults()

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url?.startsWith('/__local/') === true) {
      const body = await readBody(request, MAX_CONTROL_BYTES)
      return send(response, control(request, body?.toString() ?? '', faults, protocol.stats))
    }
    protocol.stats.add('requests')
    const { delayMs, dropBefore, errorStatus, dropAfter } = faults.take()
    const body = await readBody(request, protocol.maxBodyBytes)
    if (delayMs > 0) await sleep(delayMs, undefined, { ref: false })
    if (dropBefore) return drop(request)
    if (errorStatus !== undefined) return send(response, protocol.failed(errorStatus, 'injected fault'))
    if (body === undefined) {
      return send(response, protocol.failed(413, `request is too large (max is ${protocol.maxBodyBytes} bytes)`))
    }
    const answer = await protocol.handle(request, body)
    if (dropAfter) return drop(request)
    send(response, answer)
  }

  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, noDelay: true }, (request, response) => {
    serve(request, response).catch((error: unknown) => {
      // A client that went away has nobody left to answer to.
      if (request.socket.destroyed) return
      send(response, protocol.failed(500, error instanceof Error ? error.message : String(error)))
    })
  })
  server.listen(protocol.port ?? 0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a TCP server has no port')
  return {
    port: address.port,
    faults,
    async stop() {
      if (!server.listening) return
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

function send(response: ServerResponse, { status, body, headers }: Answer): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    ...headers,
  })
  response.end(body)
}

function drop(request: IncomingMessage): void {
  request.socket.destroy()
}

function control(request: IncomingMessage, body: string, faults: Faults, stats: Stats<never>): Answer {
  switch (`${request.method} ${request.url}`) {
    case 'POST /__local/faults':
      try {
        faults.set(JSON.parse(body))
      } catch (error) {
        if (error instanceof ZodError || error instanceof SyntaxError) return json({ error: error.message }, 400)
        throw error
      }
      return json(faults.current())
    case 'DELETE /__local/faults':
      faults.clear()
      return json(faults.current())
    case 'GET /__local/faults':
      return json(faults.current())
    case 'DELETE /__local/stats':
      stats.reset()
      return json(stats.snapshot())
    case 'GET /__local/stats':
      return json(stats.snapshot())
    default:
      return json({ error: 'not found' }, 404)
  }
}

function json(value: unknown, status = 200): Answer {
  return { status, body: JSON.stringify(value) }
}
