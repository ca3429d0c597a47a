import { readdir, readFile } from 'node:fs/promises'
import type pg from 'pg'
import { describe, expect, it } from 'vitest'
import { schemaSql } from '../../../database/dump-schema.ts'
import { migrate } from '../../../database/migrate.ts'
import { withClient, withScratchDatabase } from '../../support/scratch.ts'
import { sql } from '../../support/sql.ts'

const database = new URL('../../../database/', import.meta.url)

/** All that the schema public consists of, by name; nothing that depends on ids or the order of creation. */
const CATALOG: Record<string, string> = {
  columns: `select c.relname, a.attname, a.attnum, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, l.collname,
              pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum)
            from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum left join pg_collation l on l.oid = a.attcollation
            where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'c', 'v', 'p') order by 1, 3`,
  tables: `select relname, relkind, reloptions, relacl::text, obj_description(oid) from pg_class
           where relnamespace = 'public'::regnamespace and relkind in ('r', 'c', 'v', 'p', 'S') order by 1`,
  constraints: `select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint where connamespace = 'public'::regnamespace order by 1, 2`,
  indexes: `select indexname, indexdef from pg_indexes where schemaname = 'public' order by 1`,
  functions: `select p.oid::regprocedure::text, pg_get_functiondef(p.oid), p.proacl::text, obj_description(p.oid) from pg_proc p
              where p.pronamespace = 'public'::regnamespace and p.prokind = 'f' order by 1`,
  triggers: `select tgrelid::regclass::text, tgname, pg_get_triggerdef(oid), tgenabled from pg_trigger where not tgisinternal order by 1, 2`,
  types: `select t.typname, obj_description(t.oid) from pg_type t where t.typnamespace = 'public'::regnamespace order by 1`,
  extensions: 'select extname from pg_extension order by 1',
}

async function catalogOf(client: pg.Client): Promise<Record<string, unknown[]>> {
  const catalog: Record<string, unknown[]> = {}
  for (const [what, query] of Object.entries(CATALOG))
    catalog[what] = (await client.query({ text: query, rowMode: 'array' })).rows
  return catalog
}

describe('database/schema.sql', () => {
  it('is current (npm run db:schema)', async () => {
    expect(await readFile(new URL('schema.sql', database), 'utf8')).toBe(await schemaSql())
  })

  it('gives an empty database the same catalog as migrate does', async () => {
    const migrated = await withScratchDatabase(async (connectionString) => {
      await migrate({ connectionString })
      return withClient(connectionString, catalogOf)
    })
    const dumped = await withScratchDatabase((connectionString) =>
      withClient(connectionString, async (client) => {
        await client.query(await schemaSql())
        return catalogOf(client)
      }),
    )
    expect(dumped).toEqual(migrated)
    for (const rows of Object.values(migrated)) expect(rows.length).toBeGreaterThan(1)
  })
})

describe('migrate', () => {
  it('replaces the functions of an earlier release, whatever their signatures were', async () => {
    await withScratchDatabase(async (connectionString) => {
      await migrate({ connectionString })
      const before = await withClient(connectionString, catalogOf)
      await withClient(connectionString, (client) =>
        client.query(`
          CREATE FUNCTION fn_now(p_old text, p_older text) RETURNS text LANGUAGE sql AS 'SELECT p_old';
          DROP FUNCTION fn_rfc3339;
          CREATE FUNCTION fn_rfc3339(p_instant timestamptz) RETURNS int LANGUAGE sql AS 'SELECT 1'`),
      )
      await migrate({ connectionString })
      expect(await withClient(connectionString, catalogOf)).toEqual(before)
    })
  })

  it('may run twice, also at once, and keeps what is there', async () => {
    await withScratchDatabase(async (connectionString) => {
      await Promise.all([migrate({ connectionString }), migrate({ connectionString })])
      await withClient(connectionString, async (client) => {
        const rows = async (text: string) => (await client.query(text)).rows
        await client.query(`
          insert into entitlements (account_id, resource_type_code, limit_kind_code, quantity_allowed) values ('11111111-1111-4111-8111-111111111111', 'gpu_hours', 'cumulative', 5);
          select fn_meter_consumption('k', '11111111-1111-4111-8111-111111111111', 'gpu_hours', 3);
          update plan_entitlement_templates set quantity_allowed = 51 where plan_id = 'starter' and resource_type_code = 'benchmark_runs';
          update namespaces set is_sandbox = false, account_seed = '22222222-2222-4222-8222-222222222222' where namespace_id = 'default';
          delete from plan_entitlement_templates where plan_id = 'pro' and resource_type_code = 'gpu_hours';
        `)
        const data = async () => [
          await rows('select * from consumption_ledger'),
          await rows('select * from entitlement_windows'),
          await rows('select * from entitlements'),
          await rows('select * from namespaces order by 1'),
          await rows(
            'select plan_id, resource_type_code, quantity_allowed from plan_entitlement_templates order by 1, 2',
          ),
          await rows('select * from unit_types order by 2'),
        ]
        const [before, catalog] = [await data(), await catalogOf(client)]
        await migrate({ connectionString })
        expect(await data()).toEqual(before)
        expect(await catalogOf(client)).toEqual(catalog)
      })
    })
  })

  it('says which file is wrong', async () => {
    await withScratchDatabase(async (connectionString) => {
      await withClient(connectionString, (client) => client.query('create view resource_state as select 1 as one'))
      await expect(migrate({ connectionString })).rejects.toThrow()
    })
  })
})

