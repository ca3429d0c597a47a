import { parseQuantity, renderQuantity } from '../../functions/core/quantity.ts'
import type { Snapshot } from '../../functions/core/snapshot.ts'
import { type Answer, sql } from '../support/sql.ts'

export interface Edge {
  readonly quantity: bigint
  readonly decision: Answer
}

/** A snapshot, and what SQL decides at each edge of its bands and a millionth to either side: all of one moment. */
const READ = `
with moment as (
  select n, fn_now(n.namespace_id, statement_timestamp()) as now from namespaces n where n.namespace_id = $1
), snapshot as (
  select m.n, m.now, fn_snapshot(m.n, $2, $3, $4, m.now) as snapshot from moment m
)
select s.snapshot, (
  select json_agg(json_build_object('quantity', e.quantity::text, 'decision', fn_decide(s.n, $2, $3, $4, s.now, null, e.quantity / 1000000, $5)))
  from (
    select distinct (b ->> 'up_to')::numeric + d as quantity
    from jsonb_array_elements(s.snapshot -> 'kinds') k, jsonb_array_elements(k -> 'bands') b, unnest('{-1,0,1}'::numeric[]) d
    where b ->> 'up_to' is not null
    union select unnest('{0,1,1000000,999999999999999000000}'::numeric[])
  ) e where e.quantity >= 0 and e.quantity < 1e21
) as edges
from snapshot s`

export async function readEdges(
  namespace: string,
  accountId: string,
  resource: string,
  scope: string | null,
  purpose: 'consume' | 'lease' | 'assign',
): Promise<{ snapshot: Snapshot; edges: Edge[] }> {
  const [row] = await sql<{ snapshot: Snapshot; edges: { quantity: string; decision: Answer }[] }>(READ, [
    namespace,
    accountId,
    resource,
    scope,
    purpose,
  ])
  if (!row) throw new Error('no snapshot')
  const edges = row.edges.map(({ quantity, decision }) => ({
    quantity: BigInt(quantity.split('.')[0] ?? ''),
    decision,
  }))
  // The wire has fifteen digits: what it cannot carry, nobody can ask.
  return {
    snapshot: row.snapshot,
    edges: edges.filter(({ quantity }) => parseQuantity(renderQuantity(quantity)) === quantity),
  }
}
