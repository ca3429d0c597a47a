import { sql } from './sql.ts'

/**
 * What must hold of the ledger and its projections, at any moment: each query gives the rows for which it does not.
 * One statement each, so that commands at work do not disturb it. $1: the namespace.
 */
const LAWS: Record<string, string> = {
  'counters, rollups and stocks = ledger': `
    select s.account_id, s.resource_type_code, d.* from resource_state s join accounts a using (account_id)
    cross join lateral fn_differences(s.account_id, s.resource_type_code) d where a.namespace_id = $1`,
  'what is in the ledger or drawn on has its (account, resource)': `
    select account_id, resource_type_code from (
      select account_id, resource_type_code from consumption_ledger where namespace_id = $1
      union all select account_id, resource_type_code from entitlement_windows
      union all select account_id, resource_type_code from inventory_totals
      union all select account_id, resource_type_code from usage_rollups
    ) of left join resource_state s using (account_id, resource_type_code)
    where s.account_id is null and account_id in (select account_id from accounts where namespace_id = $1)`,
  'an allocation is of an entry': `
    select entry_id from consumption_allocations a join accounts using (account_id) left join consumption_ledger l using (entry_id)
    where accounts.namespace_id = $1 and (l.account_id, l.resource_type_code) is distinct from (a.account_id, a.resource_type_code)`,
  'every use is remembered under its key, or that of its reservation': `
    select l.entry_id from consumption_ledger l left join idempotency_keys k using (account_id, idempotency_key) left join reservations r using (entry_id)
    where l.namespace_id = $1 and l.entry_kind in ('usage', 'reversal') and case when r.reservation_id is null
      then k.result ->> 'entry_id' is distinct from l.entry_id::text
      else (k.operation, k.result -> 'reservation' ->> 'reservation_id') is distinct from ('reserve', r.reservation_id::text) end`,
  'what holds of windows holds what adds up to it; nothing else holds of any': `
    select r.reservation_id from reservations r
    left join (select reservation_id, sum(included_quantity) as included, sum(overage_quantity) as overage from reservation_allocations
      where held_until = 'infinity' group by 1) a
      using (reservation_id)
    where r.namespace_id = $1 and case when r.limit_kind_code = 'cumulative'
      then (a.included, a.overage) is distinct from (r.quantity - r.overage_quantity, r.overage_quantity) else a.reservation_id is not null end`,
  'one entry for a reservation that was committed, none for any other': `
    select r.reservation_id from reservations r left join consumption_ledger l using (entry_id)
    where r.namespace_id = $1 and (coalesce(l.quantity, 0), l.occurred_at) is distinct from
      (coalesce(r.committed_quantity, 0), case when r.committed_quantity > 0 then r.ended_at end)
    union all
    select min(reservation_id::text)::uuid from reservations where namespace_id = $1 group by entry_id having count(entry_id) > 1`,
  'items = their assignments less their releases, per scope; each has its own entry': `
    select i.account_id from (
      select account_id, resource_type_code, coalesce(resource_scope, '') as resource_scope, count(*) as items
      from inventory_items where namespace_id = $1 group by 1, 2, 3) i
    full join (
      select account_id, resource_type_code, coalesce(resource_scope, '') as resource_scope, sum(quantity) as items
      from consumption_ledger where namespace_id = $1 and entry_kind in ('assignment', 'release') group by 1, 2, 3) l
      using (account_id, resource_type_code, resource_scope)
    where coalesce(i.items, 0) <> coalesce(l.items, 0)
    union all
    select i.account_id from inventory_items i left join consumption_ledger l using (entry_id)
    where i.namespace_id = $1 and (l.entry_kind, l.quantity) is distinct from ('assignment', 1)`,
  'a reversal gives back no more than an entry had, of anything that it drew on': `
    select r.reverses_entry_id from consumption_ledger r left join consumption_ledger l on l.entry_id = r.reverses_entry_id
    where r.namespace_id = $1 and (r.entry_kind = 'reversal' or r.reverses_entry_id is not null)
    group by r.reverses_entry_id
    having count(*) <> count(*) filter (where l.entry_kind = 'usage' and r.entry_kind = 'reversal' and r.quantity < 0
        and (r.account_id, r.resource_type_code, r.limit_kind_code) is not distinct from (l.account_id, l.resource_type_code, l.limit_kind_code))
      or sum(r.included_quantity) + max(l.included_quantity) < 0
      or sum(r.overage_quantity) + max(l.overage_quantity) < 0 or sum(r.excess_quantity) + max(l.excess_quantity) < 0
    union all
    select a.entry_id from consumption_allocations a
    join consumption_ledger r on r.reverses_entry_id = a.entry_id
    left join consumption_allocations b on b.entry_id = r.entry_id and b.entitlement_id = a.entitlement_id
    where r.namespace_id = $1
    group by a.entry_id, a.entitlement_id
    having min(a.included_quantity) + coalesce(sum(b.included_quantity), 0) < 0 or min(a.overage_quantity) + coalesce(sum(b.overage_quantity), 0) < 0
      or min(a.excess_quantity) + coalesce(sum(b.excess_quantity), 0) < 0 or min(a.billable_quantity) + coalesce(sum(b.billable_quantity), 0) < 0
      or count(*) filter (where b.bucket_id <> a.bucket_id or b.overage_multiplier <> a.overage_multiplier) > 0`,
  'and every key of a use has its entry': `
    select k.idempotency_key from idempotency_keys k join accounts a using (account_id) left join consumption_ledger l on l.entry_id = (k.result ->> 'entry_id')::uuid
    where a.namespace_id = $1 and k.operation in ('consume', 'meter', 'reverse') and l.entry_id is null`,
  'hash chains are whole': `
    select s.account_id, s.resource_type_code, v.fault from resource_state s join accounts a using (account_id)
    cross join lateral fn_verify_entries(s.account_id, s.resource_type_code, null, 1000000) v
    where a.namespace_id = $1 and v.fault is not null
    union all
    select null, 'audit', v.fault from fn_verify_audit($1, null, 1000000) v where v.fault is not null`,
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
