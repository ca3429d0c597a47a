import { expect, test } from 'vitest'
import { REASONS } from '../../functions/core/vocabulary.ts'
import { breakPostgres, mintAccount, mintNamespace, mintToken, type Namespace, sql } from '../support/edge.ts'
import { advance, bodyOf, check, consume, grant, meter, rule, setClock } from '../support/edge-commands.ts'
import type { JsonObject } from '../support/json-path.ts'

type World = { namespace: Namespace; account: string }
type Row = {
  prepare: (world: World) => Promise<unknown>
  quantity?: number
  allowed: boolean
  outcome: string
  also?: JsonObject
}

/** Each account holds ten runs; each row makes a check of it answer its reason. */
const ten =
  (fields: JsonObject = {}) =>
  ({ namespace, account }: World) =>
    grant(namespace, account, { quantity: 10, ...fields })

async function ruled({ namespace, account }: World, fields: JsonObject, used = 0) {
  await grant(namespace, account, { quantity: 10 })
  await rule(namespace, account, fields)
  if (used > 0) await bodyOf(201, meter(namespace, account, { quantity: used }))
}

const rows: Partial<Record<(typeof REASONS)[number], Row>> = {
  within_limit: { prepare: ten(), quantity: 10, allowed: true, outcome: 'allow' },
  near_limit: {
    prepare: (world) => ruled(world, { action: 'block', warn_at_percent: 80 }),
    quantity: 8,
    allowed: true,
    outcome: 'warn',
    also: { warn_at_percent: 80, overage: { quantity: 0, multiplier: 1 } },
  },
  over_limit_warned: {
    prepare: (world) => ruled(world, { action: 'warn' }, 15),
    allowed: true,
    outcome: 'warn',
    also: { action: 'warn', remaining: 0 },
  },
  over_limit_grace: {
    prepare: (world) => ruled(world, { action: 'grace', grace_percent: 50 }, 9),
    quantity: 3,
    allowed: true,
    outcome: 'grace',
    also: { overage: { quantity: 2, multiplier: 1 }, grace: { quantity_left: 3, until: null } },
  },
  over_limit_overage: {
    prepare: (world) => ruled(world, { action: 'overage', overage_cap: 5, overage_multiplier: 1.5 }, 9),
    quantity: 6,
    allowed: true,
    outcome: 'overage',
    also: { overage: { quantity: 5, multiplier: 1.5 } },
  },
  limit_exceeded: {
    prepare: ten(),
    quantity: 10.000001,
    allowed: false,
    outcome: 'block',
    also: { overage: { quantity: 0.000001, multiplier: 1 } },
  },
  grace_exhausted: {
    prepare: async (world) => {
      await setClock(world.namespace, '2027-01-15T12:00:00Z')
      await ruled(world, { action: 'grace', grace_seconds: 60 }, 11)
      await advance(world.namespace, 61)
    },
    allowed: false,
    outcome: 'block',
    also: { action: 'grace', grace: { quantity_left: 0, until: expect.stringMatching(/^2027-01-15T12:01:0/) } },
  },
  overage_cap_reached: {
    prepare: (world) => ruled(world, { action: 'overage', overage_cap: 5 }, 9),
    quantity: 7,
    allowed: false,
    outcome: 'block',
  },
  no_entitlement: { prepare: async () => {}, allowed: false, outcome: 'block' },
  not_started: { prepare: ten({ effective_start: '2099-01-01T00:00:00Z' }), allowed: false, outcome: 'block' },
  expired: {
    prepare: ten({ effective_start: '2020-01-01T00:00:00Z', effective_end: '2020-02-01T00:00:00Z' }),
    allowed: false,
    outcome: 'block',
  },
  revoked: {
    prepare: async ({ namespace, account }) => {
      const { entitlement_id } = await grant(namespace, account)
      await bodyOf(200, namespace.call('POST', `/v1/entitlements/${entitlement_id}/revoke`))
    },
    allowed: false,
    outcome: 'block',
  },
  account_suspended: {
    prepare: async (world) => {
      await ten()(world)
      await sql(`update accounts set status = 'suspended' where namespace_id = $1`, [world.namespace.name])
      expect(await bodyOf(200, consume(world.namespace, world.account))).toMatchObject({
        allowed: false,
        reason: 'account_suspended',
      })
    },
    allowed: false,
    outcome: 'block',
  },
}

test.each(Object.entries(rows))('%s', async (reason, { prepare, quantity = 1, allowed, outcome, also = {} }) => {
  const world = { namespace: await mintNamespace(), account: mintAccount() }
  await prepare(world)
  const decision = await check(world.namespace, world.account, { quantity })
  expect(decision).toMatchObject({ reason, outcome, allowed, degraded: false, ...also })
})

const outages = [
  ['unavailable_denied', {}, false, 'block'],
  ['unavailable_denied', { on_error: 'deny' }, false, 'block'],
  ['unavailable_allowed', { on_error: 'allow' }, true, 'allow'],
] as const

test.each(outages)(
  '%s, when no store can answer a token that asks with %j',
  async (reason, fields, allowed, outcome) => {
    const namespace = await mintNamespace()
    const bearer = await mintToken(namespace.name, 'check')
    await breakPostgres({ dropBefore: {} })
    const body = {
      account_id: 'a b',
      resource: 'benchmark_runs',
      scope: 'us',
      quantity: 2,
      max_staleness_ms: 0,
      ...fields,
    }
    expect(await bodyOf(200, namespace.call('POST', '/v1/check', body, { bearer }))).toEqual({
      allowed,
      outcome,
      reason,
      account_id: 'a b',
      resource: 'benchmark_runs',
      scope: 'us',
      quantity: 2,
      limit: 0,
      used: 0,
      held: 0,
      remaining: 0,
      window: null,
      action: 'block',
      warn_at_percent: null,
      overage: { quantity: 0, multiplier: 1 },
      grace: null,
      limits: [],
      source: 'none',
      as_of: expect.any(String),
      degraded: true,
    })
  },
)

test('every reason of the closed set is above', () => {
  expect([...Object.keys(rows), ...outages.map(([reason]) => reason)]).toEqual(expect.arrayContaining([...REASONS]))
})
