import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { migrate } from '../../database/migrate.ts'
import { createHeadSigner } from '../../functions/http/head-signer.ts'
import { createSignHeads } from '../../functions/maintenance/sign-heads.ts'
import type { Gateway } from '../../functions/store/gateway.ts'
import { runScript } from '../support/dev.ts'
import { startDatabase } from './setup.ts'

const KEY = 'the signing key'
const { postgres } = await startDatabase()
const admin = { type: 'jwt', namespace: 'acme', scopes: ['admin'], account: null, request_id: 'r' }
const client = new pg.Client({ connectionString: postgres.superuserUrl })
const bucket = new Map<string, string>()
const parse = <Type>(value: object): Type => JSON.parse(JSON.stringify(value))
const gateway: Gateway = {
  bind(name) {
    return async (credential, request) => {
      const { rows } = await client.query(`select ${name}($1, $2) as answer`, [credential, request])
      return { answer: parse(rows[0].answer), changes: [] }
    }
  },
  async ready() {},
}

let folder = ''
let exported = ''

beforeAll(async () => {
  await migrate({ connectionString: postgres.url })
  await client.connect()
  await client.query("insert into namespaces (namespace_id) values ('acme'), ('other')")
  const call = (name: string, request: object) => client.query(`select ${name}($1, $2)`, [admin, request])
  const own = { account_id: 'a', resource: 'benchmark_runs' }
  await call('api_entitlement_grant', { ...own, limit_kind: 'cumulative', quantity: 100 })
  const use = (n: number) => call('api_consume', { ...own, idempotency_key: `k${n}`, quantity: 1 })
  const sign = createSignHeads({
    gateway,
    signer: () => createHeadSigner(KEY),
    bucket: { put: async (name, text) => void bucket.set(name, text) },
  })
  for (let n = 1; n <= 10; n++) {
    await use(n)
    if (n % 5 === 0) await sign(parse(admin))
  }
  folder = await mkdtemp(join(tmpdir(), 'mec-heads-'))
  exported = join(folder, 'heads.jsonl')
  await writeFile(exported, [...bucket.values()].join(''))
})

afterAll(async () => {
  await client.end()
  await rm(folder, { recursive: true, force: true })
})

const verify = (args: string[] = [], env: Record<string, string> = {}) =>
  runScript('ops/ledger-verify.ts', '', args, {
    ...{ DATABASE_URL: postgres.url, LEDGER_SIGNING_KEY: '', LEDGER_SIGNING_KEY_PREVIOUS: '', ...env },
  })

async function tampered<Result>(statement: string, work: () => Promise<Result>): Promise<Result> {
  await client.query("set session_replication_role = 'replica'")
  const kept = ['consumption_ledger', 'resource_state', 'signed_heads']
  for (const table of kept) await client.query(`create temp table kept_${table} as table ${table}`)
  try {
    await client.query(statement)
    return await work()
  } finally {
    for (const table of kept) {
      await client.query(`delete from ${table}; insert into ${table} table kept_${table}; drop table kept_${table}`)
    }
    await client.query("set session_replication_role = 'origin'")
  }
}

test('whole chains: how many entries, how fast, and 0', async () => {
  const { exitCode, stdout } = await verify(['--heads', exported], { LEDGER_SIGNING_KEY: KEY })
  expect(stdout).toMatch(/^Verified \d+ entries in \d+\.\d s: \d+ entries\/s\.\n/)
  // Of the audit trail once, of the ledger twice.
  expect(stdout).toContain('Verified 3 signed heads in the database.')
  expect(stdout).toContain(`Verified 3 signed heads of ${exported}.`)
  expect(stdout).toContain('All chains are whole.')
  expect(exitCode).toBe(0)
  expect((await verify()).stdout).toContain('Signatures were not verified')
  expect(await verify(['--namespace', 'other'])).toMatchObject({
    exitCode: 0,
    // That it was made.
    stdout: expect.stringContaining('Verified 1 entries'),
  })
})

test('an edit is named, and so is one with all hashes made anew, by what was kept outside', async () => {
  const edit = 'update consumption_ledger set quantity = 2, included_quantity = 2 where chain_seq = 7'
  const found = await tampered(edit, verify)
  expect(found.stdout).toMatch(
    /BROKEN {2}ledger [-0-9a-f]{36} benchmark_runs seq 7 entry [-0-9a-f]{36}: changed: .*\n1 faults\.\n$/,
  )
  expect(found.exitCode).toBe(1)

  const anew = `${edit}; delete from signed_heads;
    do $$ declare l consumption_ledger; h bytea := (select chain_hash from consumption_ledger where chain_seq = 6);
    begin for l in select * from consumption_ledger where chain_seq > 6 order by chain_seq loop
      h := fn_entry_hash(h, l, array(select row(null, a.entry_id, a.entitlement_id, a.bucket_id, a.window_start, a.window_end, a.counted_at,
        a.included_quantity, a.overage_quantity, a.excess_quantity, a.billable_quantity, a.overage_multiplier)::usage_allocation
        from consumption_allocations a where a.entry_id = l.entry_id));
      update consumption_ledger set chain_hash = h where entry_id = l.entry_id;
    end loop; update resource_state set chain_hash = h where chain_seq > 0; end $$`
  const [blind, seeing] = await tampered(anew, async () => [
    await verify([], { LEDGER_SIGNING_KEY: KEY }),
    await verify(['--heads', exported], { LEDGER_SIGNING_KEY: KEY }),
  ])
  expect(blind).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('All chains are whole.') })
  expect(seeing?.exitCode).toBe(1)
  expect(seeing?.stdout).toMatch(
    /BROKEN {2}ledger [-0-9a-f]{36} benchmark_runs seq 6 to 10 entry [-0-9a-f]{36}: rewritten: /,
  )
})

test('a chain without its head is not overlooked', async () => {
  const found = await tampered('delete from resource_state', verify)
  expect(found).toMatchObject({
    exitCode: 1,
    stdout: expect.stringMatching(/benchmark_runs seq 1 to 10 entry .*no_head/),
  })
})

test.each([
  [['--heads', 'nowhere'], { LEDGER_SIGNING_KEY: KEY }, '--heads nowhere: ENOENT'],
  [['--heads', 'package.json'], { LEDGER_SIGNING_KEY: KEY }, 'line 1: neither a signed head nor a page of them'],
  [['--heads', 'x'], {}, '--heads needs LEDGER_SIGNING_KEY'],
  [[], { LEDGER_SIGNING_KEY: 'another' }, 'was signed with another key'],
  [[], { DATABASE_URL: '' }, 'DATABASE_URL is missing'],
  [['--fast'], {}, "Unknown option '--fast'"],
  [['--namespace', 'nope-x'], {}, '--namespace nope-x: there is no such namespace'],
  [['--namespace', ''], {}, 'there is no such namespace'],
])('%j with %j is refused: %s', async (args, env, message) => {
  expect(await verify(args, env)).toMatchObject({ exitCode: 1, stderr: expect.stringContaining(message) })
})

test('the key before this one is taken, too', async () => {
  const { exitCode } = await verify([], { LEDGER_SIGNING_KEY: 'new', LEDGER_SIGNING_KEY_PREVIOUS: KEY })
  expect(exitCode).toBe(0)
})
