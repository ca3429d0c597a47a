import { sqlValue } from '../support/sql.ts'

/** All that the database keeps of an account, to be held against itself and against the auditor. Quantities are millionths. */
export interface Books {
  readonly ledger: readonly LedgerRow[]
  readonly allocations: readonly AllocationRow[]
  /** Counters that are not what their allocations add up to. */
  readonly wrong_windows: readonly unknown[]
  readonly wrong_rollups: readonly unknown[]
}

interface LedgerRow {
  readonly key: string
  readonly quantity: string
  readonly included: string
  readonly overage: string
  readonly excess: string
  readonly limit_kind: string | null
}

interface AllocationRow {
  readonly key: string
  readonly entitlement_id: string
  readonly included: string
  readonly overage: string
  readonly excess: string
}

const READ = `
select json_build_object(
  'ledger', (select coalesce(json_agg(json_build_object('key', l.idempotency_key, 'limit_kind', l.limit_kind_code,
      'quantity', fn_millionths(l.quantity), 'included', fn_millionths(l.included_quantity),
      'overage', fn_millionths(l.overage_quantity), 'excess', fn_millionths(l.excess_quantity)) order by l.entry_id), '[]')
    from consumption_ledger l where l.account_id = $1),
  'allocations', (select coalesce(json_agg(json_build_object('key', l.idempotency_key, 'entitlement_id', a.entitlement_id,
      'included', fn_millionths(a.included_quantity), 'overage', fn_millionths(a.overage_quantity), 'excess', fn_millionths(a.excess_quantity))
      order by l.entry_id, a.entitlement_id), '[]')
    from consumption_allocations a join consumption_ledger l using (entry_id) where a.account_id = $1),
  'wrong_windows', (select coalesce(json_agg(to_json(x)), '[]') from (
    select coalesce(w.bucket_id, a.bucket_id) as bucket_id, w.used, w.carried, a.quantity
    from (select * from entitlement_windows where account_id = $1 and bucket_id <> '00000000-0000-0000-0000-000000000000') w
    full join (
      select bucket_id, window_end, sum(included_quantity + overage_quantity + excess_quantity) as quantity, sum(included_quantity) as included,
        sum(overage_quantity) as overage, sum(excess_quantity) as excess, sum(billable_quantity) as billable, sum(billable_quantity * overage_multiplier) as amount
      from consumption_allocations where account_id = $1 group by 1, 2) a using (bucket_id, window_end)
    where (w.used, w.included_quantity, w.overage_quantity, w.excess_quantity, w.billable_quantity, w.billable_amount)
      is distinct from (w.carried + coalesce(a.quantity, 0), coalesce(a.included, 0), coalesce(a.overage, 0), coalesce(a.excess, 0),
        coalesce(a.billable, 0), coalesce(a.amount, 0))) x),
  'wrong_rollups', (select coalesce(json_agg(to_json(x)), '[]') from (
    select coalesce(r.day, a.day) as day, r.quantity as counted, a.quantity
    from (select bucket_id, day, quantity, overage_quantity, (select sum(q) from unnest(quarters) q) as quarters
      from usage_rollups
      where account_id = $1 and bucket_id not in ('00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff')) r
    full join (
      select bucket_id, (counted_at at time zone 'UTC')::date as day, sum(included_quantity + overage_quantity + excess_quantity) as quantity,
        sum(overage_quantity) as overage
      from consumption_allocations where account_id = $1 group by 1, 2) a using (bucket_id, day)
    where (r.quantity, r.quarters, r.overage_quantity) is distinct from (a.quantity, a.quantity, a.overage)) x)
)`

export function readBooks(accountId: string): Promise<Books> {
  return sqlValue<Books>(READ, [accountId])
}
