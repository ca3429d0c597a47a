import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import { beforeAll, describe, expect, it } from 'vitest'
import { verifyHeads } from '../../../ops/verify-heads.ts'
import { headsOf, recompute, signer, signHeads, tampering } from '../../support/chains.ts'
import { accountId, grant } from '../../support/commands.ts'
import { api, mintAccount, mintNamespace, sql, token } from '../../support/sql.ts'

const ENTRIES = 100_000
const BATCH = 1000
/** Heads were signed after these. */
const SIGNED = [50_000, 90_000, 100_000]
const RESOURCE = 'benchmark_runs'
const BUDGET_MS = 60_000

let place: { namespace: string; id: string }

beforeAll(async () => {
  const namespace = await mintNamespace()
  const account = mintAccount()
  await grant(account, { quantity: 1_000_000, window: 'calendar_month' }, namespace)
  for (let entries = BATCH; entries <= ENTRIES; entries += BATCH) {
    const metered = Array.from({ length: BATCH }, () => ({
      ...{ idempotency_key: randomUUID(), account_id: account, resource: RESOURCE, quantity: 1 },
    }))
    await api('api_meter_batch', { entries: metered }, token(namespace))
    if (SIGNED.includes(entries)) await signHeads(namespace)
  }
  place = { namespace, id: await accountId(account, namespace) }
}, BUDGET_MS)

async function faultIn(client: pg.Client, after: number | null = null): Promise<unknown> {
  const { rows } = await client.query('select fault from fn_verify_entries($1, $2, $3, $4)', [
    ...[place.id, RESOURCE, after, 2 * ENTRIES],
  ])
  return rows[0]?.fault
}

async function entryAt(client: pg.Client, seq: number): Promise<string> {
  const { rows } = await client.query<{ entry_id: string }>(
    'select entry_id from consumption_ledger where account_id = $1 and resource_type_code = $2 and chain_seq = $3',
    [place.id, RESOURCE, seq],
  )
  return rows[0]?.entry_id ?? ''
}

const one = (fault: string, seq: number, entry_id: string) => ({ fault, seq, through_seq: seq, entry_id })

