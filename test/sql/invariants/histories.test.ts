import fc from 'fast-check'
import { expect, it } from 'vitest'
import { audit } from '../../support/audit.ts'
import {
  accountId,
  acquire,
  advanceClock,
  assign,
  check,
  consume,
  endHold,
  grant,
  meter,
  reserve,
  reverse,
  ruleFor,
  setClock,
  textAt,
  unassign,
} from '../../support/commands.ts'
import { type Answer, api, mintAccount, mintNamespace, sql, token } from '../../support/sql.ts'

const START = '2031-03-30T22:00:00Z'

const resource = fc.constantFrom('benchmark_runs', 'gpu_hours', 'server_configs')
const scope = fc.constantFrom(null, 'us', 'us/a')
const quantity = fc.constantFrom(1, 2, 0.5, 0.000001, 7, 30)
const index = fc.nat({ max: 20 })

const step = fc.oneof(
  fc.record({ do: fc.constant('consume' as const), resource, scope, quantity }),
  fc.record({
    do: fc.constant('meter' as const),
    resource,
    scope,
    quantity: fc.oneof(quantity, fc.constantFrom(-1, -2)),
    hours: fc.constantFrom(null, 0, 1, 5, 26, 800),
  }),
  fc.record({
    do: fc.constant('batch' as const),
    uses: fc.array(fc.record({ resource, scope, quantity, hours: fc.constantFrom(null, 0, 2, 26) }), {
      minLength: 1,
      maxLength: 5,
    }),
  }),
  fc.record({
    do: fc.constant('grant' as const),
    resource,
    scope,
    quantity: fc.constantFrom(0, 3, 10, null),
    limit_kind: fc.constantFrom('cumulative', 'cumulative', 'inventory', 'concurrency', 'time_access'),
    window: fc.constantFrom('calendar_month', 'calendar_day', 'billing_cycle', 'rolling_24h', 'rolling_30d', 'none'),
    priority: fc.constantFrom(1, 100),
  }),
  fc.record({
    do: fc.constant('rule' as const),
    resource,
    action: fc.constantFrom('block', 'warn', 'grace', 'overage'),
    overage_cap: fc.constantFrom(null, 3),
    overage_multiplier: fc.constantFrom(null, 2, 0.5),
    grace_percent: fc.constantFrom(null, 50),
  }),
  fc.record({ do: fc.constant('reverse' as const), index, quantity: fc.constantFrom(null, 0.000001, 1, 5) }),
  fc.record({ do: fc.constant('revoke' as const), index }),
  fc.record({ do: fc.constant('patch' as const), index, quantity: fc.constantFrom(0, 5, null) }),
  fc.record({
    do: fc.constant('acquire' as const),
    resource,
    scope,
    holder: fc.constantFrom('ada', 'bob'),
    units: fc.constantFrom(1, 2),
  }),
  fc.record({ do: fc.constant('release' as const), index }),
  fc.record({
    do: fc.constant('reserve' as const),
    resource,
    scope,
    quantity,
    ttl_seconds: fc.constantFrom(60, 4000, 86_400),
  }),
  fc.record({ do: fc.constant('commit' as const), index, quantity: fc.constantFrom(null, 0, 0.5, 3, 40) }),
  fc.record({ do: fc.constant('free' as const), index }),
  fc.record({ do: fc.constant('assign' as const), resource, scope, item: fc.constantFrom('i', 'j', 'k') }),
  fc.record({ do: fc.constant('unassign' as const), resource, item: fc.constantFrom('i', 'j', 'k') }),
  fc.record({ do: fc.constant('clock' as const), seconds: fc.constantFrom(60, 3600, 90_000, 86_400 * 9) }),
  fc.record({ do: fc.constant('zone' as const), zone: fc.constantFrom('UTC', 'Asia/Tokyo', 'America/Los_Angeles') }),
)

/** Denials and refusals are part of a history; anything else is a failure. */
const refusable = (call: Promise<Answer>): Promise<Answer> =>
  call.catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && /^ME4/.test(String(error.code))) return {}
    throw error
  })

/** What the ledger says of each period. */
async function periodSums(id: string, resource: string, periods: Answer[]): Promise<number[]> {
  const rows = await sql<{ sum: number }>(
    `select coalesce(sum(l.quantity), 0)::float as sum
     from jsonb_array_elements($3::jsonb) with ordinality p (period, n)
     left join consumption_ledger l on l.account_id = $1 and l.resource_type_code = $2
       and l.occurred_at >= (period ->> 'start')::timestamptz and l.occurred_at < (period ->> 'end')::timestamptz
     group by n order by n`,
    [id, resource, JSON.stringify(periods)],
  )
  return rows.map(({ sum }) => sum)
}

