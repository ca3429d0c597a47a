import { createHash } from 'node:crypto'
import type pg from 'pg'
import { inject } from 'vitest'
import type { HeadSigner, SignedHead } from '../../functions/core/heads.ts'
import { createHeadSigner } from '../../functions/http/head-signer.ts'
import { createSignHeads } from '../../functions/maintenance/sign-heads.ts'
import type { Gateway } from '../../functions/store/gateway.ts'
import { withClient } from './scratch.ts'
import { type Answer, api, sql, token } from './sql.ts'

/** One key of the Worker's for all tests of a process. */
export const signer: Promise<HeadSigner> = createHeadSigner('the key of the tests')

/** The database as the Worker has it, without HTTP in between. */
export const gateway: Gateway = {
  bind(name) {
    return async (credential, request) => ({
      answer: parse(await api(name, parse(request), parse(credential))),
      changes: [],
    })
  },
  async ready() {},
}

/** The same JSON under another type. */
function parse<Type>(value: object): Type {
  return JSON.parse(JSON.stringify(value))
}

/** Runs the job sign_heads in a namespace, to its end; gives how many heads it signed. */
export async function signHeads(namespace: string, bucket = new Map<string, string>()): Promise<number> {
  const put = async (name: string, text: string) => void bucket.set(name, text)
  const step = createSignHeads({ gateway, signer: () => signer, bucket: { put } })
  let signed = 0
  for (let more = true; more; ) {
    const result = await step(parse(token(namespace)))
    signed += result.processed
    more = result.more
  }
  return signed
}

/** The signed heads of a namespace. */
export async function headsOf(namespace: string): Promise<SignedHead[]> {
  const rows = await sql<{ head: SignedHead }>(
    'select fn_head_json(h) as head from signed_heads h where namespace_id = $1 order by head_number',
    [namespace],
  )
  return rows.map(({ head }) => head)
}

/** What somebody with superuser rights can do, triggers off; taken back at the end. */
export function tampering<Result>(work: (client: pg.Client) => Promise<Result>): Promise<Result> {
  return withClient(inject('superuserUrl'), async (client) => {
    await client.query('begin')
    await client.query("set local session_replication_role = 'replica'")
    return await work(client)
  })
}

/** Makes the hashes of a chain anew from an entry on, and the head, as who changed it would. */
export async function recompute(client: pg.Client, account: string, resource: string, from: number): Promise<void> {
  await client.query(
    `do $$
     declare
       v_entry consumption_ledger;
       v_hash bytea := (select chain_hash from consumption_ledger
         where account_id = '${account}' and resource_type_code = '${resource}' and chain_seq = ${from} - 1);
     begin
       for v_entry in select * from consumption_ledger
         where account_id = '${account}' and resource_type_code = '${resource}' and chain_seq >= ${from} order by chain_seq
       loop
         v_hash := fn_entry_hash(v_hash, v_entry, array(
           select row(null, a.entry_id, a.entitlement_id, a.bucket_id, a.window_start, a.window_end, a.counted_at, a.included_quantity,
             a.overage_quantity, a.excess_quantity, a.billable_quantity, a.overage_multiplier)::usage_allocation
           from consumption_allocations a where a.entry_id = v_entry.entry_id order by a.draw_order));
         update consumption_ledger set chain_hash = v_hash where entry_id = v_entry.entry_id;
       end loop;
       update resource_state s set chain_seq = l.chain_seq, chain_hash = l.chain_hash
       from (select chain_seq, chain_hash from consumption_ledger
         where account_id = '${account}' and resource_type_code = '${resource}' order by chain_seq desc limit 1) l
       where s.account_id = '${account}' and s.resource_type_code = '${resource}';
     end $$`,
  )
}

/** A link as docs/LEDGER_CHAIN.md says it is made, without the database. */
export function link(previous: string, fields: readonly (string | null)[]): string {
  return createHash('sha256').update(Buffer.from(previous, 'hex')).update(JSON.stringify(fields), 'utf8').digest('hex')
}

export type Fault = Answer
