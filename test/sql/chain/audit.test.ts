import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import { beforeAll, describe, expect, it } from 'vitest'
import { headsOf, link, signHeads, tampering } from '../../support/chains.ts'
import { grant, ruleFor, setClock } from '../../support/commands.ts'
import { api, mintAccount, mintNamespace, sql, sqlValue, token } from '../../support/sql.ts'

const ENTRIES = 60
let namespace: string

/** Changes of the control plane, several at a time. */
beforeAll(async () => {
  namespace = await mintNamespace()
  const change = (n: number) =>
    n % 3 === 0
      ? ruleFor(mintAccount(), { action: 'warn' }, namespace)
      : api('api_account_patch', { account_id: mintAccount(), name: `A ${n}` }, token(namespace))
  for (let round = 0; (await entries()) < ENTRIES; round++)
    await Promise.all(Array.from({ length: 6 }, (_, n) => change(6 * round + n)))
})

const entries = () =>
  sqlValue<string>('select count(*) from audit_log where namespace_id = $1', [namespace]).then(Number)

async function faultIn(client: pg.Client): Promise<unknown> {
  const { rows } = await client.query('select fault from fn_verify_audit($1, null, 1000)', [namespace])
  return rows[0]?.fault
}

async function entryAt(seq: number): Promise<string> {
  return sqlValue<string>('select audit_id from audit_chain where namespace_id = $1 and chain_seq = $2', [
    namespace,
    seq,
  ])
}

const one = (fault: string, seq: number, entry_id: string | null) => ({ fault, seq, through_seq: seq, entry_id })

describe('the chain of an audit trail', () => {
  it('has each entry once, by the documented form', async () => {
    const rows = await sql<Record<string, string | null> & { chain_hash: string }>(
      `select 'mec-audit-1', c.chain_seq::text, a.audit_id::text, a.namespace_id, a.account_id::text, a.actor, a.request_id, a.action,
         a.object_type, a.object_id, a.before::text, a.after::text, encode(a.details_hash, 'hex') as details,
         trim_scale(extract(epoch from a.changed_at) * 1000000)::text as changed, encode(c.chain_hash, 'hex') as chain_hash
       from audit_chain c join audit_log a using (audit_id) where c.namespace_id = $1 order by c.chain_seq`,
      [namespace],
    )
    let previous = ''
    for (const { chain_hash, ...fields } of rows) {
      expect(chain_hash).toBe(link(previous, Object.values(fields)))
      previous = chain_hash
    }
    expect(rows.length).toBe(await entries())
    expect(rows.length).toBeGreaterThanOrEqual(ENTRIES)
    expect(await tampering(faultIn)).toBeNull()
  })

  it.each([
    ['an edit', "update audit_log set actor = 'cron' where audit_id = $1", 'changed'],
    ['an edit of what it was', 'update audit_log set after = after || \'{"name":"x"}\' where audit_id = $1', 'changed'],
    ['a deletion', 'delete from audit_log where audit_id = $1', 'missing'],
    [
      'personal strings that are others',
      'update audit_details set after = \'{"name":"x"}\' where audit_id = $1',
      'details_changed',
    ],
  ])('shows %s', async (_, statement, fault) => {
    const seq = Number(
      await sqlValue<string>(
        `select min(chain_seq) from audit_chain join audit_details using (audit_id) where namespace_id = $1 and chain_seq > 20`,
        [namespace],
      ),
    )
    await tampering(async (client) => {
      await client.query(statement, [await entryAt(seq)])
      expect(await faultIn(client)).toEqual(one(fault, seq, await entryAt(seq)))
    })
  })

  it('shows a deletion with its link', async () => {
    await tampering(async (client) => {
      const entry = await entryAt(30)
      await client.query('delete from audit_log where audit_id = $1', [entry])
      await client.query('delete from audit_chain where audit_id = $1', [entry])
      expect(await faultIn(client)).toEqual(one('missing', 30, null))
    })
  })

  it('shows an insertion', async () => {
    await tampering(async (client) => {
      const inserted = randomUUID()
      await client.query(
        "insert into audit_log select (jsonb_populate_record(a, jsonb_build_object('audit_id', $2::uuid))).* from audit_log a where audit_id = $1",
        [await entryAt(30), inserted],
      )
      expect(await faultIn(client)).toEqual({ fault: 'inserted', seq: null, through_seq: null, entry_id: inserted })
    })
  })

  it('shows another order', async () => {
    await tampering(async (client) => {
      await client.query(
        `update audit_chain c set audit_id = (case chain_seq when 30 then $2 else $3 end)::uuid where namespace_id = $1 and chain_seq in (30, 31)`,
        [namespace, randomUUID(), randomUUID()],
      )
      expect(await faultIn(client)).toMatchObject({ fault: 'missing', seq: 30 })
    })
  })

  it('shows a tail that was cut off, and with signed heads also one that was cut off with its head', async () => {
    await signHeads(namespace)
    const head = (await headsOf(namespace)).findLast(({ chain }) => chain === 'audit')
    await tampering(async (client) => {
      await client.query(
        'delete from audit_log a using audit_chain c where c.audit_id = a.audit_id and c.namespace_id = $1 and c.chain_seq > 40',
        [namespace],
      )
      await client.query('delete from audit_chain where namespace_id = $1 and chain_seq > 40', [namespace])
      const cut = { fault: 'missing', seq: 41, through_seq: head?.seq, entry_id: null }
      expect(await faultIn(client)).toEqual(cut)
      await client.query(
        `update audit_heads h set chain_seq = 40, chain_hash = c.chain_hash from audit_chain c
         where h.namespace_id = $1 and c.namespace_id = $1 and c.chain_seq = 40`,
        [namespace],
      )
      expect(await faultIn(client)).toEqual(cut)
    })
  })

  it('shows an edit with the chain made anew', async () => {
    await signHeads(namespace)
    const last = await entries()
    await tampering(async (client) => {
      await client.query("update audit_log set actor = 'cron' where audit_id = $1", [await entryAt(last)])
      await client.query(
        `update audit_chain c set chain_hash = fn_audit_hash(p.chain_hash, c.chain_seq, a) from audit_log a, audit_chain p
         where c.namespace_id = $1 and c.chain_seq = $2 and a.audit_id = c.audit_id and p.namespace_id = $1 and p.chain_seq = c.chain_seq - 1`,
        [namespace, last],
      )
      await client.query(
        'update audit_heads h set chain_hash = c.chain_hash from audit_chain c where h.namespace_id = $1 and c.namespace_id = $1 and c.chain_seq = $2',
        [namespace, last],
      )
      expect(await faultIn(client)).toMatchObject({
        fault: 'rewritten',
        through_seq: last,
        entry_id: await entryAt(last),
      })
    })
  })
})

