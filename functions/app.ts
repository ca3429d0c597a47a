import { OpenAPIHono } from '@hono/zod-openapi'
import { serveAccounts } from './api/accounts.ts'
import { serveAudit } from './api/audit.ts'
import { serveBilling } from './api/billing.ts'
import { serveCheck } from './api/check.ts'
import { serveCheckBatch } from './api/check-batch.ts'
import { serveConsume } from './api/consume.ts'
import { serveEntitlements } from './api/entitlements.ts'
import { serveHeads } from './api/heads.ts'
import { serveInventory } from './api/inventory.ts'
import { serveKeys } from './api/keys.ts'
import { serveLeases } from './api/leases.ts'
import { serveLedger } from './api/ledger.ts'
import { serveLookups } from './api/lookups.ts'
import { type RunMaintenance, serveMaintenance } from './api/maintenance.ts'
import { serveMeter } from './api/meter.ts'
import { serveNamespaces } from './api/namespaces.ts'
import { servePlans } from './api/plans.ts'
import { serveReservations } from './api/reservations.ts'
import { serveRules } from './api/rules.ts'
import { serveSubscriptions } from './api/subscriptions.ts'
import { serveSystem } from './api/system.ts'
import { serveTestClock } from './api/test-clock.ts'
import { serveUsage } from './api/usage.ts'
import type { Propagate } from './core/changes.ts'
import type { Tiers } from './decisions/question.ts'
import { type App, createApi } from './http/api.ts'
import { mintKey, type RandomBytes } from './http/api-key.ts'
import { createAuthenticate, type Secrets } from './http/auth.ts'
import { importHmacKey } from './http/encoding.ts'
import type { Observe } from './http/observe.ts'
import { createLimitRequests, type RateLimiters } from './http/rate-limit.ts'
import { answerUnknownRoute, createErrorHandler, createFetch } from './http/request-context.ts'
import { createRouter } from './http/router.ts'
import type { Gateway } from './store/gateway.ts'

export interface Dependencies {
  readonly gateway: Gateway
  readonly runStep: RunMaintenance
  readonly tiers: Tiers
  readonly propagate: Propagate
  readonly secrets: Secrets
  readonly limiters: RateLimiters
  readonly observe: Observe
  /** The wall clock, in milliseconds since 1970. */
  readonly nowMs: () => number
  /** Resolves after so many milliseconds. */
  readonly wait: (ms: number) => Promise<void>
  readonly randomBytes: RandomBytes
  readonly newRequestId: () => string
}

/** The whole service, but for what it stands on. */
export function createApp(dependencies: Dependencies): App {
  const { gateway, runStep, tiers, propagate, secrets, limiters, observe, nowMs, wait, randomBytes, newRequestId } =
    dependencies
  const app: App = new OpenAPIHono({ router: createRouter() })
  app.fetch = createFetch(app.fetch, newRequestId, nowMs, observe)
  app.onError(createErrorHandler(limiters))
  app.notFound(answerUnknownRoute(app))

  async function mint(namespace: string) {
    return mintKey(namespace, await importHmacKey(secrets.keyPepper), randomBytes)
  }

  const authenticate = createAuthenticate(secrets, nowMs)
  const api = createApi(app, { authenticate, limitRequests: createLimitRequests(limiters), propagate, nowMs })
  serveCheck(api, gateway, tiers)
  serveCheckBatch(api, gateway, tiers)
  serveConsume(api, gateway)
  serveMeter(api, gateway)
  // Before what takes any other name for an entry's id.
  serveHeads(api, gateway)
  serveLedger(api, gateway)
  serveUsage(api, gateway)
  serveReservations(api, gateway)
  serveLeases(api, gateway, tiers)
  serveInventory(api, gateway)
  serveAccounts(api, gateway)
  serveEntitlements(api, gateway)
  servePlans(api, gateway)
  serveSubscriptions(api, gateway)
  serveRules(api, gateway)
  serveLookups(api, gateway)
  serveNamespaces(api, gateway, mint)
  serveKeys(api, gateway, mint)
  serveTestClock(api, gateway, wait, tiers.memoryMs)
  serveMaintenance(api, runStep)
  serveBilling(api, gateway)
  serveAudit(api, gateway)
  serveSystem(app, gateway, nowMs)
  return app
}
