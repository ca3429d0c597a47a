import { describe, expect, it } from 'vitest'
import { grant, meter, textAt } from '../../support/commands.ts'
import { mintAccount, sql, sqlAsWorker } from '../../support/sql.ts'

const COLUMN: Record<string, string> = { audit_log: 'audit_id', audit_chain: 'audit_id', signed_heads: 'account_id' }
const APPEND_ONLY = ['consumption_ledger', 'consumption_allocations', 'audit_log', 'audit_chain', 'signed_heads']

describe('what was recorded stays as it was', () => {
  it.each(APPEND_ONLY)('%s: the owner cannot update, delete or truncate', async (table) => {
    const account = mintAccount()
    await grant(account, { window: 'calendar_month' })
    const entry = await meter(account, { quantity: 3 })
    const column = COLUMN[table] ?? 'entry_id'
    for (const statement of [
      `update ${table} set ${column} = ${column} where ${column} = '${textAt(entry, 'entry.entry_id')}'`,
      `delete from ${table} where ${column} = '${textAt(entry, 'entry.entry_id')}'`,
      `delete from ${table} where false`,
      `truncate ${table}`,
    ]) {
      await expect(sql(statement)).rejects.toMatchObject({
        code: 'ME409',
        detail: expect.stringContaining('append_only'),
      })
    }
  })
})

describe('the role of the Worker', () => {
  it('reads every table and writes none', async () => {
    const tables = await sql<{ name: string; column: string }>(
      `select c.relname as name, (select a.attname from pg_attribute a where a.attrelid = c.oid and a.attnum = 1) as column
       from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'`,
    )
    expect(tables.length).toBeGreaterThan(20)
    for (const { name, column } of tables) {
      expect(await sqlAsWorker(`select from ${name} limit 1`)).toEqual(expect.any(Array))
      for (const statement of [
        `insert into ${name} default values`,
        `update ${name} set ${column} = ${column}`,
        `delete from ${name}`,
        `truncate ${name}`,
        `select from ${name} for update`,
        `alter table ${name} add column own int`,
        `drop table ${name}`,
      ]) {
        await expect(sqlAsWorker(statement), statement).rejects.toMatchObject({ code: '42501' })
      }
    }
  })

  it('creates nothing, and becomes nobody else', async () => {
    for (const statement of [
      'create table own (id int)',
      "create function own() returns int language sql as 'select 1'",
      'create schema own',
      'create role own',
      'set role postgres',
    ]) {
      await expect(sqlAsWorker(statement), statement).rejects.toMatchObject({ code: '42501' })
    }
    const [role] = await sql(
      'select rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication from pg_roles where rolname = $1',
      ['mec_worker'],
    )
    expect(role).toEqual({
      rolsuper: false,
      rolcreaterole: false,
      rolcreatedb: false,
      rolbypassrls: false,
      rolreplication: false,
    })
  })

  it("executes MEC's functions, which nobody else may", async () => {
    const rows = await sql<{ name: string; worker: boolean; everyone: boolean }>(
      `select p.oid::regprocedure::text as name, has_function_privilege('mec_worker', p.oid, 'execute') as worker,
         exists (select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a where a.grantee = 0) as everyone
       from pg_proc p where p.pronamespace = 'public'::regnamespace and p.proname ~ '^(fn|api)_'`,
    )
    expect(rows.filter((row) => !row.worker || row.everyone)).toEqual([])
  })

  it('writes through a function of its own rights nothing either', async () => {
    await expect(sqlAsWorker("select fn_bump_namespaces('{default}')")).rejects.toMatchObject({ code: '42501' })
    await expect(sqlAsWorker("select fn_lock_resource(gen_random_uuid(), 'gpu_hours', true)")).rejects.toMatchObject({
      code: '42501',
    })
  })
})
