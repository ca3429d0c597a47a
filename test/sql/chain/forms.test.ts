import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { drizzle } from 'drizzle-orm/node-postgres'
import { migrate as applyMigrations } from 'drizzle-orm/node-postgres/migrator'
import { describe, expect, it } from 'vitest'
import { migrate } from '../../../database/migrate.ts'
import { link } from '../../support/chains.ts'
import {
  accountId,
  assign,
  consume,
  grant,
  meter,
  reverse,
  setClock,
  textAt,
  unassign,
} from '../../support/commands.ts'
import { withClient, withScratchDatabase } from '../../support/scratch.ts'
import { api, mintAccount, mintNamespace, sql, token } from '../../support/sql.ts'

type Row = Record<string, string | null>

const MICROS = (column: string) => `trim_scale(extract(epoch from ${column}) * 1000000)::text`
/** The fields of docs/LEDGER_CHAIN.md in their order, as text. */
const ENTRY = `'mec-entry-1' as form, chain_seq::text, entry_id::text, namespace_id, account_id::text, resource_type_code, resource_scope,
  entry_kind, limit_kind_code, idempotency_key, trim_scale(quantity)::text, unit_code, trim_scale(original_quantity)::text as original,
  original_unit_code, ${MICROS('occurred_at')} as occurred, ${MICROS('recorded_at')} as recorded, ${MICROS('counted_at')} as counted,
  case when is_late then 'true' else 'false' end as late, reverses_entry_id::text, trim_scale(included_quantity)::text as included,
  trim_scale(overage_quantity)::text as overage, trim_scale(excess_quantity)::text as excess, encode(details_hash, 'hex') as details`
const DRAWN = `entitlement_id::text, bucket_id::text, ${MICROS('window_start')} as starts, ${MICROS('window_end')} as ends,
  ${MICROS('counted_at')} as counted, trim_scale(included_quantity)::text as included, trim_scale(overage_quantity)::text as overage,
  trim_scale(excess_quantity)::text as excess, trim_scale(billable_quantity)::text as billable, trim_scale(overage_multiplier)::text as multiplier`

describe('the hash of an entry', () => {
  it('is what the documented form gives, whatever the entry says', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    const resource = 'benchmark_runs'
    await setClock(namespace, '2031-03-31T12:00:00.123Z')
    for (const priority of [1, 2])
      await grant(account, { quantity: 2.5, priority, window: 'calendar_month' }, namespace)
    await grant(account, { quantity: 1, scope: 'us', priority: 3, window: 'rolling_30d' }, namespace)
    const { entry } = await consume(
      account,
      { quantity: 4.5, metadata: { who: 'Ada "the first" \u00e9\u{1f984}' } },
      namespace,
    )
    await meter(
      account,
      { quantity: 0.000001, scope: 'us/h100', idempotency_key: 'a "key"\\ of \u{1f984} ","x' },
      namespace,
    )
    await meter(account, { quantity: 30 }, namespace)
    await meter(account, { quantity: 1, occurred_at: '2031-01-01T00:00:00Z' }, namespace)
    await reverse(textAt(entry ?? {}, 'entry_id'), { quantity: 3.5, reason: 'x' }, namespace)
    const id = await accountId(account, namespace)
    const entries = await sql<Row>(
      `select ${ENTRY} from consumption_ledger where account_id = $1 and resource_type_code = $2 order by chain_seq`,
      [id, resource],
    )
    const hashes: string[] = []
    for (const fields of entries) {
      const drawn = await sql<Row>(
        `select ${DRAWN} from consumption_allocations where entry_id = $1 order by draw_order`,
        [fields['entry_id']],
      )
      hashes.push(
        link(hashes.at(-1) ?? '', [...Object.values(fields), ...drawn.flatMap((each) => Object.values(each))]),
      )
    }
    const kept = await sql<{ hash: string }>(
      "select encode(chain_hash, 'hex') as hash from consumption_ledger where account_id = $1 and resource_type_code = $2 order by chain_seq",
      [id, resource],
    )
    expect(entries.map((each) => each['chain_seq'])).toEqual(['1', '2', '3', '4', '5'])
    expect(kept.map(({ hash }) => hash)).toEqual(hashes)
    const [head] = await sql<{ seq: string; hash: string }>(
      "select chain_seq as seq, encode(chain_hash, 'hex') as hash from resource_state where account_id = $1 and resource_type_code = $2",
      [id, resource],
    )
    expect(head).toEqual({ seq: '5', hash: hashes.at(-1) })
  })

  it('does not depend on how a session shows times and numbers', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await grant(account, { window: 'calendar_month' }, namespace)
    await consume(account, {}, namespace)
    const id = await accountId(account, namespace)
    const rows = await sql(
      `select fault from (select set_config('timezone', 'Asia/Kathmandu', true), set_config('datestyle', 'German', true),
        set_config('extra_float_digits', '-5', true), set_config('intervalstyle', 'iso_8601', true) offset 0) s
       cross join lateral fn_verify_entries($1, 'benchmark_runs', null, 10)`,
      [id],
    )
    expect(rows).toEqual([{ fault: null }])
  })

  it('is written by all who write entries: each once, in the order of their numbers', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await grant(account, { resource: 'named_users', limit_kind: 'inventory' }, namespace)
    await grant(account, { quantity: 1000 }, namespace)
    await assign(account, 'ada', {}, namespace)
    await unassign(account, 'ada', {}, namespace)
    await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        n % 4 === 0
          ? api(
              'api_meter_batch',
              {
                entries: Array.from({ length: 5 }, (_, m) => ({
                  ...{ idempotency_key: `b${n}-${m}`, account_id: account, resource: 'benchmark_runs', quantity: 1 },
                })),
              },
              token(namespace),
            )
          : consume(account, {}, namespace),
      ),
    )
    const rows = await sql(
      `select s.resource_type_code as resource, v.entries, s.chain_seq as head, v.fault from resource_state s
       join accounts a using (account_id) cross join lateral fn_verify_entries(s.account_id, s.resource_type_code, null, 1000) v
       where a.namespace_id = $1 order by 1`,
      [namespace],
    )
    expect(rows).toEqual([
      { resource: 'benchmark_runs', entries: 40, head: '40', fault: null },
      { resource: 'named_users', entries: 2, head: '2', fault: null },
    ])
  })
})

