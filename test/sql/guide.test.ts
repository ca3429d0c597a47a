import { readFile } from 'node:fs/promises'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrate } from '../../database/migrate.ts'
import { withClient, withScratchDatabase } from '../support/scratch.ts'
import { sql } from '../support/sql.ts'

/**
 * The guide that the product was specified in: each of its statements runs as written and does what its comment says.
 * Only the placeholder ids are replaced; the plans that it presumes are among the sample plans.
 */
const guide = await readFile(new URL('guide/003.md', import.meta.url), 'utf8')

const CUSTOMER = '11111111-1111-4111-8111-111111111111'
const placeholders: Record<string, string> = {
  'user-uuid-here': '22222222-2222-4222-8222-222222222222',
  'customer-uuid': CUSTOMER,
  'org-uuid': '33333333-3333-4333-8333-333333333333',
}
const ORG = placeholders['org-uuid'] ?? ''
const USER = placeholders['user-uuid-here'] ?? ''

/** The SQL blocks by the heading they stand under, with UUIDs for the placeholders. */
const blocks = new Map<string, string>()
for (const section of guide.split(/^(?=#{2,3} )/m)) {
  const heading = section.slice(0, section.indexOf('\n')).replace(/^#+ /, '')
  for (const [, block = ''] of section.matchAll(/```sql\n(.*?)```/gs)) {
    const filled = Object.entries(placeholders).reduce(
      (text, [from, to]) => text.replaceAll(`'${from}'`, `'${to}'`),
      block,
    )
    blocks.set(heading, (blocks.get(heading) ?? '') + filled)
  }
}

const covered = new Set<string>()

/** A migrated database that each chapter copies. */
let migrated = ''
let dropped = () => {}
let used: Promise<void>

beforeAll(async () => {
  await new Promise<void>((ready, failed) => {
    used = withScratchDatabase(async (connectionString) => {
      await migrate({ connectionString })
      migrated = connectionString
      ready()
      await new Promise<void>((done) => {
        dropped = done
      })
    })
    used.catch(failed)
  })
})

afterAll(async () => {
  dropped()
  await used
})

type Run = {
  /** Runs the block up to, and with, the first statement that contains `until`, from where the last call stopped. */
  upTo: (until: string, replace?: Record<string, string>) => Promise<pg.QueryResultRow[]>
  /** Runs what is left of it. */
  rest: () => Promise<pg.QueryResultRow[]>
  query: (text: string, values?: unknown[]) => Promise<pg.QueryResultRow[]>
}

async function chapter(heading: string, work: (run: Run) => Promise<void>): Promise<void> {
  const text = blocks.get(heading)
  if (text === undefined) throw new Error(`the guide has no SQL under ${heading}`)
  covered.add(heading)
  const statements = text.split(/(?<=;)[^\S\n]*\n/).filter((statement) => /\w/.test(statement.replace(/^--.*$/gm, '')))
  // A fresh database for each chapter: the rule of 2.2 would override that of 2.1.
  await withScratchDatabase(async (connectionString) => {
    await withClient(connectionString, async (client) => {
      const run = async (statement: string) => (await client.query<pg.QueryResultRow>(statement)).rows
      const upTo: Run['upTo'] = async (until, replace = {}) => {
        for (;;) {
          const statement = statements.shift()
          if (statement === undefined) throw new Error(`no statement with ${until} is left`)
          const rows = await run(
            Object.entries(replace).reduce((text, [from, to]) => text.replaceAll(from, to), statement),
          )
          if (statement.includes(until)) return rows
        }
      }
      await work({
        upTo,
        rest: async () => {
          let rows: pg.QueryResultRow[] = []
          while (statements.length > 0) rows = await run(statements.shift() ?? '')
          return rows
        },
        query: async (statement, values) => (await client.query<pg.QueryResultRow>(statement, values)).rows,
      })
      expect(statements).toEqual([])
    })
  }, migrated)
}

const checked = 'select allowed, reason, quantity_limit, used, remaining from fn_check_entitlement'

describe('the guide, statement by statement', () => {
  it('1.1 free trial: full access for 14 days', () =>
    chapter('1.1 Free Trial (14 Days)', async ({ rest, query }) => {
      await rest()
      const rows = await query(
        `select resource_type_code as resource, limit_kind_code as kind, quantity_allowed as quantity, effective_end - effective_start as lasts
         from entitlements where account_id = $1 order by 1`,
        [USER],
      )
      expect(rows).toMatchObject([
        { resource: 'benchmark_runs', kind: 'cumulative', quantity: '50', lasts: { days: 14 } },
        { resource: 'gpu_hours', kind: 'cumulative', quantity: '10', lasts: { days: 14 } },
        { resource: 'platform_access', kind: 'time_access', quantity: null, lasts: { days: 14 } },
      ])
      expect(await query(`${checked}($1, 'platform_access')`, [USER])).toMatchObject([{ allowed: true }])
      expect(await query(`${checked}($1, 'benchmark_runs', null, 51)`, [USER])).toMatchObject([
        { allowed: false, quantity_limit: '50' },
      ])
      expect(await query('select namespace_id from accounts where account_id = $1', [USER])).toEqual([
        { namespace_id: 'metrum-insights' },
      ])
      const [later] = await query(
        `select fn_decide(n, $1, 'platform_access', null, now() + interval '14 days', null, 1, 'any') ->> 'reason' as reason from namespaces n where namespace_id = 'metrum-insights'`,
        [USER],
      )
      expect(later).toEqual({ reason: 'expired' })
    }))

  it('1.2 monthly subscription: 30 days of access, quotas by calendar month', () =>
    chapter('1.2 Monthly Subscription', async ({ rest, query }) => {
      await rest()
      const rows = await query(
        `select resource_type_code as resource, window_type_code as window, effective_end is not null as ends, quantity_allowed as quantity
         from fn_provision_plan_entitlements($1, 'pro-monthly') order by 1`,
        [CUSTOMER],
      )
      expect(rows).toEqual([
        { resource: 'benchmark_runs', window: 'calendar_month', ends: false, quantity: '500' },
        { resource: 'gpu_hours', window: 'calendar_month', ends: false, quantity: '100' },
        { resource: 'platform_access', window: null, ends: true, quantity: null },
      ])
      expect(await query("select plan_name, external_id from plans where plan_id = 'pro-monthly'")).toEqual([
        { plan_name: 'Pro Monthly', external_id: 'stripe_price_pro_monthly' },
      ])
    }))

  it('2.1 per-unit pricing: unlimited, all of it tracked and billed', () =>
    chapter('2.1 Simple Per-Unit Pricing', async ({ upTo, rest, query }) => {
      const metered = await upTo('fn_meter_consumption')
      expect(metered).toEqual([{ fn_meter_consumption: expect.any(String) }])
      await rest()
      expect(await query(`${checked}($1, 'benchmark_runs', null, 1000000)`, [CUSTOMER])).toEqual([
        { allowed: true, reason: 'within_limit', quantity_limit: null, used: '1', remaining: null },
      ])
      expect(await query('select idempotency_key, quantity from consumption_ledger')).toEqual([
        { idempotency_key: 'run_12345', quantity: '1' },
      ])
      expect(await query('select billable_quantity from entitlement_windows')).toEqual([{ billable_quantity: '1' }])
      // A run reported twice counts once.
      const again = await query(
        `select fn_meter_consumption('run_12345', '${CUSTOMER}'::UUID, 'benchmark_runs', 1, 'count')`,
      )
      expect(again).toEqual(metered)
    }))

  it('2.2 allowance + overage: 50 included, then $10 a run, a warning from 40 on', () =>
    chapter('2.2 Included Allowance + Overage', async ({ rest, query }) => {
      await rest()
      await query("select fn_provision_plan_entitlements($1, 'starter-50')", [CUSTOMER])
      const decisions: [number, string][] = [
        [39, 'within_limit'],
        [40, 'near_limit'],
        [50, 'near_limit'],
        [51, 'over_limit_overage'],
      ]
      for (const [quantity, reason] of decisions) {
        expect(await query(`${checked}($1, 'benchmark_runs', null, $2)`, [CUSTOMER, quantity])).toMatchObject([
          { allowed: true, reason, quantity_limit: '50' },
        ])
      }
      await query("select fn_meter_consumption('m', $1, 'benchmark_runs', 53)", [CUSTOMER])
      expect(
        await query(
          'select included_quantity, overage_quantity, billable_quantity, billable_amount from entitlement_windows',
        ),
      ).toMatchObject([
        { included_quantity: '50', overage_quantity: '3', billable_quantity: '3', billable_amount: '30.00' },
      ])
      expect(
        await query(
          "select resource_type_code, quantity_allowed, window_type_code from plan_entitlement_templates where plan_id = 'starter-50'",
        ),
      ).toEqual([{ resource_type_code: 'benchmark_runs', quantity_allowed: '50', window_type_code: 'calendar_month' }])
    }))

  it('3.1 named users: a seat is assigned, of five', () =>
    chapter('3.1 Named Users (Inventory Model)', async ({ upTo, query }) => {
      expect(await upTo('fn_check_entitlement')).toMatchObject([
        { allowed: true, quantity_limit: '5', used: '0', remaining: '5', limit_kind_code: 'inventory' },
      ])
      await upTo('fn_meter_consumption')
      expect(await query(`${checked}($1, 'named_users', null, 4)`, [ORG])).toMatchObject([
        { allowed: true, used: '1', remaining: '4' },
      ])
      expect(await query(`${checked}($1, 'named_users', null, 5)`, [ORG])).toMatchObject([
        { allowed: false, reason: 'limit_exceeded' },
      ])
    }))

  it('3.2 floating users: logging in takes a seat, logging out gives it back', () =>
    chapter('3.2 Concurrent/Floating Users (Concurrency Model)', async ({ upTo, query }) => {
      const [lease] = await upTo('fn_acquire_lease')
      expect(lease).toMatchObject({
        granted: true,
        reason: 'within_limit',
        quantity_limit: '3',
        used: '1',
        remaining: '2',
      })
      expect(
        await query("select expires_at - acquired_at = interval '480 minutes' as right from concurrency_leases"),
      ).toEqual([{ right: true }])
      for (const holder of ['b', 'c'])
        await query('select * from fn_acquire_lease($1, $2, null, $3, 480)', [ORG, 'concurrent_users', holder])
      expect(
        await query("select granted from fn_acquire_lease($1, 'concurrent_users', null, 'd', 480)", [ORG]),
      ).toEqual([{ granted: false }])
      expect(await upTo('fn_release_lease', { "'lease-uuid'": `'${lease?.['lease_id']}'` })).toEqual([
        { fn_release_lease: true },
      ])
      expect(
        await query("select granted from fn_acquire_lease($1, 'concurrent_users', null, 'd', 480)", [ORG]),
      ).toEqual([{ granted: true }])
    }))

  it('4 inventory: up to 10 configurations', () =>
    chapter('4. Inventory Limits', async ({ upTo, query }) => {
      expect(await upTo('fn_check_entitlement')).toMatchObject([{ allowed: true, remaining: '10' }])
      await upTo('fn_meter_consumption')
      expect(await query(`${checked}($1, 'server_configs', null, 9)`, [ORG])).toMatchObject([
        { allowed: true, used: '1', remaining: '9' },
      ])
      expect(await query(`${checked}($1, 'server_configs', null, 10)`, [ORG])).toMatchObject([{ allowed: false }])
    }))

  it.each([
    ['Starter Plan - $99/month', 'starter', ['50', '2', '10', '1']],
    ['Pro Plan - $499/month', 'pro', ['500', '10', '100', '3']],
  ])('5 %s', (heading, plan, quantities) =>
    chapter(heading, async ({ rest, query }) => {
      await rest()
      const rows = await query(
        `select resource_type_code as resource, limit_kind_code as kind, quantity_allowed as quantity, window_type_code as window
         from fn_provision_plan_entitlements($1, $2) order by 1`,
        [CUSTOMER, plan],
      )
      expect(rows).toEqual([
        { resource: 'benchmark_runs', kind: 'cumulative', quantity: quantities[0], window: 'calendar_month' },
        { resource: 'concurrent_users', kind: 'concurrency', quantity: quantities[1], window: null },
        { resource: 'gpu_hours', kind: 'cumulative', quantity: quantities[2], window: 'calendar_month' },
        { resource: 'server_configs', kind: 'inventory', quantity: quantities[3], window: null },
      ])
    }),
  )

  it('and no SQL of it is left out', () => {
    expect([...covered].toSorted()).toEqual([...blocks.keys()].toSorted())
    expect(guide.match(/```sql/g)).toHaveLength(9)
  })
})

describe('its quick reference', () => {
  it.each([
    ['limit_kinds', 'Limit Kinds'],
    ['window_types', 'Window Types'],
    ['limit_actions', 'Limit Actions'],
  ])('the codes of %s exist', async (table, heading) => {
    const section = guide.slice(guide.indexOf(`### ${heading}`)).split(/^#{2,3} /m)[1] ?? ''
    const codes = [...section.matchAll(/^\| `(\w+)`/gm)].map(([, code]) => code)
    expect(codes.length).toBeGreaterThanOrEqual(4)
    const rows = await sql<{ code: string }>(`select ${table.slice(0, -1)}_code as code from ${table}`)
    expect(rows.map((row) => row.code)).toEqual(expect.arrayContaining(codes))
  })
})
