import type pg from 'pg'
import type { Fault } from './faults.ts'

export type Progress = { entries: number; faults: Fault[] }

type Part = { entries: number; reached: string; done: boolean; fault: Fault | null }
type Step = {
  entries: number
  faults: Fault[]
  account_id: string | null
  resource_type_code: string | null
  next_after: string | null
}

/** At once: no longer than this the database's memory holds what it works on. */
const ENTRIES_AT_ONCE = 20_000

/**
 * Verifies the hash chains of the audit trails and of the ledger, of one namespace or of all, a part at a time, so that
 * it holds no snapshot for long. Gives what each part had; the last fault of a chain is its only one.
 */
export async function* verifyChains(client: pg.Client, namespace: string | null): AsyncGenerator<Progress> {
  const { rows } = await client.query<{ namespace_id: string }>(
    'SELECT namespace_id FROM namespaces WHERE namespace_id = coalesce($1, namespace_id) ORDER BY 1',
    [namespace],
  )
  for (const { namespace_id } of rows) yield* verifyAudit(client, namespace_id)
  yield* verifyLedger(client, namespace)
  yield { entries: 0, faults: await headless(client, namespace) }
}

async function* verifyAudit(client: pg.Client, namespace: string): AsyncGenerator<Progress> {
  for (let after: string | null = null, isDone = false; !isDone; ) {
    const part: Part = await row(client, 'SELECT * FROM fn_verify_audit($1, $2, $3)', [
      namespace,
      after,
      ENTRIES_AT_ONCE,
    ])
    const { fault } = part
    const place = { chain: 'audit', namespace, account_uuid: null, resource: null } as const
    yield { entries: part.entries, faults: fault === null ? [] : [{ ...fault, ...place }] }
    after = part.reached
    isDone = part.done || fault !== null
  }
}

async function* verifyLedger(client: pg.Client, namespace: string | null): AsyncGenerator<Progress> {
  let from: [string | null, string | null, string | null] = [null, null, null]
  do {
    const step: Step = await row(
      client,
      `SELECT entries, faults, (next_key).account_id, (next_key).resource_type_code, next_after
       FROM fn_verify_ledger($1, $2, $3, $4, $5)`,
      [namespace, ...from, ENTRIES_AT_ONCE],
    )
    yield { entries: step.entries, faults: step.faults }
    from = [step.account_id, step.resource_type_code, step.next_after]
  } while (from[0] !== null)
}

/** Entries that no chain has: whoever deletes a row of resource_state hides the chain from what goes through them. */
async function headless(client: pg.Client, namespace: string | null): Promise<Fault[]> {
  const { rows } = await client.query<Fault>(
    `SELECT 'ledger' AS chain, l.account_id AS account_uuid, l.resource_type_code AS resource, 'no_head' AS fault,
       min(l.chain_seq)::float8 AS seq, max(l.chain_seq)::float8 AS through_seq, min(l.entry_id::text) AS entry_id
     FROM consumption_ledger l
     WHERE l.namespace_id = coalesce($1, l.namespace_id) AND NOT EXISTS (
       SELECT FROM resource_state s JOIN accounts a USING (account_id)
       WHERE s.account_id = l.account_id AND s.resource_type_code = l.resource_type_code AND a.namespace_id = l.namespace_id)
     GROUP BY l.account_id, l.resource_type_code ORDER BY 2, 3 LIMIT 100`,
    [namespace],
  )
  return rows
}

async function row<Row extends pg.QueryResultRow>(client: pg.Client, text: string, values: unknown[]): Promise<Row> {
  const { rows } = await client.query<Row>(text, values)
  if (!rows[0]) throw new Error(`no row: ${text}`)
  return rows[0]
}