describe('commands', () => {
  it('at once, in one namespace and over several, neither wait for each other’s trail nor break it', async () => {
    const places = await Promise.all(Array.from({ length: 3 }, () => mintNamespace()))
    const accounts = await Promise.all(
      places.map(async (place) => {
        const account = mintAccount()
        await setClock(place, '2031-01-31T00:00:00Z')
        await grant(account, { window: 'calendar_month' }, place)
        return account
      }),
    )
    const commands = Array.from({ length: 40 }, (_, n) => {
      const place = places[n % 3] ?? ''
      const account = accounts[n % 3] ?? ''
      if (n % 4 === 0) return () => api('api_maintenance', { job: 'close_windows' }, token(place))
      if (n % 4 === 1)
        return () =>
          api('api_account_patch', { account_id: account, status: n % 8 === 1 ? 'suspended' : 'active' }, token(place))
      // Of all three, in any order: only SQL does that.
      if (n % 4 === 2)
        return () =>
          sql(`update accounts set account_name = $1 where namespace_id = any ($2)`, [
            `n ${n}`,
            places.toSorted(() => n - 20),
          ])
      return () =>
        api(
          'api_meter',
          { idempotency_key: `k${n}`, account_id: account, resource: 'benchmark_runs', quantity: 1 },
          token(place),
        )
    })
    const results = await Promise.allSettled(commands.map((command) => command()))
    expect(results.filter(({ status }) => status === 'rejected')).toEqual([])
    for (const place of places) {
      const [row] = await sql('select entries > 1 as some, fault from fn_verify_audit($1, null, 1000)', [place])
      expect(row).toEqual({ some: true, fault: null })
    }
  })
})
