import { expect } from 'vitest'
import type { Namespace, Reply } from './edge.ts'
import type { JsonObject } from './json-path.ts'

export const UUID = expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
export const INSTANT = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/)

/** The body of an answer that must have this status. */
export async function bodyOf(status: number, answer: Promise<Reply>): Promise<JsonObject> {
  const reply = await answer
  expect(reply.status, reply.text).toBe(status)
  return reply.body
}

/** The error of an answer, without its id and its words. */
export async function errorOf(
  answer: Promise<Reply>,
): Promise<{ status: number; type: unknown; code: unknown; param: unknown }> {
  const { status, body, text, headers } = await answer
  const error = body['error']
  if (typeof error !== 'object' || error === null || Array.isArray(error))
    throw new Error(`no error: ${status} ${text}`)
  expect(error['request_id']).toBe(headers.get('X-Request-Id'))
  return { status, type: error['type'], code: error['code'], param: error['param'] }
}

export const invalid = (param: string | null) => ({
  status: 400,
  type: 'invalid_request',
  code: 'invalid_parameter',
  param,
})

/** A grant by hand; unless told otherwise 100 benchmark runs that never reset. */
export function grant(namespace: Namespace, account: string, fields: JsonObject = {}): Promise<JsonObject> {
  const body = { account_id: account, resource: 'benchmark_runs', limit_kind: 'cumulative', quantity: 100, ...fields }
  return bodyOf(201, namespace.call('POST', '/v1/entitlements', body))
}

/** A rule for one account. */
export function rule(namespace: Namespace, account: string | null, fields: JsonObject): Promise<JsonObject> {
  const body = { account_id: account, resource: 'benchmark_runs', limit_kind: 'cumulative', ...fields }
  return bodyOf(201, namespace.call('POST', '/v1/rules', body))
}

/** A check of benchmark runs against the database. */
export function check(namespace: Namespace, account: string, fields: JsonObject = {}): Promise<JsonObject> {
  const body = { account_id: account, resource: 'benchmark_runs', max_staleness_ms: 0, ...fields }
  return bodyOf(200, namespace.call('POST', '/v1/check', body))
}

export const key = (): { idempotency_key: string } => ({ idempotency_key: `key-${crypto.randomUUID()}` })

export function consume(namespace: Namespace, account: string, fields: JsonObject = {}): Promise<Reply> {
  return namespace.call('POST', '/v1/consume', {
    ...key(),
    account_id: account,
    resource: 'benchmark_runs',
    quantity: 1,
    ...fields,
  })
}

export function meter(namespace: Namespace, account: string, fields: JsonObject = {}): Promise<Reply> {
  return namespace.call('POST', '/v1/meter', {
    ...key(),
    account_id: account,
    resource: 'benchmark_runs',
    quantity: 1,
    ...fields,
  })
}

export function acquire(
  namespace: Namespace,
  account: string,
  holder: string,
  fields: JsonObject = {},
): Promise<Reply> {
  return namespace.call('POST', '/v1/leases', { account_id: account, resource: 'concurrent_users', holder, ...fields })
}

/** A hold for an hour of benchmark runs. */
export function reserve(namespace: Namespace, account: string, fields: JsonObject = {}): Promise<Reply> {
  return namespace.call('POST', '/v1/reservations', {
    ...key(),
    account_id: account,
    resource: 'benchmark_runs',
    quantity: 1,
    ttl_seconds: 3600,
    ...fields,
  })
}

export function assign(namespace: Namespace, account: string, item: string): Promise<Reply> {
  return namespace.call('POST', '/v1/inventory', { account_id: account, resource: 'named_users', item })
}

export const setClock = (namespace: Namespace, now: string): Promise<JsonObject> =>
  bodyOf(200, namespace.call('POST', '/v1/test_clock', { now }))

export const advance = (namespace: Namespace, seconds: number): Promise<JsonObject> =>
  bodyOf(200, namespace.call('POST', '/v1/test_clock', { advance_seconds: seconds }))
