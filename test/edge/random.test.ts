import fc from 'fast-check'
import { beforeAll, expect, inject, test } from 'vitest'
import { call, devKey, mintNamespace, mintToken, openApi } from '../support/edge.ts'
import { acquire, assign, bodyOf, grant, key, meter, reserve, rule } from '../support/edge-commands.ts'
import type { JsonObject } from '../support/json-path.ts'
import { Known } from '../support/known.ts'
import { type Document, type Route, routesOf } from '../support/openapi.ts'
import { arbitraryDraft, type Caller, requestOf } from '../support/random-requests.ts'

/**
 * Requests made at random from the OpenAPI document, each world of them in a namespace of its own. `npm test` makes few;
 * MEC_RANDOM_REQUESTS=10000 MEC_RANDOM_SEED=n makes more, and others.
 */
const { requests: REQUESTS, seed: SEED } = inject('random')
const REQUESTS_PER_WORLD = 250
const LANES = 4
const MAX_FAULTS = 20
/** From so many on every operation must have succeeded, and refused. */
const MANY = 5000
const NEVER_REFUSE = new Set(['getHealth', 'getReadiness'])

interface World {
  readonly known: Known
  readonly bearers: Readonly<Record<Caller, string | undefined>>
}

let document: Document
let routes: Route[]

beforeAll(async () => {
  document = (await openApi()).document
  routes = routesOf(document)
})

/** A namespace with one of everything, so that the first requests meet something, too. */
async function inhabited(): Promise<World> {
  const known = new Known()
  const namespace = await mintNamespace()
  const learn = async (answer: Promise<JsonObject>) => known.harvest('', await answer)
  const plan = (plan_id: string, fields: JsonObject) =>
    learn(bodyOf(200, namespace.call('PUT', `/v1/plans/${plan_id}`, { name: plan_id, ...fields })))
  const entitlement = { resource: 'benchmark_runs', limit_kind: 'cumulative', quantity: 100, window: 'calendar_month' }
  await plan('pro', { entitlements: [entitlement, { ...entitlement, scope: 'us', window: 'billing_cycle' }] })
  await plan('trial', { is_trial: true, trial_days: 14, entitlements: [{ ...entitlement, rollover_percent: 50 }] })
  await learn(grant(namespace, 'a'))
  await learn(grant(namespace, 'a', { resource: 'concurrent_users', limit_kind: 'concurrency', quantity: 3 }))
  await learn(grant(namespace, 'a', { resource: 'named_users', limit_kind: 'inventory' }))
  await learn(bodyOf(201, acquire(namespace, 'a', 'h1')))
  await learn(bodyOf(201, meter(namespace, 'a', { quantity: 50 })))
  await learn(bodyOf(201, reserve(namespace, 'a', { quantity: 9 })))
  await learn(bodyOf(201, assign(namespace, 'a', 'i/1')))
  await learn(rule(namespace, 'a', { action: 'overage', overage_cap: 10 }))
  await learn(bodyOf(201, namespace.call('POST', '/v1/accounts/a/subscriptions', { ...key(), plan_id: 'pro' })))
  await learn(bodyOf(201, namespace.call('POST', '/v1/keys', { name: 'of the world', scopes: ['admin'] })))
  const token = (scope: string, claims = {}) => mintToken(namespace.name, scope, claims)
  const bearers = {
    key: namespace.key,
    token: namespace.token,
    bound: await token('admin', { sub: 'a' }),
    check: await token('check'),
    meter: await token('meter'),
    lease: await token('lease'),
    read: await token('read'),
    none: undefined,
    nobody: 'mec_sk_x',
    stranger: await mintToken('nowhere'),
  }
  return { known, bearers }
}

/** How often an operation did what it was asked, and how often it said why not. */
type Count = { succeeded: number; refused: number }
const counts = new Map<string, Count>()
const faults: string[] = []

async function live(seed: number, requests: number): Promise<void> {
  const { known, bearers } = await inhabited()
  const drafts = fc.sample(arbitraryDraft(document, routes), { seed, numRuns: requests })
  for (const [index, draft] of drafts.entries()) {
    const { operationId, method, path, body, headers, caller } = requestOf(draft, known)
    const bearer = bearerOf(operationId, caller, bearers)
    try {
      // `call` holds the answer to the document.
      const reply = await call(method, path, body, { headers, ...(bearer === undefined ? {} : { bearer }) })
      if (reply.status >= 500) throw new Error(`${reply.status} ${reply.text}`)
      const count = counts.get(operationId) ?? { succeeded: 0, refused: 0 }
      counts.set(operationId, count)
      if (reply.status < 300) count.succeeded++
      else count.refused++
      known.harvest(operationId, reply.body)
    } catch (error) {
      if (faults.length >= MAX_FAULTS) return
      faults.push(`seed ${seed} request ${index}: ${method} ${path} ${JSON.stringify(body)} as ${caller}: ${error}`)
    }
  }
}

/** Making and listing namespaces is for the operator's key, and touches nobody else's. */
function bearerOf(operationId: string, caller: string, bearers: World['bearers']): string | undefined {
  if (caller === 'token' && /Namespaces?$/.test(operationId)) return devKey
  return isCaller(caller, bearers) ? bearers[caller] : caller
}

function isCaller(name: string, bearers: World['bearers']): name is Caller {
  return name in bearers
}

test(
  `${REQUESTS} random requests from the seed ${SEED}: never a fault of ours, always an answer as documented`,
  async () => {
    const worlds = Array.from({ length: Math.ceil(REQUESTS / REQUESTS_PER_WORLD) }, (_, index) => ({
      seed: SEED + index,
      requests: Math.min(REQUESTS_PER_WORLD, REQUESTS - index * REQUESTS_PER_WORLD),
    })).values()
    const lane = async () => {
      for (const { seed, requests } of worlds) await live(seed, requests)
    }
    await Promise.all(Array.from({ length: LANES }, lane))
    expect(faults).toEqual([])
    // Neither all good nor all bad: else the test has stopped testing.
    const all = Array.from(counts.values())
    expect(all.reduce((sum, { succeeded }) => sum + succeeded, 0)).toBeGreaterThan(REQUESTS / 3)
    expect(all.reduce((sum, { refused }) => sum + refused, 0)).toBeGreaterThan(REQUESTS / 5)
    if (REQUESTS < MANY) return
    for (const { operation } of routes) {
      const { succeeded = 0, refused = 0 } = counts.get(operation.operationId) ?? {}
      expect(succeeded, `successes of ${operation.operationId}`).toBeGreaterThan(0)
      if (!NEVER_REFUSE.has(operation.operationId))
        expect(refused, `refusals of ${operation.operationId}`).toBeGreaterThan(0)
    }
  },
  60_000 + REQUESTS * 100,
)