describe(
  'in 100,000 entries',
  () => {
    it('nothing is found where nothing was done', async () => {
      expect(await tampering(faultIn)).toBeNull()
      expect((await headsOf(place.namespace)).filter(({ chain }) => chain === 'ledger').map(({ seq }) => seq)).toEqual(
        SIGNED,
      )
    })

    it.each([
      ['the quantity', null, 'update consumption_ledger set quantity = 2, included_quantity = 2 where entry_id = $1'],
      ['what it drew', SIGNED[0], 'update consumption_allocations set overage_multiplier = 0.5 where entry_id = $1'],
      ['what it drew, gone', SIGNED[0], 'delete from consumption_allocations where entry_id = $1'],
      ['its own hash', SIGNED[0], "update consumption_ledger set chain_hash = sha256('x') where entry_id = $1"],
    ])('an edit is found and located: %s', async (_, after = null, edit = '') => {
      await tampering(async (client) => {
        const entry = await entryAt(client, 54_321)
        await client.query(edit, [entry])
        expect(await faultIn(client, after)).toEqual(one('changed', 54_321, entry))
      })
    })

    it('a deletion', async () => {
      await tampering(async (client) => {
        await client.query('delete from consumption_ledger where entry_id = $1', [await entryAt(client, 54_321)])
        expect(await faultIn(client)).toEqual({ fault: 'missing', seq: 54_321, through_seq: 54_321, entry_id: null })
      })
    })

    it.each([
      ['between two', 54_321, 'inserted'],
      ['after the last', ENTRIES + 1, 'inserted'],
      ['before the first', 0, 'inserted'],
    ])('an insertion %s', async (_, seq, fault) => {
      await tampering(async (client) => {
        // The highest id, so that of two with one number it is the second.
        const inserted = 'ffffffff-ffff-4fff-bfff-ffffffffffff'
        await client.query(
          `insert into consumption_ledger
         select (jsonb_populate_record(l, jsonb_build_object('entry_id', $2::uuid, 'chain_seq', $3::bigint))).* from consumption_ledger l where entry_id = $1`,
          [await entryAt(client, 54_321), inserted, seq],
        )
        expect(await faultIn(client)).toMatchObject({
          fault: seq > ENTRIES ? 'changed' : fault,
          seq,
          entry_id: inserted,
        })
        if (seq <= ENTRIES) return
        // Well linked, only that the head does not know it.
        await client.query(
          `update consumption_ledger l set chain_hash = fn_entry_hash(s.chain_hash, l, '{}') from resource_state s
         where l.entry_id = $1 and s.account_id = l.account_id and s.resource_type_code = l.resource_type_code`,
          [inserted],
        )
        expect(await faultIn(client, SIGNED[1])).toEqual(one('inserted', seq, inserted))
      })
    })

    it('another order', async () => {
      await tampering(async (client) => {
        const [first, second] = [await entryAt(client, 54_321), await entryAt(client, 54_400)]
        await client.query(
          'update consumption_ledger set chain_seq = case entry_id when $1 then 54400 else 54321 end where entry_id in ($1, $2)',
          [first, second],
        )
        expect(await faultIn(client, SIGNED[0])).toEqual(one('changed', 54_321, second))
      })
    })

    it('a tail that was cut off, and with it the head', async () => {
      await tampering(async (client) => {
        await client.query('delete from consumption_ledger where account_id = $1 and chain_seq > 95000', [place.id])
        const cut = { fault: 'missing', seq: 95_001, through_seq: ENTRIES, entry_id: null }
        expect(await faultIn(client)).toEqual(cut)
        await client.query(
          `update resource_state s set chain_seq = l.chain_seq, chain_hash = l.chain_hash from consumption_ledger l
         where s.account_id = $1 and l.account_id = $1 and l.chain_seq = 95000`,
          [place.id],
        )
        expect(await faultIn(client)).toEqual(cut)
      })
    })

    it('a head that is another', async () => {
      await tampering(async (client) => {
        await client.query("update resource_state set chain_hash = sha256('x') where account_id = $1", [place.id])
        expect(await faultIn(client, SIGNED[1])).toEqual(one('head_changed', ENTRIES, await entryAt(client, ENTRIES)))
      })
    })

    it('an edit with the chain made anew: between the last signed head that fits and the first that does not', async () => {
      const exported = await headsOf(place.namespace)
      const signers = [await signer]
      await tampering(async (client) => {
        const entry = await entryAt(client, 95_432)
        await client.query('update consumption_ledger set quantity = 2, included_quantity = 2 where entry_id = $1', [
          entry,
        ])
        await client.query('update consumption_allocations set included_quantity = 2 where entry_id = $1', [entry])
        await recompute(client, place.id, RESOURCE, 95_432)
        const rewritten = { seq: 90_001, through_seq: ENTRIES, entry_id: await entryAt(client, ENTRIES) }
        expect(await faultIn(client)).toEqual({ fault: 'rewritten', ...rewritten })
        const inFile = async () => (await verifyHeads(client, exported, signers, { fromFirst: true })).faults
        const ledger = { chain: 'ledger', account_uuid: place.id, resource: RESOURCE, namespace: place.namespace }
        expect(await inFile()).toEqual([{ ...ledger, fault: 'rewritten', ...rewritten }])

        // Who also changes what the database has of signed heads has no key to sign it with.
        await client.query(
          `update signed_heads h set chain_hash = l.chain_hash from consumption_ledger l
         where h.account_id = $1 and h.chain_seq = 100000 and l.account_id = $1 and l.chain_seq = 100000`,
          [place.id],
        )
        expect(await faultIn(client, SIGNED[1])).toBeNull()
        const kept = await client.query(
          'select fn_head_json(h) as head from signed_heads h where namespace_id = $1 order by head_number',
          [place.namespace],
        )
        const inDatabase = await verifyHeads(
          client,
          kept.rows.map(({ head }) => head),
          signers,
          { fromFirst: true },
        )
        expect(inDatabase.faults).toEqual([
          { ...ledger, fault: 'forged_head', seq: ENTRIES, through_seq: ENTRIES, entry_id: null },
        ])
        await client.query('delete from signed_heads where namespace_id = $1', [place.namespace])
        expect(await faultIn(client, SIGNED[1])).toBeNull()
        expect((await inFile()).filter(({ fault }) => fault === 'rewritten')).toEqual([
          { ...ledger, fault: 'rewritten', ...rewritten },
        ])
      })
    })

    it('a signed head that was taken out of the export', async () => {
      const heads = await headsOf(place.namespace)
      const without = heads.filter(({ number }) => number !== 2)
      await tampering(async (client) => {
        const { faults } = await verifyHeads(client, without, [await signer], { fromFirst: true })
        expect(faults).toMatchObject([{ fault: 'removed_head', namespace: place.namespace }])
      })
    })

    it('and the job finds it, a part at a time', async () => {
      const run = async () => {
        const [row] = await sql<{ report: { processed: number; more: boolean; faults: unknown[] } }>(
          'select fn_verify_chain($1, 30000) as report',
          [place.namespace],
        )
        return row?.report
      }
      const processed: number[] = []
      for (let more = true; more; ) {
        const report = await run()
        expect(report?.faults).toEqual([])
        processed.push(report?.processed ?? 0)
        more = report?.more ?? false
      }
      expect(processed.length).toBeGreaterThan(3)
      expect(Math.max(...processed)).toBeLessThanOrEqual(30_000)
      expect(processed.reduce((sum, each) => sum + each)).toBeGreaterThan(ENTRIES)
    })
  },
  BUDGET_MS,
)
