import { NeonDbError, neon, neonConfig } from '@neondatabase/serverless'
import type { NamespaceChange, Told } from '../core/changes.ts'
import type { Credential } from '../core/credential.ts'
import { failureOf } from './postgres-errors.ts'

/** The functions of the database's API: database/README.md. */
export type SqlName =
  | 'api_snapshot'
  | 'api_snapshot_batch'
  | 'api_consume'
  | 'api_meter'
  | 'api_meter_batch'
  | `api_ledger_${'list' | 'get' | 'reverse' | 'heads'}`
  | 'api_usage'
  | `api_reservation_${'create' | 'commit' | 'release' | 'get'}`
  | `api_inventory_${'assign' | 'release' | 'list'}`
  | `api_lease_${'acquire' | 'heartbeat' | 'release' | 'revoke' | 'get' | 'list'}`
  | `api_${'resource' | 'unit'}_${'create' | 'list'}`
  | `api_plan_${'put' | 'get' | 'list' | 'versions' | 'migrate'}`
  | `api_account_${'get' | 'patch' | 'erase'}`
  | `api_subscription_${'create' | 'list' | 'get' | 'change' | 'cancel' | 'migrate'}`
  | `api_entitlement_${'grant' | 'patch' | 'revoke' | 'list'}`
  | `api_rule_${'create' | 'list' | 'get' | 'patch' | 'delete'}`
  | `api_namespace_${'create' | 'list'}`
  | `api_key_${'create' | 'list' | 'get' | 'revoke' | 'rotate'}`
  | `api_test_clock_${'set' | 'clear' | 'get'}`
  | `api_billing_${'windows' | 'export'}`
  | `api_heads_${'due' | 'store' | 'export'}`
  | 'api_audit_list'
  | 'api_maintenance'

/**
 * One SQL function: authenticates, authorises, decides and writes in one statement, one round trip.
 * @throws Failure when it refuses, is contended, or cannot be reached within the budget.
 */
export type SqlFunction<Request, Answer> = (credential: Credential, request: Request) => Promise<Told<Answer>>

/** What an answer says that it changed; undefined: its `changes` say it. */
export type ChangesOf<Answer, Request> = (answer: Answer, request: Request) => readonly NamespaceChange[] | undefined

export interface Gateway {
  /**
   * Names a function and gives it its types. The types come from the schemas; the answer is SQL's to keep.
   * @param changesOf where the answer itself says what it changed, if not in `changes`; without it `fn_told` collects that
   */
  bind<Request extends object, Answer>(
    name: SqlName,
    changesOf?: ChangesOf<Answer, Request>,
  ): SqlFunction<Request, Answer>
  /** Resolves when the database can serve. */
  ready(): Promise<void>
}

export interface GatewaySettings {
  readonly databaseUrl: string
  /** Where Neon's HTTP protocol is spoken, when that is not Neon. */
  readonly fetchEndpoint: string | undefined
  /** How long one call may take, connecting included. */
  readonly budgetMs: number
}

/** `changesOf` of a function that only reads. */
export const changesNothing = (): readonly NamespaceChange[] => []

/** `changesOf` of a function that adds `changes` by itself. */
export const changesInAnswer = (): undefined => undefined

/** Calls the database over Neon's HTTP protocol. */
export function createGateway({ databaseUrl, fetchEndpoint, budgetMs }: GatewaySettings): Gateway {
  if (fetchEndpoint) neonConfig.fetchEndpoint = fetchEndpoint
  const sql = neon(databaseUrl, { arrayMode: true, disableWarningInBrowsers: true })

  /** The answer is not checked again: SQL keeps to database/README.md, and the tests hold it to the OpenAPI document. */
  async function call(text: string, params: readonly string[]) {
    try {
      const rows = await sql.query(text, [...params], { fetchOptions: { signal: AbortSignal.timeout(budgetMs) } })
      return rows[0]?.[0]
    } catch (error) {
      const failure = failureOf(error)
      if (failure.status >= 500) logFault(text, error)
      throw failure
    }
  }

  function bind<Request extends object, Answer>(
    name: SqlName,
    changesOf?: ChangesOf<Answer, Request>,
  ): SqlFunction<Request, Answer> {
    const text = changesOf ? `select ${name}($1,$2)` : `select fn_told(${name}($1,$2))`
    return async function callSqlFunction(credential, request) {
      const { changes = [], ...answer } = await call(text, [JSON.stringify(credential), JSON.stringify(request)])
      return { answer, changes: changesOf?.(answer, request) ?? changes }
    }
  }

  async function ready(): Promise<void> {
    await call('select api_ready()', [])
  }

  return { bind, ready }
}

/** Without `detail` and parameters: they hold rows, and rows hold what customers call their own. */
function logFault(text: string, error: unknown): void {
  const { code, routine, message } = error instanceof NeonDbError ? error : new NeonDbError(String(error))
  console.error(JSON.stringify({ event: 'postgres_fault', statement: text, code, routine, message }))
}