it('after any history the counters, rollups and stocks are what the ledger says, and `at` agrees with now', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      const namespace = await mintNamespace()
      await setClock(namespace, START)
      const account = mintAccount()
      await grant(account, { window: 'calendar_day', quantity: 5, effective_start: '2031-01-01T00:00:00Z' }, namespace)
      const entitlements: Answer[] = []
      const leases: Answer[] = []
      const holds: Answer[] = []
      const recorded: Answer[] = []
      let clock = Date.parse(START)
      const ago = (hours: number | null) =>
        hours === null ? {} : { occurred_at: new Date(clock - hours * 3_600_000).toISOString() }
      for (const [n, { do: what, ...fields }] of steps.entries()) {
        const args = fields as Answer
        const key = { idempotency_key: `${n}` }
        const pick = (from: Answer[]) => from[Number(args['index']) % Math.max(from.length, 1)]
        if (what === 'consume') recorded.push(await refusable(consume(account, { ...args, ...key }, namespace)))
        if (what === 'meter') {
          const { hours, ...use } = args
          recorded.push(await refusable(meter(account, { ...use, ...key, ...ago(hours as number | null) }, namespace)))
        }
        const entry = what === 'reverse' ? (pick(recorded)?.['entry'] as Answer | null | undefined) : undefined
        if (entry) {
          const { index: _, quantity, ...rest } = args
          const some = quantity === null ? rest : { ...rest, quantity: quantity ?? null }
          recorded.push(await refusable(reverse(textAt(entry, 'entry_id'), { ...some, ...key }, namespace)))
        }
        if (what === 'batch') {
          const uses = (args['uses'] as Answer[]).map(({ hours, ...use }, place) => ({
            ...use,
            ...ago(hours as number | null),
            account_id: account,
            idempotency_key: `${n}-${place}`,
          }))
          await api('api_meter_batch', { entries: uses }, token(namespace))
        }
        if (what === 'grant')
          entitlements.push(
            await grant(account, { ...args, effective_start: new Date(clock - 86_400_000).toISOString() }, namespace),
          )
        if (what === 'rule')
          for (const limit_kind of ['cumulative', 'inventory', 'concurrency'])
            await ruleFor(account, { ...args, limit_kind }, namespace)
        const entitlement = what === 'revoke' || what === 'patch' ? pick(entitlements) : undefined
        if (entitlement) {
          const { index: _, ...change } = args
          await api(
            `api_entitlement_${what}`,
            { ...change, entitlement_id: entitlement['entitlement_id'] ?? null },
            token(namespace),
          )
        }
        if (what === 'acquire')
          leases.push(await acquire(account, String(args['holder']), { ...args, ttl_seconds: 5000 }, namespace))
        const lease = what === 'release' ? (pick(leases)?.['lease'] as Answer | null | undefined) : undefined
        if (lease) await api('api_lease_release', { lease_id: lease['lease_id'] ?? null }, token(namespace))
        if (what === 'reserve') {
          const reserved = await refusable(reserve(account, { ...args, ...key }, namespace))
          if (reserved['reservation']) holds.push(reserved)
        }
        const hold = what === 'commit' || what === 'free' ? pick(holds) : undefined
        if (hold) {
          const fields = what === 'commit' ? { quantity: args['quantity'] ?? null } : {}
          await refusable(endHold(what === 'commit' ? 'commit' : 'release', hold, fields, namespace))
        }
        const item = String(args['item'])
        if (what === 'assign') await refusable(assign(account, item, args, namespace))
        if (what === 'unassign') await refusable(unassign(account, item, args, namespace))
        if (what === 'clock') {
          clock += Number(args['seconds']) * 1000
          await advanceClock(namespace, Number(args['seconds']))
        }
        if (what === 'zone')
          await sql('update accounts set timezone = $2 where account_id = $1', [
            await accountId(account, namespace),
            args['zone'],
          ])
      }
      expect(await audit(namespace)).toEqual({})

      for (const each of ['benchmark_runs', 'gpu_hours', 'server_configs']) {
        const year = { granularity: 'month', from: '2031-01-01T00:07:00Z', to: '2032-06-01T00:07:00Z' }
        const { data } = await api('api_usage', { account_id: account, resource: each, ...year }, token(namespace))
        expect((data as Answer[]).map((period) => period['quantity'])).toEqual(
          await periodSums(await accountId(account, namespace), each, data as Answer[]),
        )
        for (const where of [null, 'us/a']) {
          // Bit by bit the same, but for the moment.
          const now = await check(account, { resource: each, scope: where, quantity: 0 }, namespace)
          const then = await check(
            account,
            { resource: each, scope: where, quantity: 0, at: String(now['as_of']) },
            namespace,
          )
          const used = (decision: Answer) =>
            (decision['limits'] as Answer[]).map((limit) => [
              limit['limit_kind'],
              limit['limit'],
              limit['used'],
              limit['held'],
              limit['window'],
            ])
          expect(used(then)).toEqual(used(now))
        }
      }
    }),
    { seed: 20261121, numRuns: 50 },
  )
})