/** The migrations before the one that brought the chains. */
const BEFORE = 8

it('what was recorded before there were chains is chained by the migration, as it was recorded', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mec-migrations-'))
  try {
    await cp(new URL('../../../drizzle/migrations', import.meta.url), folder, { recursive: true })
    const journal = JSON.parse(await readFile(join(folder, 'meta/_journal.json'), 'utf8'))
    await writeFile(
      join(folder, 'meta/_journal.json'),
      JSON.stringify({ ...journal, entries: journal.entries.slice(0, BEFORE) }),
    )
    await withScratchDatabase(async (connectionString) => {
      await withClient(connectionString, async (client) => {
        await client.query('create extension "uuid-ossp"; create extension pgcrypto')
        await applyMigrations(drizzle(client), { migrationsFolder: folder })
        await client.query(`
          insert into namespaces (namespace_id) values ('old');
          insert into accounts (account_id, namespace_id) select gen_random_uuid(), 'old' from generate_series(1, 3);
          insert into resource_state (account_id, resource_type_code) select account_id, r from accounts, unnest('{gpu_hours,benchmark_runs}'::text[]) r;
          insert into consumption_ledger select gen_random_uuid(), 'old', s.account_id, s.resource_type_code, null, 'usage', 'cumulative', 'k' || n,
            n, 'count', n, 'count', now(), now() + n % 7 * interval '1 hour', now(), false, null, n, 0, 0, case n % 2 when 0 then sha256('x') end
          from resource_state s, generate_series(1, 30) n where s.resource_type_code = 'gpu_hours';
          insert into consumption_allocations select entry_id, gen_random_uuid(), account_id, resource_type_code, gen_random_uuid(), '-infinity', 'infinity',
            now(), n, 0.50, 0, 0, 1.500, n from consumption_ledger, generate_series(1, 2) n;
          insert into ledger_details (entry_id, metadata, salt) select entry_id, '{"a":1}', 'salt' from consumption_ledger where details_hash is not null;
          insert into audit_log (audit_id, namespace_id, actor, action, object_type, object_id, before, after, changed_at)
          select gen_random_uuid(), 'old', 'cron', 'update', 'plan', 'p' || n, null, '{"z": 1.50, "a": "\u00e9"}', now() from generate_series(1, 9) n`)
      })
      await migrate({ connectionString })
      await withClient(connectionString, async (client) => {
        const { rows } = await client.query(
          `select s.resource_type_code as resource, v.entries, v.fault ->> 'fault' as fault from resource_state s
           cross join lateral fn_verify_entries(s.account_id, s.resource_type_code, null, 1000) v
           union all select 'audit', v.entries, v.fault ->> 'fault' from fn_verify_audit('old', null, 1000) v order by 1`,
        )
        // Their made-up details do not have the hash that they should.
        expect(rows).toEqual([
          { resource: 'audit', entries: 9, fault: null },
          ...Array.from({ length: 3 }, () => ({ resource: 'benchmark_runs', entries: 0, fault: null })),
          ...Array.from({ length: 3 }, () => ({ resource: 'gpu_hours', entries: 30, fault: 'details_changed' })),
        ])
        await client.query('delete from ledger_details')
        const after = await client.query('select faults from fn_verify_ledger(null, null, null, null, 1000)')
        expect(after.rows).toEqual([{ faults: [] }])
        const order = await client.query(
          `select count(*)::int from (select recorded_at < lag(recorded_at) over (partition by account_id, resource_type_code order by chain_seq) as earlier
           from consumption_ledger) l where earlier`,
        )
        expect(order.rows).toEqual([{ count: 0 }])
      })
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}, 60_000)