describe('functions', () => {
  it('every file in database/functions defines exactly the function it is named after', async () => {
    const files = await readdir(new URL('functions/', database))
    for (const file of files) {
      const text = await readFile(new URL(`functions/${file}`, database), 'utf8')
      const defined = [...text.matchAll(/CREATE (?:OR REPLACE )?FUNCTION (\w+)/g)].map(([, name]) => `${name}.sql`)
      expect(defined).toEqual([file])
      expect([...text.matchAll(/^COMMENT ON FUNCTION (\w+)/gm)].map(([, name]) => `${name}.sql`)).toEqual([file])
    }
    const triggers = await readdir(new URL('triggers/', database))
    const texts = await Promise.all(triggers.map((file) => readFile(new URL(`triggers/${file}`, database), 'utf8')))
    const ofTriggers = [...texts.join('\n').matchAll(/CREATE OR REPLACE FUNCTION (\w+)/g)].map(([, name]) => name)
    const rows = await sql<{ name: string }>(
      `select proname as name from pg_proc where pronamespace = 'public'::regnamespace and proname ~ '^(fn|api)_'`,
    )
    // One of each name: the guide passes untyped literals, which an overload would make ambiguous.
    expect(rows.map((row) => row.name).toSorted()).toEqual(
      [...files.map((file) => file.replace('.sql', '')), ...ofTriggers].toSorted(),
    )
  })

  it('all of them, and all types, have a comment', async () => {
    const bare = await sql(
      `select proname as name from pg_proc where pronamespace = 'public'::regnamespace and proname ~ '^(fn|api)_' and obj_description(oid) is null
       union all
       select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'c' and obj_description(reltype, 'pg_type') is null and obj_description(oid) is null`,
    )
    expect(bare).toEqual([])
  })

  it('what the Worker calls runs as its owner, on a fixed search path; nothing else does', async () => {
    const rows = await sql<{ name: string; definer: boolean; pinned: boolean }>(
      `select proname as name, prosecdef as definer, coalesce('search_path=public, pg_temp' = any (proconfig), false) as pinned
       from pg_proc where pronamespace = 'public'::regnamespace and proname ~ '^(fn|api)_'`,
    )
    const forSqlUsers = [
      'fn_check_entitlement',
      'fn_acquire_lease',
      'fn_release_lease',
      'fn_heartbeat_lease',
      'fn_meter_consumption',
      'fn_provision_plan_entitlements',
      'fn_reserve',
      'fn_commit_reservation',
      'fn_release_reservation',
      'fn_assign_item',
      'fn_release_item',
    ]
    // At a commit nothing is around it any more that runs as its owner.
    const atCommit = ['fn_audit_chained']
    for (const { name, definer, pinned } of rows) {
      const meant = name.startsWith('api_') || [...forSqlUsers, ...atCommit].includes(name)
      expect([name, definer, pinned]).toEqual([name, meant, meant])
    }
  })

  it('their bodies are valid', () =>
    withScratchDatabase(async (connectionString) => {
      await migrate({ connectionString })
      await withClient(connectionString, async (client) => {
        await client.query(`set check_function_bodies = on`)
        const { rows } = await client.query<{ definition: string }>(
          `select pg_get_functiondef(oid) as definition from pg_proc where pronamespace = 'public'::regnamespace and proname ~ '^(fn|api)_'`,
        )
        for (const { definition } of rows) await client.query(definition)
      })
    }))
})

it('the tables of the hot path have room on their pages, and no foreign keys', async () => {
  const hot = [
    'resource_state',
    'entitlement_windows',
    'entitlement_window_parts',
    'usage_rollups',
    'inventory_totals',
    'concurrency_leases',
  ]
  expect(await sql(`select relname from pg_class where 'fillfactor=70' = any (reloptions) order by 1`)).toEqual(
    hot.toSorted().map((relname) => ({ relname })),
  )
  const append = [
    'consumption_ledger',
    'consumption_allocations',
    'idempotency_keys',
    'accounts',
    'reservations',
    'inventory_items',
  ]
  expect(
    await sql(`select conname from pg_constraint where contype = 'f' and conrelid = any ($1::regclass[])`, [
      [...hot, ...append],
    ]),
  ).toEqual([])
})
