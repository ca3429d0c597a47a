import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { afterAll, inject } from 'vitest'
import type { Json, JsonObject } from './json-path.ts'

/** That race, of each role. Four files at once, with two roles each and some clients of their own, stay under 100. */
const CONNECTIONS = 11

// Exact to the end: numerics stay strings, unless they are JSON.
const pools = new Map<string, pg.Pool>()

function poolOf(url: string): pg.Pool {
  let pool = pools.get(url)
  if (!pool) {
    pool = new pg.Pool({ connectionString: url, max: CONNECTIONS })
    pools.set(url, pool)
  }
  return pool
}

afterAll(async () => {
  await Promise.all([...pools.values()].map((pool) => pool.end()))
  pools.clear()
})

/** Rows of one statement, as the database's owner. */
export async function sql<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> {
  return (await poolOf(inject('ownerUrl')).query<Row>(text, values)).rows
}

/** Rows of one statement, as the Worker's role. */
export async function sqlAsWorker<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> {
  return (await poolOf(inject('workerUrl')).query<Row>(text, values)).rows
}

/** The first column of the only row. */
export async function sqlValue<Value>(text: string, values: unknown[] = []): Promise<Value> {
  const [row] = await sql<Record<string, Value>>(text, values)
  const [value] = Object.values(row ?? {})
  if (value === undefined) throw new Error(`no row: ${text}`)
  return value
}

export type { Json }
export type Answer = JsonObject

/** What an `api_*` function answers in a namespace, as the Worker calls it; one connection a call, so calls race. */
export async function api(name: string, request: Answer, credential: Answer = token('default')): Promise<Answer> {
  const [row] = await sqlAsWorker<{ answer: Answer }>(`select ${name}($1::jsonb, $2::jsonb) as answer`, [
    credential,
    request,
  ])
  if (!row) throw new Error(`no answer from ${name}`)
  return row.answer
}

/** A credential as the Worker makes it of a JWT that it has verified. */
export function token(namespace: string, scopes: string[] = ['admin'], account: string | null = null): Answer {
  return { type: 'jwt', namespace, scopes, account, subject: account, request_id: randomUUID() }
}

/** A command as a client sends it: again, with the same key, when it gave up waiting for a lock (503 `contended`). */
export async function retried<Result>(work: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      const contended = error instanceof pg.DatabaseError && ['55P03', '57014'].includes(error.code ?? '')
      if (!contended || attempt === 20) throw error
    }
  }
}

export type ApiError = { status: number; code: string; param: string | null; message: string }

/** The error that a call raises, as the Worker would map it; fails if it raises none. */
export async function errorOf(call: Promise<unknown>): Promise<ApiError> {
  try {
    await call
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.code?.startsWith('ME')) {
      return { status: Number(error.code.slice(2)), message: error.message, ...JSON.parse(error.detail ?? '{}') }
    }
    throw error
  }
  throw new Error('expected an error')
}

/** A namespace of its own, so that its clock, look-ups and rules are nobody else's. */
export async function mintNamespace(options: { rawUuids?: boolean; sandbox?: boolean } = {}): Promise<string> {
  const name = `t-${randomUUID().slice(0, 18)}`
  await sql('insert into namespaces (namespace_id, is_sandbox, raw_uuids) values ($1, $2, $3)', [
    name,
    options.sandbox ?? true,
    options.rawUuids ?? false,
  ])
  return name
}

export const mintAccount = (): string => `acct-${randomUUID()}`
