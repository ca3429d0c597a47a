import type pg from 'pg'
import { type HeadSigner, headText, type SignedHead } from '../functions/core/heads.ts'
import { equalInConstantTime } from '../functions/http/encoding.ts'
import type { Fault } from './faults.ts'
import { Refusal } from './refusal.ts'

const HEADS_AT_ONCE = 1000

/** The signed heads that the database has, in order. */
export async function* headsOf(client: pg.Client, namespace: string | null): AsyncGenerator<SignedHead> {
  let after: [string, number] = ['', 0]
  for (;;) {
    const { rows } = await client.query<{ head: SignedHead }>(
      `SELECT fn_head_json(h) AS head FROM signed_heads h
       WHERE (h.namespace_id, h.head_number) > ($1, $2::bigint) AND h.namespace_id = coalesce($3, h.namespace_id)
       ORDER BY h.namespace_id, h.head_number LIMIT $4`,
      [...after, namespace, HEADS_AT_ONCE],
    )
    for (const { head } of rows) yield head
    const last = rows.at(-1)?.head
    if (!last) return
    after = [last.namespace, last.number]
  }
}

/**
 * Verifies signed heads, in order: that each was signed with one of the keys, that none between two of them was taken
 * out (`fromFirst`: nor before the first), and that the database still has what they were signed for. Of each chain the
 * first fault.
 * @throws Refusal when a key is not among those given
 */
export async function verifyHeads(
  client: pg.Client,
  heads: Iterable<SignedHead> | AsyncIterable<SignedHead>,
  signers: readonly HeadSigner[],
  { fromFirst }: { fromFirst: boolean },
): Promise<{ heads: number; faults: Fault[] }> {
  const faults: Fault[] = []
  const held = new Map<string, number>()
  const broken = new Set<string>()
  let [count, previous]: [number, SignedHead | undefined] = [0, undefined]
  let pending: SignedHead[] = []

  async function settle(): Promise<void> {
    for (const { head, holds, isKept, entry_id } of await heldIn(client, pending)) {
      const chain = JSON.stringify([head.namespace, head.account_uuid, head.resource])
      if (!isKept) faults.push(faultOf(head, 'replaced_head'))
      if (holds) held.set(chain, head.seq)
      else if (!broken.has(chain)) {
        broken.add(chain)
        const fault = entry_id === null ? 'missing' : 'rewritten'
        faults.push({ ...faultOf(head, fault), seq: (held.get(chain) ?? 0) + 1, entry_id })
      }
    }
    pending = []
  }

  for await (const head of heads) {
    count += 1
    const signer = signers.find(({ keyId }) => keyId === head.key_id)
    if (!signer)
      throw new Refusal(`head ${head.number} of ${head.namespace} was signed with another key, ${head.key_id}`)
    const follows = previous?.namespace === head.namespace ? isNext(previous, head) : !fromFirst || head.number === 1
    if (!equalInConstantTime(await signer.sign(headText(head)), head.signature))
      faults.push(faultOf(head, 'forged_head'))
    else if (!follows) faults.push(faultOf(head, 'removed_head'))
    else pending.push(head)
    if (pending.length >= HEADS_AT_ONCE) await settle()
    previous = head
  }
  await settle()
  return { heads: count, faults }
}

function isNext(previous: SignedHead, head: SignedHead): boolean {
  return head.number === previous.number + 1 && head.previous === previous.signature
}

function faultOf(head: SignedHead, fault: string): Fault {
  const { chain, namespace, account_uuid, resource, seq } = head
  return { chain, namespace, account_uuid, resource, fault, seq, through_seq: seq, entry_id: null }
}

type Held = { head: SignedHead; holds: boolean; isKept: boolean; entry_id: string | null }

async function heldIn(client: pg.Client, heads: readonly SignedHead[]): Promise<Held[]> {
  const { rows } = await client.query<{ hash: string | null; entry_id: string | null; signature: string | null }>(
    `SELECT encode(e.chain_hash, 'hex') AS hash, e.entry_id, encode(s.signature, 'hex') AS signature
     FROM jsonb_to_recordset($1) AS h (n int, namespace text, number bigint, account_uuid uuid, resource text, seq bigint)
     LEFT JOIN signed_heads s ON s.namespace_id = h.namespace AND s.head_number = h.number
     LEFT JOIN LATERAL (
       SELECT l.chain_hash, l.entry_id FROM consumption_ledger l
       WHERE l.account_id = h.account_uuid AND l.resource_type_code = h.resource AND l.chain_seq = h.seq
       UNION ALL
       SELECT c.chain_hash, c.audit_id FROM audit_chain c
       WHERE h.account_uuid IS NULL AND c.namespace_id = h.namespace AND c.chain_seq = h.seq
       LIMIT 1
     ) e ON true
     ORDER BY h.n`,
    [JSON.stringify(heads.map((head, n) => ({ ...head, n })))],
  )
  return heads.flatMap((head, index) => {
    const row = rows[index]
    if (!row) return []
    return [{ head, holds: row.hash === head.hash, isKept: row.signature === head.signature, entry_id: row.entry_id }]
  })
}
