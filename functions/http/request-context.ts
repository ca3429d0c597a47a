import type { ErrorHandler, NotFoundHandler } from 'hono'
import { Failure } from '../core/failure.ts'
import type { App, RequestState, Tier } from './api.ts'
import { REQUEST_ID_PATTERN } from './document.ts'
import { asFailure, failureResponse } from './errors.ts'
import type { Observe } from './observe.ts'
import { limitFailure, type RateLimiters } from './rate-limit.ts'
import { isOfPattern } from './router.ts'

type Env = { Bindings: RequestState }
const REQUEST_ID = new RegExp(REQUEST_ID_PATTERN)

/** Gives every request its state, and every response `X-Request-Id` and `Server-Timing`, errors included. */
export function createFetch(
  serve: App['fetch'],
  newRequestId: () => string,
  nowMs: () => number,
  observe: Observe,
): App['fetch'] {
  return async function fetchInContext(request, _bindings, context) {
    const start = nowMs()
    const given = request.headers.get('x-request-id')
    const requestId = given !== null && REQUEST_ID.test(given) ? given : newRequestId()
    const timings = new Map<Tier, number>()
    const facts = {}
    const headers: Record<string, string> = { 'Content-Type': 'application/json', 'X-Request-Id': requestId }
    let answered: Response | undefined
    function answer(json: string, status: number): Response {
      headers['Server-Timing'] = serverTiming(timings, nowMs() - start)
      answered = new Response(json, { status, headers })
      return answered
    }
    const response = await serve(
      request,
      { requestId, timings, facts, headers, answer } satisfies RequestState,
      context,
    )
    const totalMs = nowMs() - start
    if (response !== answered) {
      response.headers.set('X-Request-Id', requestId)
      response.headers.set('Server-Timing', serverTiming(timings, totalMs))
    }
    const { method } = request
    observe({ ...facts, requestId, method, status: response.status, totalMs, timings })
    return response
  }
}

/** Without any I/O only the total says something. */
function serverTiming(timings: ReadonlyMap<Tier, number>, totalMs: number): string {
  const parts = timings.size > 0 ? Array.from(timings) : [['total', totalMs] as const]
  return parts.map(([name, ms]) => `${name};dur=${ms === 0 ? '0.0' : ms.toFixed(1)}`).join(', ')
}

/** Only what is not one of ours is logged here: the database's faults are logged where they arise. */
export function createErrorHandler(limiters: RateLimiters): ErrorHandler<Env> {
  return async function answerError(error, c) {
    const { requestId } = c.env
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
    return failureResponse(failure, c.env.requestId)
  }
}

function methodsOf(app: App, path: string): readonly string[] {
  const served = app.routes.filter((route) => route.method !== 'ALL' && isOfPattern(path, route.path))
  const methods = new Set(served.map((route) => route.method))
  if (methods.size === 0) return []
  if (methods.has('GET')) methods.add('HEAD')
  return [...methods, 'OPTIONS'].sort()
}
