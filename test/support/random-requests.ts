import fc from 'fast-check'
import { cursorOf, type Known } from './known.ts'
import { closed, type Document, type Route } from './openapi.ts'
import { arbitraryOf, referenceTo, spoilt, spoiltBody } from './random-values.ts'

/** Requests made from an OpenAPI document, and sent with what is known by then. */

export interface RandomRequest {
  readonly operationId: string
  readonly method: string
  readonly path: string
  readonly body: unknown
  readonly headers: Readonly<Record<string, string>>
  /** Who sends it: a name, or the secret of a key that was made. */
  readonly caller: string
}

/** A request in which references stand for what is to be known. */
export interface Draft {
  readonly route: Route
  readonly parameters: Readonly<Record<string, unknown>>
  readonly body: unknown
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly caller: unknown
}

/** By how often they call: admins, who is bound to one account, one scope each, and who is refused. */
const CALLERS = {
  token: 60,
  key: 10,
  bound: 4,
  check: 1,
  meter: 1,
  lease: 1,
  read: 1,
  none: 1,
  nobody: 1,
  stranger: 1,
} as const
export type Caller = keyof typeof CALLERS

const caller: fc.Arbitrary<unknown> = fc.oneof(
  ...Object.entries(CALLERS).map(([name, weight]) => ({ weight, arbitrary: fc.constant(name) })),
  { weight: 2, arbitrary: referenceTo('secret') },
)
const headers = fc.record(
  {
    'X-Request-Id': fc.constantFrom('my-id', 'no id', 'x'.repeat(200)),
    Accept: fc.constantFrom('text/csv', 'application/x-ndjson', '*/*;q=0.1, text/csv;q=0', ';;,q='),
    'Content-Type': fc.constantFrom('application/json; charset=utf-8', 'application/json', 'text/plain'),
  },
  { requiredKeys: [] },
)
/** Commands have more to meet than questions. What takes a second and moves the time of everything comes seldom. */
const WEIGHTS: Readonly<Record<string, number>> = {
  setTestClock: 2,
  clearTestClock: 1,
  getHealth: 1,
  getReadiness: 1,
  createNamespace: 4,
  createResource: 4,
  createUnit: 4,
  deleteRule: 3,
}
const weightOf = ({ method, operation }: Route): number => WEIGHTS[operation.operationId] ?? (method === 'GET' ? 4 : 10)
/** What these are about, more often than not. */
const RESOURCES: readonly (readonly [prefix: string, resource: string])[] = [
  ['/v1/leases', 'concurrent_users'],
  ['/v1/inventory', 'named_users'],
  ['/v1/reservations', 'benchmark_runs'],
]

export function arbitraryDraft(document: Document, routes: readonly Route[]): fc.Arbitrary<Draft> {
  return fc.oneof(
    ...routes.map((route) => ({
      weight: weightOf(route),
      arbitrary: draftOf(document, route),
    })),
  )
}

function draftOf(document: Document, route: Route): fc.Arbitrary<Draft> {
  const { operationId, parameters = [], requestBody } = route.operation
  const cursor = fc.oneof(
    { weight: 3, arbitrary: referenceTo(cursorOf(operationId)) },
    { weight: 1, arbitrary: referenceTo('cursor') },
  )
  const values = Object.fromEntries(
    parameters
      .filter((parameter) => parameter.in !== 'header')
      .map(({ name, required, schema }) => {
        const value = spoilt(
          name === 'cursor' ? cursor : fitting(route, name, arbitraryOf(closed(document, schema), name)),
        )
        return [name, required ? value : fc.option(value, { nil: undefined, freq: 2 })]
      }),
  )
  const schema = requestBody?.content['application/json']?.schema
  const takesKey = parameters.some(({ name }) => name === 'Idempotency-Key')
  const key = fc.constantFrom('k1', 'k2', 'x'.repeat(256))
  return fc.record({
    route: fc.constant(route),
    parameters: fc.record(values),
    body: schema ? spoiltBody(fittingBody(route, arbitraryOf(closed(document, schema)))) : fc.constant(undefined),
    headers: fc
      .tuple(seldom(headers, {}), takesKey ? seldom(key, undefined) : fc.constant(undefined))
      .map(([others, idempotencyKey]) => ({ ...others, 'Idempotency-Key': idempotencyKey })),
    caller,
  })
}

function fitting({ path }: Route, name: string, value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  const [, resource] = RESOURCES.find(([prefix]) => path.startsWith(prefix)) ?? []
  if (name !== 'resource' || resource === undefined) return value
  return fc.oneof({ weight: 2, arbitrary: fc.constant(resource) }, { weight: 1, arbitrary: value })
}

function fittingBody(route: Route, body: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return body.chain((value) => {
    if (typeof value !== 'object' || value === null || !('resource' in value)) return fc.constant(value)
    return fitting(route, 'resource', fc.constant(value.resource)).map((resource) => ({ ...value, resource }))
  })
}

function seldom<Value, Else>(value: fc.Arbitrary<Value>, otherwise: Else): fc.Arbitrary<Value | Else> {
  return fc.oneof({ weight: 1, arbitrary: value }, { weight: 14, arbitrary: fc.constant(otherwise) })
}

export function requestOf({ route, parameters, body, headers, caller }: Draft, known: Known): RandomRequest {
  const { method, path, operation } = route
  const given = Object.entries(parameters).map(([name, value]) => [name, textOf(known.resolve(value))] as const)
  const values = new Map(given)
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => segment(values.get(name) ?? NOBODY))
  const query = given
    .filter(([name, value]) => value !== undefined && !path.includes(`{${name}}`))
    .map(([name, value = '']) => `${name}=${encodeURIComponent(value)}`)
  return {
    operationId: operation.operationId,
    method,
    path: query.length > 0 ? `${filled}?${query.join('&')}` : filled,
    body: known.resolve(body),
    headers: Object.fromEntries(
      Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
    ),
    caller: String(known.resolve(caller)),
  }
}

const NOBODY = '00000000-0000-4000-8000-000000000000'

/** Dots alone, and nothing, are no segments: URLs have another use for them. */
function segment(value: string): string {
  const text = encodeURIComponent(value)
  return text === '' || text === '.' || text === '..' ? 'x' : text
}

/** Half a surrogate pair cannot stand in a URL. */
function textOf(value: unknown): string | undefined {
  if (value === undefined) return undefined
  return (typeof value === 'string' ? value : JSON.stringify(value)).toWellFormed()
}
