import { z } from '@hono/zod-openapi'
import { Failure } from '../core/failure.ts'
import { type ApiContext, type App, timeTier } from '../http/api.ts'
import { documentComponents, errorResponse, successResponse } from '../http/document.ts'
import type { Gateway } from '../store/gateway.ts'
import { renderReference } from './reference.ts'

const Health = z.object({ status: z.literal('ok') }).openapi('Health')
const Readiness = z.object({ status: z.literal('ready'), postgres: z.literal('ok') }).openapi('Readiness')

const DOCUMENT = {
  openapi: '3.1.0',
  info: {
    title: 'MEC',
    version: '1.0.0',
    description: `Metering, Entitlements, Controls: may this account do this now, and an exact record of what was done.

- **Authentication**: \`Authorization: Bearer <API key or JWT>\`. Scopes: \`check\`, \`meter\`, \`lease\`, \`read\`, \`admin\` (implies the rest).
- **A denial is a 200** with \`allowed: false\` and a \`reason\`; errors are never used for one.
- **Order of checks**: 404 and 405; a token or key that can be refused by itself (401); a token's scopes (403); body and fields (413, 415, 400); a token's account (403); then the database, which decides on API keys (401, 403) and all the rest. So a bad request with a well-formed but unknown key may get 400.
- **Quantities** are JSON numbers of at most 15 significant digits and 6 decimals. A number that JSON parsers would round is refused.
- **Unknown fields** are refused, in bodies and in queries.
- **Account ids in paths** are percent-encoded; only \`.\` and \`..\` cannot be written there, for URLs have another use for them.
- **HEAD** answers as GET does; **OPTIONS** lists the methods in \`Allow\`.`,
  },
  servers: [{ url: '/' }],
  tags: [
    { name: 'Decisions' },
    { name: 'Metering' },
    { name: 'Reservations' },
    { name: 'Leases' },
    { name: 'Inventory' },
    { name: 'Accounts' },
    { name: 'Entitlements' },
    { name: 'Plans' },
    { name: 'Subscriptions' },
    { name: 'Rules' },
    { name: 'Resources and units' },
    { name: 'Namespaces' },
    { name: 'Keys' },
    { name: 'Test clock' },
    { name: 'Billing' },
    { name: 'Audit' },
    { name: 'Operations' },
  ],
}

/** What needs no credential: whether it lives, whether it can serve, and what it serves. */
export function serveSystem(app: App, gateway: Gateway, nowMs: () => number): void {
  documentSystem(app)
  const document = once(() => app.getOpenAPI31Document(DOCUMENT, { sortComponents: 'alphabetically' }))
  const documentText = once(() => JSON.stringify(document()))
  const reference = once(() => renderReference(document()))

  function handleHealth(c: ApiContext) {
    return c.json({ status: 'ok' })
  }
  async function handleReady(c: ApiContext) {
    try {
      await timeTier(c, nowMs, 'postgres', gateway.ready)
    } catch {
      throw new Failure(503, 'not_ready', 'postgres: does not answer, or its schema is not there yet.')
    }
    return c.json({ status: 'ready', postgres: 'ok' })
  }
  function handleDocument(c: ApiContext) {
    return c.body(documentText(), 200, { 'Content-Type': 'application/json' })
  }
  function handleReference(c: ApiContext) {
    c.header('Content-Security-Policy', "default-src 'none'; style-src 'unsafe-inline'")
    return c.html(reference())
  }
  app.get('/healthz', handleHealth)
  app.get('/readyz', handleReady)
  app.get('/openapi.json', handleDocument)
  app.get('/docs', handleReference)
}

function documentSystem(app: App): void {
  const registry = app.openAPIRegistry
  documentComponents(registry)
  const operation = { method: 'get' as const, tags: ['Operations'], security: [] }
  registry.registerPath({
    ...operation,
    path: '/healthz',
    operationId: 'getHealth',
    summary: 'Is the process alive?',
    responses: { 200: successResponse('It is.', Health, { status: 'ok' }) },
  })
  registry.registerPath({
    ...operation,
    path: '/readyz',
    operationId: 'getReadiness',
    summary: 'Can it serve?',
    responses: {
      200: successResponse('It can.', Readiness, { status: 'ready', postgres: 'ok' }),
      503: errorResponse(503, 'Not yet: `not_ready`. The message names the part that fails.'),
    },
  })
}

/** Made on first use: no check should wait for the documentation. */
function once<Value>(make: () => Value): () => Value {
  let made: { value: Value } | undefined
  return function madeOnce() {
    made ??= { value: make() }
    return made.value
  }
}
