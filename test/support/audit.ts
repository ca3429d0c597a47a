import { sql } from './sql.ts'

/**
 * What must hold of the ledger and its projections, at any moment: each query gives the rows for which it does not.
 * One statement each, so that commands at work do not disturb it. $1: the namespace.
 */
const LAWS: Record<string, string> = {
  'included + overage + excess = quantity': `
    select entry_id from consumption_ledger
    where namespace_id = $1 and quantity <> included_quantity + overage_quantity + excess_quantity`,
  'what drew on a window says on which, in full; nothing else does': `
    select l.entry_id from consumption_ledger l
    left join (select entry_id, sum(included_quantity) as included, sum(overage_quantity) as overage, sum(excess_quantity) as excess
      from consumption_allocations group by entry_id) a using (entry_id)
    where l.namespace_id = $1 and case when l.limit_kind_code = 'cumulative'
      then (l.included_quantity, l.overage_quantity, l.excess_quantity) is distinct from (a.included, a.overage, a.excess)
      else a.entry_id is not null end`,
  'counter = carried over + Σ allocations': `
    select w.* from entitlement_windows w
    full join (select account_id, resource_type_code, window_end, bucket_id, sum(included_quantity) as included, sum(overage_quantity) as overage,
        sum(excess_quantity) as excess, sum(billable_quantity) as billable, sum(billable_quantity * overage_multiplier) as amount
      from consumption_allocations group by 1, 2, 3, 4) a using (account_id, resource_type_code, window_end, bucket_id)
    where account_id in (select account_id from accounts where namespace_id = $1)
      and (w.used, w.included_quantity, w.overage_quantity, w.excess_quantity, w.billable_quantity, w.billable_amount) is distinct from
        (w.carried + a.included + a.overage + a.excess, a.included, a.overage, a.excess, a.billable, a.amount)`,
  'an allocation counts within its window': `
    select entry_id from consumption_allocations a join accounts using (account_id)
    where namespace_id = $1 and not (a.counted_at >= a.window_start and a.counted_at < a.window_end)`,
  'rollups = ledger, by day and by quarter': `
    with drawn as (
      select account_id, resource_type_code, bucket_id, counted_at, included_quantity + overage_quantity + excess_quantity as quantity, overage_quantity as overage
      from consumption_allocations
      union all
      select account_id, resource_type_code, '00000000-0000-0000-0000-000000000000', counted_at, quantity, overage_quantity
      from consumption_ledger where limit_kind_code is distinct from 'cumulative'
    ), expected as (
      select account_id, resource_type_code, bucket_id, (counted_at at time zone 'UTC')::date as day,
        1 + extract(epoch from (counted_at at time zone 'UTC')::time)::int / 900 as slot, sum(quantity) as quantity, sum(overage) as overage
      from drawn group by 1, 2, 3, 4, 5
    ), kept as (
      select r.account_id, r.resource_type_code, r.bucket_id, r.day, s.slot, r.quarters[s.slot] as quantity, r.overage_quarters[s.slot] as overage
      from usage_rollups r, generate_series(1, 96) s (slot) where r.quarters[s.slot] is not null
    )
    select account_id from expected e full join kept k using (account_id, resource_type_code, bucket_id, day, slot)
    where account_id in (select account_id from accounts where namespace_id = $1) and (e.quantity, e.overage) is distinct from (k.quantity, k.overage)
    union all
    select account_id from usage_rollups r join accounts using (account_id) where namespace_id = $1
      and (r.quantity, r.overage_quantity) is distinct from ((select sum(q) from unnest(r.quarters) q), (select sum(q) from unnest(r.overage_quarters) q))`,
  'stock = Σ of its ledger entries, per scope, and never below zero': `
    select account_id from inventory_totals t
    full join (select account_id, resource_type_code, coalesce(resource_scope, '') as resource_scope, sum(quantity) as quantity
      from consumption_ledger where limit_kind_code is null or limit_kind_code = 'inventory' group by 1, 2, 3) l
      using (account_id, resource_type_code, resource_scope)
    where account_id in (select account_id from accounts where namespace_id = $1) and (t.quantity is distinct from l.quantity or t.quantity < 0)`,
  'every use is remembered under its key': `
    select l.entry_id from consumption_ledger l left join idempotency_keys k using (account_id, idempotency_key)
    where l.namespace_id = $1 and l.entry_kind = 'usage' and k.result ->> 'entry_id' is distinct from l.entry_id::text`,
  'and every key of a use has its entry': `
    select k.idempotency_key from idempotency_keys k join accounts a using (account_id) left join consumption_ledger l on l.entry_id = (k.result ->> 'entry_id')::uuid
    where a.namespace_id = $1 and k.operation in ('consume', 'meter') and l.entry_id is null`,
  'one live lease a holder, one fencing token a grant': `
    select account_id from concurrency_leases where namespace_id = $1 and ended_at is null
    group by account_id, resource_type_code, resource_scope, holder having count(*) > 1
    union all
    select account_id from concurrency_leases where namespace_id = $1 group by account_id, resource_type_code, fencing_token having count(*) > 1
    union all
    select account_id from resource_state s join concurrency_leases l using (account_id, resource_type_code)
    where l.namespace_id = $1 and l.fencing_token > s.last_fencing_token`,
}

/** The laws that a namespace breaks, with the rows; none. */
export async function audit(namespace: string): Promise<Record<string, unknown[]>> {
  const broken: Record<string, unknown[]> = {}
  for (const [law, query] of Object.entries(LAWS)) {
    const rows = await sql(query, [namespace])
    if (rows.length > 0) broken[law] = rows
  }
  return broken
}
