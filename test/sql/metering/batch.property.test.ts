import fc from 'fast-check'
import { expect, it } from 'vitest'
import { accountId, grant, ruleFor, setClock } from '../../support/commands.ts'
import { type Answer, api, type Json, mintAccount, mintNamespace, sql, token } from '../../support/sql.ts'

const NOW = '2031-05-01T00:20:00Z'

/** What an account may hold, of one resource each: windows that reset, roll and end, stocks, and nothing. */
const holdings: Record<string, Answer[]> = {
  benchmark_runs: [
    { window: 'calendar_month', quantity: 5 },
    { scope: 'us', quantity: 3, priority: 1 },
  ],
  gpu_hours: [
    { window: 'calendar_day', quantity: 2 },
    { window: 'rolling_24h', quantity: 4 },
  ],
  server_configs: [{ limit_kind: 'inventory', quantity: 4 }],
  ai_models: [
    { quantity: 6, effective_start: '2031-04-30T22:00:00Z', effective_end: '2031-04-30T23:30:00Z' },
    { window: 'billing_cycle', quantity: 1, effective_start: '2031-05-01T00:10:00Z' },
  ],
  named_users: [],
}

const use = fc.record({
  account: fc.integer({ min: 0, max: 1 }),
  resource: fc.constantFrom(...Object.keys(holdings)),
  scope: fc.constantFrom(null, 'us', 'us/a'),
  quantity: fc.constantFrom(1, 2, 0.5, 0.000001, 7, -1, -2),
  minutes: fc.constantFrom(null, 0, 1, 15, 30, 31, 60, 90, 150, 1440, 44_640, -4, -9),
  key: fc.integer({ min: 0, max: 30 }),
})

/** The order in which a batch draws: account, resource, scope, then time (none = now), then place. */
function drawOrder(entries: Answer[], ids: Record<string, string>): Answer[] {
  const place = new Map(entries.map((entry, n) => [entry, n]))
  const text = (value: Json | undefined) => (typeof value === 'string' ? value : '\uffff')
  const rank = (entry: Answer) => [
    ids[text(entry['account_id'])] ?? '',
    text(entry['resource']),
    text(entry['scope']),
    text(entry['occurred_at']),
    String(place.get(entry)).padStart(4, '0'),
  ]
  return entries.toSorted((a, b) => (JSON.stringify(rank(a)) < JSON.stringify(rank(b)) ? -1 : 1))
}

const keyOf = (entry: Answer): string => JSON.stringify([entry['account_id'], entry['idempotency_key']])

async function world(): Promise<{ namespace: string; accounts: string[] }> {
  const namespace = await mintNamespace()
  await setClock(namespace, NOW)
  const accounts = [mintAccount(), mintAccount()]
  for (const account of accounts) {
    for (const [resource, grants] of Object.entries(holdings)) {
      for (const fields of grants)
        await grant(account, { resource, effective_start: '2031-01-01T00:00:00Z', ...fields }, namespace)
    }
    await ruleFor(account, { action: 'overage', overage_cap: 4, overage_multiplier: 3 }, namespace)
    await ruleFor(account, { resource: 'gpu_hours', action: 'grace', grace_percent: 50 }, namespace)
  }
  return { namespace, accounts }
}

/** All that the ledger and the counters say, without ids and instants of recording. */
async function stateOf(namespace: string, accounts: string[]): Promise<unknown> {
  const perAccount = accounts.map(async (account) => {
    const id = await accountId(account, namespace)
    return {
      ledger: await sql(
        `select resource_type_code, resource_scope, idempotency_key, limit_kind_code, quantity::float, is_late, counted_at = recorded_at as counted_now,
           included_quantity::float, overage_quantity::float, excess_quantity::float
         from consumption_ledger where account_id = $1 order by idempotency_key`,
        [id],
      ),
      allocations: await sql(
        `select e.resource_type_code, e.priority, e.window_type_code, e.resource_scope, l.idempotency_key, c.window_start, c.window_end,
           c.included_quantity::float, c.overage_quantity::float, c.excess_quantity::float, c.billable_quantity::float
         from consumption_allocations c join consumption_ledger l using (entry_id) join entitlements e using (entitlement_id)
         where c.account_id = $1 order by 5, 1, 2, 3, 4`,
        [id],
      ),
      windows: await sql(
        `select e.resource_type_code, e.priority, e.window_type_code, e.resource_scope, w.window_end, w.used::float, w.overage_quantity::float,
           w.excess_quantity::float, w.billable_quantity::float, w.billable_amount::float
         from entitlement_windows w join entitlements e using (bucket_id) where w.account_id = $1 order by 1, 2, 3, 4, 5`,
        [id],
      ),
      stock: await sql(
        'select resource_type_code, resource_scope, quantity::float from inventory_totals where account_id = $1 order by 1, 2',
        [id],
      ),
      clocks: await sql(
        `select resource_type_code, cumulative_exceeded_at is null as under, cumulative_grace_end, inventory_exceeded_at is null as stock_under
         from resource_state where account_id = $1 and key_version > 0 order by 1`,
        [id],
      ),
    }
  })
  return Promise.all(perAccount)
}

it('a batch is its entries metered one by one', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(use, { minLength: 1, maxLength: 25 }), async (uses) => {
      const [together, apart] = [await world(), await world()]
      const bodies = ({ namespace, accounts }: { namespace: string; accounts: string[] }) => ({
        namespace,
        entries: uses.map(({ account, key, minutes, ...fields }) => ({
          ...fields,
          account_id: accounts[account] ?? '',
          idempotency_key: `k${key}`,
          occurred_at: minutes === null ? null : new Date(Date.parse(NOW) - minutes * 60_000).toISOString(),
        })),
      })
      const all = bodies(together)
      await api('api_meter_batch', { entries: all.entries }, token(all.namespace))

      const single = bodies(apart)
      const ids = Object.fromEntries(
        await Promise.all(
          apart.accounts.map(async (account) => [account, await accountId(account, apart.namespace)] as const),
        ),
      )
      // Of several entries with one key the first in the batch counts.
      const first = single.entries.filter(
        (entry, n) => single.entries.findIndex((other) => keyOf(other) === keyOf(entry)) === n,
      )
      const refused = new Map<string, string>()
      const meterAlone = (entry: Answer) =>
        api('api_meter', entry, token(single.namespace)).catch((error: unknown) => {
          if (!(error instanceof Error && 'code' in error && String(error.code).startsWith('ME4'))) throw error
          refused.set(keyOf(entry), JSON.stringify(entry))
        })
      for (const entry of drawOrder(first, ids)) await meterAlone(entry)
      // If it was refused, whatever else was asked under its key has its turn, in order.
      const next = single.entries.filter(
        (entry) => ![undefined, JSON.stringify(entry)].includes(refused.get(keyOf(entry))),
      )
      for (const entry of next) await meterAlone(entry)
      expect(await stateOf(together.namespace, together.accounts)).toEqual(
        await stateOf(apart.namespace, apart.accounts),
      )
    }),
    { seed: 20261121, numRuns: 30 },
  )
})
