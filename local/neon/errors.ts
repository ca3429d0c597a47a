import { DatabaseError } from 'pg'
import type { Answer } from '../protocol-server.ts'
import { ResponseTooLarge } from './statement.ts'

/** Over this, a request is 413 and a response 507. */
export const MAX_BYTES = 10 * 1024 * 1024

/** A request that Neon's proxy refuses without asking Postgres. */
export class BadRequest extends Error {}

/** No connection to Postgres could be had. */
export class ConnectError extends Error {
  constructor(cause: unknown) {
    super(`error connecting to server: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

/**
 * Every error of a request as Neon's proxy answers it (`SqlOverHttpError` in its sql_over_http.rs):
 * - an error of a statement: 400 with Postgres' fields; a connection lost under it: 400 with an empty `code`, and then
 *   nobody knows whether the statement took effect;
 * - a wrong password: 400 (Neon's proxy checks it itself);
 * - any other refusal of a connection, and no Postgres at all: 500, with Postgres' fields if it had an answer. The
 *   driver reads fields from a 400 only.
 */
export function errorAnswer(error: unknown): Answer {
  if (error instanceof ResponseTooLarge) return failed(507, `response is too large (max is ${MAX_BYTES} bytes)`)
  if (error instanceof ConnectError) {
    if (!(error.cause instanceof DatabaseError)) return failed(500, error.message)
    return withFields(error.cause.code === '28P01' ? 400 : 500, error.cause)
  }
  if (error instanceof DatabaseError) return withFields(400, error)
  return failed(400, error instanceof Error ? error.message : String(error))
}

/** An error that did not come from Postgres: Neon leaves its `code` and `severity` empty and the rest null. */
export function failed(status: number, message: string): Answer {
  return { status, body: JSON.stringify({ ...NO_FIELDS, message, code: '', severity: '' }) }
}

const NO_FIELDS = {
  message: null,
  code: null,
  detail: null,
  hint: null,
  position: null,
  internalPosition: null,
  internalQuery: null,
  severity: null,
  where: null,
  table: null,
  column: null,
  schema: null,
  dataType: null,
  constraint: null,
  file: null,
  line: null,
  routine: null,
}

function withFields(status: number, error: DatabaseError): Answer {
  const fields = Object.entries(NO_FIELDS).map(([name]) => [name, Reflect.get(error, name) ?? null])
  return { status, body: JSON.stringify(Object.fromEntries(fields)) }
}
