import type { ErrorHandler, MiddlewareHandler, NotFoundHandler } from 'hono'
import { Failure } from '../core/failure.ts'
import type { App, RequestVariables, Tier } from './api.ts'
import { REQUEST_ID_PATTERN } from './document.ts'
import { asFailure, failureResponse } from './errors.ts'
import type { Observe } from './observe.ts'
import { limitFailure, type RateLimiters } from './rate-limit.ts'

type Env = { Variables: RequestVariables }
const REQUEST_ID = new RegExp(REQUEST_ID_PATTERN)

/** Gives every request its id and every response `X-Request-Id` and `Server-Timing`, errors included. */
export function createRequestContext(
  newRequestId: () => string,
  nowMs: () => number,
  observe: Observe,
): MiddlewareHandler<Env> {
  return async function requestContext(c, next) {
    const start = nowMs()
    const given = c.req.header('x-request-id') ?? ''
    const requestId = REQUEST_ID.test(given) ? given : newRequestId()
    c.set('requestId', requestId)
    const timings = new Map<Tier, number>()
    const facts = {}
    c.set('timings', timings)
    c.set('facts', facts)
    await next()
    const totalMs = nowMs() - start
    c.res.headers.set('X-Request-Id', requestId)
    c.res.headers.set('Server-Timing', serverTiming(timings, totalMs))
    observe({ ...facts, requestId, method: c.req.method, status: c.res.status, totalMs, timings })
  }
}

/** Without any I/O only the total says something. */
function serverTiming(timings: ReadonlyMap<Tier, number>, totalMs: number): string {
  const parts = timings.size > 0 ? Array.from(timings) : [['total', totalMs] as const]
  return parts.map(([name, ms]) => `${name};dur=${ms.toFixed(1)}`).join(', ')
}

/** Only what is not one of ours is logged here: the database's faults are logged where they arise. */
export function createErrorHandler(limiters: RateLimiters): ErrorHandler<Env> {
  return async function answerError(error, c) {
    const requestId = c.get('requestId')
    if (!(error instanceof Failure)) {
      const { name, stack } = error
      console.error(JSON.stringify({ event: 'unexpected_error', request_id: requestId, name, stack }))
    }
    const failure = await limitFailure(asFailure(error), c.req.header('cf-connecting-ip'), limiters)
    return failureResponse(failure, requestId)
  }
}

/** 404 for a path that nobody serves; for one that is served by other methods 405, or its methods if that was asked. */
export function answerUnknownRoute(app: App): NotFoundHandler<Env> {
  return function unknownRoute(c) {
    const allow = methodsOf(app, c.req.path).join(', ')
    if (allow && c.req.method === 'OPTIONS') return c.body(null, 204, { Allow: allow })
    const failure = allow
      ? new Failure(405, 'method_not_allowed', `This path has the methods ${allow}.`, { headers: { Allow: allow } })
      : new Failure(404, 'not_found', 'There is nothing at this path.')
    // Returned, not thrown: thrown from here it would skip the headers that every response has.
    return failureResponse(failure, c.get('requestId'))
  }
}

function methodsOf(app: App, path: string): readonly string[] {
  const served = app.routes.filter((route) => route.method !== 'ALL' && matches(route.path, path))
  const methods = new Set(served.map((route) => route.method))
  if (methods.size === 0) return []
  if (methods.has('GET')) methods.add('HEAD')
  return [...methods, 'OPTIONS'].sort()
}

function matches(pattern: string, path: string): boolean {
  const segments = path.split('/')
  const expected = pattern.split('/')
  return (
    segments.length === expected.length &&
    expected.every((segment, index) => (segment.startsWith(':') ? segments[index] !== '' : segment === segments[index]))
  )
}
