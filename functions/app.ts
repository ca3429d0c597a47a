import { OpenAPIHono } from '@hono/zod-openapi'
import { serveCheck } from './api/check.ts'
import { serveConsume } from './api/consume.ts'
import { serveEntitlements } from './api/entitlements.ts'
import { serveKeys } from './api/keys.ts'
import { serveLeases } from './api/leases.ts'
import { serveLedger } from './api/ledger.ts'
import { serveLookups } from './api/lookups.ts'
import { serveMaintenance } from './api/maintenance.ts'
import { serveMeter } from './api/meter.ts'
import { serveNamespaces } from './api/namespaces.ts'
import { servePlans } from './api/plans.ts'
import { serveRules } from './api/rules.ts'
import { serveSubscriptions } from './api/subscriptions.ts'
import { serveSystem } from './api/system.ts'
import { serveTestClock } from './api/test-clock.ts'
import { type App, createApi } from './http/api.ts'
import { mintKey, type RandomBytes } from './http/api-key.ts'
import { createAuthenticate, type Secrets } from './http/auth.ts'
import { importHmacKey } from './http/encoding.ts'
import { answerUnknownRoute, createErrorHandler, createRequestContext } from './http/request-context.ts'
import type { Gateway } from './store/gateway.ts'

export interface Dependencies {
  readonly gateway: Gateway
  readonly secrets: Secrets
  /** The wall clock, in milliseconds since 1970. */
  readonly nowMs: () => number
  readonly randomBytes: RandomBytes
  readonly newRequestId: () => string
}

/** The whole service, but for what it stands on. */
export function createApp({ gateway, secrets, nowMs, randomBytes, newRequestId }: Dependencies): App {
  const app: App = new OpenAPIHono()
  app.use(createRequestContext(newRequestId, nowMs))
  app.onError(createErrorHandler())
  app.notFound(answerUnknownRoute(app))

  async function mint(namespace: string) {
    return mintKey(namespace, await importHmacKey(secrets.keyPepper), randomBytes)
  }

  const api = createApi(app, createAuthenticate(secrets, nowMs), nowMs)
  serveCheck(api, gateway, nowMs)
  serveConsume(api, gateway)
  serveMeter(api, gateway)
  serveLedger(api, gateway)
  serveLeases(api, gateway)
  serveEntitlements(api, gateway)
  servePlans(api, gateway)
  serveSubscriptions(api, gateway)
  serveRules(api, gateway)
  serveLookups(api, gateway)
  serveNamespaces(api, gateway, mint)
  serveKeys(api, gateway, mint)
  serveTestClock(api, gateway)
  serveMaintenance(api, gateway)
  serveSystem(app, gateway, nowMs)
  return app
}
