import { exports } from 'cloudflare:workers'
import { sign } from 'hono/jwt'
import { afterEach, expect, inject } from 'vitest'
import type { EdgeStores } from './edge-stores.ts'
import type { Json, JsonObject } from './json-path.ts'
import { createAnswerCheck, type Document, parseDocument } from './openapi.ts'

const stores = inject<EdgeStores>('edge')
export const { devKey, jwtSecret, jwtSecretPrevious, keyPepper } = stores

export type Reply = {
  status: number
  headers: Headers
  /** An empty object when the answer is not a JSON object. */
  body: JsonObject
  text: string
}

export type CallOptions = {
  /** An API key or a token; without one no Authorization is sent. */
  bearer?: string
  headers?: Record<string, string>
}

/**
 * One request to the Worker. A body that is a string is sent as it is, any other as JSON. Every answer is held to the
 * OpenAPI document.
 */
export async function call(method: string, path: string, body?: unknown, options: CallOptions = {}): Promise<Reply> {
  const headers = new Headers(options.headers)
  if (options.bearer !== undefined) headers.set('Authorization', `Bearer ${options.bearer}`)
  if (body !== undefined && !headers.has('Content-Type')) headers.set('Content-Type', 'application/json')
  const response = await exports.default.fetch(`https://mec.test${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const reply = await toReply(response)
  await expectDocumented({ method, path, ...reply })
  return reply
}

export async function toReply(response: Response): Promise<Reply> {
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: objectIn(text), text }
}

/** What describes the service is no part of what it describes. */
const UNDOCUMENTED = new Set(['/openapi.json', '/docs'])
let documented: { document: Document; check: ReturnType<typeof createAnswerCheck> } | undefined

/** The document that the Worker serves, and the check of answers against it. */
export async function openApi(): Promise<NonNullable<typeof documented>> {
  if (!documented) {
    const document = parseDocument(await (await exports.default.fetch('https://mec.test/openapi.json')).json())
    documented = { document, check: createAnswerCheck(document) }
  }
  return documented
}

/** Fails when an answer is not one that the OpenAPI document has for this request. */
export async function expectDocumented(observed: Parameters<ReturnType<typeof createAnswerCheck>>[0]): Promise<void> {
  const path = observed.path.split('?')[0] ?? ''
  if (UNDOCUMENTED.has(path)) return
  const { check } = await openApi()
  const faults = check({ ...observed, path })
  expect(faults, `${observed.method} ${path} ${observed.status} ${JSON.stringify(observed.body)}`).toEqual([])
}

function objectIn(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : {}
  } catch {
    return {}
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A token of the Worker's own secret, an hour valid. `claims` replace the usual ones, `undefined` leaves one out. */
export function mintToken(namespace: string, scope = 'admin', claims: Record<string, unknown> = {}): Promise<string> {
  const exp = Math.floor(Date.now() / 1000) + 3600
  return sign({ ns: namespace, scope, exp, ...claims }, jwtSecret, 'HS256')
}

export type Namespace = {
  name: string
  /** An API key with the scope admin. */
  key: string
  /** A token with the scope admin. */
  token: string
  /** As `call`, with the namespace's key. */
  call(method: string, path: string, body?: unknown, options?: CallOptions): Promise<Reply>
}

/** A namespace of its own, so that its clock, look-ups, plans, rules and accounts are nobody else's. */
export async function mintNamespace(options: { sandbox?: boolean; rawUuids?: boolean } = {}): Promise<Namespace> {
  const name = `t-${crypto.randomUUID().slice(0, 18)}`
  await sql('insert into namespaces (namespace_id, is_sandbox, raw_uuids) values ($1, $2::boolean, $3::boolean)', [
    name,
    options.sandbox ?? true,
    options.rawUuids ?? false,
  ])
  const token = await mintToken(name)
  const created = await call('POST', '/v1/keys', { name: 'test', scopes: ['admin'] }, { bearer: token })
  const key = created.body['secret']
  if (typeof key !== 'string') throw new Error(`no key: ${created.status} ${created.text}`)
  return { name, key, token, call: (method, path, body, given) => call(method, path, body, { bearer: key, ...given }) }
}

export const mintAccount = (): string => `acct-${crypto.randomUUID()}`

/** Rows of one statement as the database's owner, past the Worker's proxy. Values come as Postgres writes them in JSON. */
export async function sql<Row extends JsonObject>(query: string, params: Json[] = []): Promise<Row[]> {
  const response = await fetch(stores.ownerEndpoint, {
    method: 'POST',
    headers: { 'Neon-Connection-String': stores.ownerUrl },
    body: JSON.stringify({ query, params }),
  })
  const answer = await response.json<{ rows: Row[]; message?: string }>()
  if (!response.ok) throw new Error(`${answer.message}: ${query}`)
  return answer.rows
}

/** How many requests the Worker sends to Postgres, and to Redis with how many commands, while `work` runs. */
export async function countRequests(
  work: () => Promise<unknown>,
): Promise<{ neon: number; upstash: number; commands: number }> {
  const before = [await statsOf(neonControl), await statsOf(upstashControl)] as const
  await work()
  const after = [await statsOf(neonControl), await statsOf(upstashControl)] as const
  return {
    neon: after[0].requests - before[0].requests,
    upstash: after[1].requests - before[1].requests,
    commands: (after[1].commands ?? 0) - (before[1].commands ?? 0),
  }
}

async function statsOf(control: string): Promise<{ requests: number; commands?: number }> {
  return (await fetch(`${control}/stats`)).json()
}

/** One command to Redis, past the Worker: it is counted, and suffers the faults that were set. */
export async function redis(...command: string[]): Promise<Json> {
  const response = await fetch(stores.upstashUrl, {
    method: 'POST',
    headers: { Authorization: `Bearer ${stores.upstashToken}` },
    body: JSON.stringify(command),
  })
  const reply = await response.json<{ result?: Json; error?: string }>()
  if (reply.error !== undefined) throw new Error(`${reply.error}: ${command}`)
  return reply.result ?? null
}

const neonControl = `${new URL(stores.neonEndpoint).origin}/__local`
const upstashControl = `${new URL(stores.upstashUrl).origin}/__local`

/** What goes wrong on purpose, as in local/faults.ts. Cleared after each test. */
export type Faults = {
  delay?: { ms: number; requests?: number } | null
  dropBefore?: { requests?: number } | null
  error?: { status: number; requests?: number } | null
  dropAfter?: { requests?: number } | null
}

export const breakPostgres = (faults: Faults): Promise<void> => setFaults(neonControl, faults)
export const breakRedis = (faults: Faults): Promise<void> => setFaults(upstashControl, faults)

async function setFaults(control: string, faults: Faults): Promise<void> {
  const response = await fetch(`${control}/faults`, { method: 'POST', body: JSON.stringify(faults) })
  if (!response.ok) throw new Error(await response.text())
  await response.body?.cancel()
}

/** Both stores serve again. */
export async function mend(): Promise<void> {
  for (const control of [neonControl, upstashControl]) {
    await (await fetch(`${control}/faults`, { method: 'DELETE' })).body?.cancel()
  }
}

afterEach(mend)
