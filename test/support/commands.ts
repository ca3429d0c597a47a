import { randomUUID } from 'node:crypto'
import { type ConsumedInSql, renderConsumed } from '../../functions/decisions/consumed.ts'
import { textAt } from './json-path.ts'
import { type Answer, api, sqlValue, token } from './sql.ts'

export { at, listAt, numberAt, textAt } from './json-path.ts'

export const keyed = (): { idempotency_key: string } => ({ idempotency_key: `key-${randomUUID()}` })

/** A grant by hand; unless told otherwise 100 benchmark runs that never reset. */
export function grant(account: string, fields: Answer = {}, namespace = 'default'): Promise<Answer> {
  return api(
    'api_entitlement_grant',
    { account_id: account, resource: 'benchmark_runs', limit_kind: 'cumulative', quantity: 100, ...fields },
    token(namespace),
  )
}

/** A rule for one account, so that nobody else's answers change. */
export function ruleFor(account: string | null, fields: Answer, namespace = 'default'): Promise<Answer> {
  return api(
    'api_rule_create',
    { account_id: account, resource: 'benchmark_runs', limit_kind: 'cumulative', ...fields },
    token(namespace),
  )
}

/** A consume, its decision rendered as the edge does. */
export async function consume(account: string, fields: Answer = {}, namespace = 'default'): Promise<Answer> {
  const request = { ...keyed(), account_id: account, resource: 'benchmark_runs', quantity: 1, ...fields }
  const consumed = renderConsumed(parse<ConsumedInSql<Answer>>(await api('api_consume', request, token(namespace))), {
    account_id: account,
    resource: String(request.resource),
    scope: typeof fields['scope'] === 'string' ? fields['scope'] : null,
  })
  return parse<Answer>(consumed)
}

/** The same JSON under another type. */
function parse<Type>(value: object): Type {
  return JSON.parse(JSON.stringify(value))
}

export function meter(account: string, fields: Answer = {}, namespace = 'default'): Promise<Answer> {
  return api(
    'api_meter',
    { ...keyed(), account_id: account, resource: 'benchmark_runs', quantity: 1, ...fields },
    token(namespace),
  )
}

export function reverse(entry: string, fields: Answer = {}, namespace = 'default'): Promise<Answer> {
  return api('api_ledger_reverse', { ...keyed(), entry_id: entry, ...fields }, token(namespace))
}

export function acquire(account: string, holder: string, fields: Answer = {}, namespace = 'default'): Promise<Answer> {
  return api(
    'api_lease_acquire',
    { account_id: account, resource: 'concurrent_users', holder, ...fields },
    token(namespace),
  )
}

/** A hold for an hour of gpu_hours, unless told otherwise. */
export function reserve(account: string, fields: Answer = {}, namespace = 'default'): Promise<Answer> {
  return api(
    'api_reservation_create',
    { ...keyed(), account_id: account, resource: 'gpu_hours', quantity: 1, ttl_seconds: 3600, ...fields },
    token(namespace),
  )
}

/** Ends a hold, given as `reserve` answered it. */
export function endHold(
  how: 'commit' | 'release',
  reserved: Answer,
  fields: Answer = {},
  namespace = 'default',
): Promise<Answer> {
  const reservation_id = textAt(reserved, 'reservation.reservation_id')
  return api(`api_reservation_${how}`, { reservation_id, ...fields }, token(namespace))
}

/** A named item, of named_users unless told otherwise. */
export function assign(account: string, item: string, fields: Answer = {}, namespace = 'default'): Promise<Answer> {
  return api(
    'api_inventory_assign',
    { account_id: account, resource: 'named_users', item, ...fields },
    token(namespace),
  )
}

export function unassign(account: string, item: string, fields: Answer = {}, namespace = 'default'): Promise<Answer> {
  return api(
    'api_inventory_release',
    { account_id: account, resource: 'named_users', item, ...fields },
    token(namespace),
  )
}

export type Question = {
  resource?: string
  scope?: string | null
  quantity?: number | string
  purpose?: 'any' | 'consume' | 'lease' | 'assign'
  at?: string
}

/** The decision of POST /v1/check, made in SQL. */
export async function check(account: string, question: Question = {}, namespace = 'default'): Promise<Answer> {
  const { resource = 'benchmark_runs', scope = null, quantity = 1, purpose = 'any', at: instant } = question
  return await sqlValue<Answer>(
    `select fn_decide(n, fn_account_uuid(n, $2), $3, $4, fn_now(n.namespace_id, statement_timestamp()), $5::timestamptz, $6::numeric, $7)
     from namespaces n where n.namespace_id = $1`,
    [namespace, account, resource, scope, instant ?? null, quantity, purpose],
  )
}

/** The same at an exact instant of the namespace's clock: what a check at that moment would have answered. */
export async function checkWhen(
  now: string,
  account: string,
  question: Question = {},
  namespace = 'default',
): Promise<Answer> {
  const { resource = 'benchmark_runs', scope = null, quantity = 1, purpose = 'any', at: instant = null } = question
  return await sqlValue<Answer>(
    `select fn_decide(n, fn_account_uuid(n, $2), $3, $4, $5::timestamptz, $6::timestamptz, $7::numeric, $8)
     from namespaces n where n.namespace_id = $1`,
    [namespace, account, resource, scope, now, instant, quantity, purpose],
  )
}

/** The account's UUID, as its namespace maps it. */
export function accountId(account: string, namespace = 'default'): Promise<string> {
  return sqlValue<string>('select fn_account_uuid(n, $2) from namespaces n where n.namespace_id = $1', [
    namespace,
    account,
  ])
}

export function setClock(namespace: string, now: string): Promise<Answer> {
  return api('api_test_clock_set', { now }, token(namespace))
}

export function advanceClock(namespace: string, seconds: number): Promise<Answer> {
  return api('api_test_clock_set', { advance_seconds: seconds }, token(namespace))
}
