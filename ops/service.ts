import { z } from 'zod'
import { Refusal } from './refusal.ts'

const REQUEST_BUDGET_MS = 15_000
const SHOWN_BODY_LENGTH = 400

/** One answer, as a report shows it. */
export type Heard = { status: number; ms: number; serverTiming: string }

/** A deployed service as a client of it sees it, who compares each answer with what it should be. */
export type Service = {
  /** @throws Refusal that says what came instead of this status and this shape. */
  ask<Shape extends z.ZodType>(request: Request, status: number, shape: Shape): Promise<z.output<Shape>>
  /** The answers since it was last asked for them. */
  heard(): Heard[]
}

export type Request = {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  path: string
  body?: object
  /** Another credential than the service's own. */
  key?: string
}

export function connectService(url: URL, key: string): Service {
  let heard: Heard[] = []

  async function send({ method, path, body, key: otherKey }: Request): Promise<{ status: number; text: string }> {
    const started = performance.now()
    const response = await fetch(new URL(path, url), {
      method,
      headers: { Authorization: `Bearer ${otherKey ?? key}`, 'Content-Type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      redirect: 'manual',
      signal: AbortSignal.timeout(REQUEST_BUDGET_MS),
    })
    const text = await response.text()
    const ms = performance.now() - started
    heard.push({ status: response.status, ms, serverTiming: response.headers.get('server-timing') ?? '' })
    return { status: response.status, text }
  }

  return {
    async ask(request, status, shape) {
      const asked = `${request.method} ${request.path}`
      const answer = await send(request).catch((error: unknown) => {
        throw new Refusal(`${asked}: no answer from ${url.origin}: ${reasonOf(error)}`)
      })
      const shown = answer.text.slice(0, SHOWN_BODY_LENGTH)
      if (answer.status !== status) {
        throw new Refusal(`${asked}: ${answer.status} instead of ${status}: ${shown}${hintOf(answer.status)}`)
      }
      const parsed = shape.safeParse(jsonOf(answer.text))
      if (parsed.success) return parsed.data
      throw new Refusal(`${asked}: ${z.prettifyError(parsed.error)} in: ${shown}`)
    },
    heard() {
      const since = heard
      heard = []
      return since
    },
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function hintOf(status: number): string {
  if (status === 401) return '\nIs it a key of this service, made with its KEY_PEPPER, and not revoked?'
  if (status === 403) return '\nIt must be an admin key.'
  return ''
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message
}
