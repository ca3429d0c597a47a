import { type OutputUnit, type Schema, Validator } from '@cfworker/json-schema'
import { z } from 'zod'

/** Reading an OpenAPI document of ours: what it says of requests and answers, as schemas without references. */

const Content = z.record(
  z.string(),
  z.object({ schema: z.record(z.string(), z.unknown()), example: z.unknown().optional() }),
)
const Answer = z.object({
  headers: z.record(z.string(), z.unknown()).optional(),
  content: Content.optional(),
})
const Operation = z.object({
  operationId: z.string(),
  summary: z.string(),
  description: z.string().optional(),
  parameters: z
    .array(
      z.object({
        name: z.string(),
        in: z.string(),
        required: z.boolean(),
        description: z.string().optional(),
        schema: z.record(z.string(), z.unknown()),
      }),
    )
    .optional(),
  requestBody: z.object({ required: z.boolean().optional(), content: Content }).optional(),
  responses: z.record(z.string(), Answer),
})
const Document = z.object({
  openapi: z.string(),
  paths: z.record(z.string(), z.record(z.string(), Operation)),
  components: z.object({
    schemas: z.record(z.string(), z.record(z.string(), z.unknown())),
    headers: z.record(z.string(), z.object({ required: z.boolean() })),
  }),
})
export type Document = z.output<typeof Document>
export type Operation = z.output<typeof Operation>

export const parseDocument = (value: unknown): Document => Document.parse(value)

export interface Route {
  readonly method: string
  readonly path: string
  readonly operation: Operation
}

export function routesOf(document: Document): Route[] {
  return Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  )
}

/** The route that serves a path; the methods that others on the same path have, when that method is none of them. */
export function findRoute(routes: readonly Route[], method: string, path: string): Route | undefined {
  const matching = routes.filter((route) => toPattern(route.path).test(path))
  // A literal segment is nearer than a parameter: /v1/meter/batch.
  const [nearest] = matching
    .filter((route) => route.method === method)
    .sort((left, right) => left.path.split('{').length - right.path.split('{').length)
  return nearest
}

function toPattern(path: string): RegExp {
  return new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+').replaceAll('.', '\\.')}$`)
}

export interface Field {
  /** The named schema or operation that it is of, and its path in it. */
  readonly name: string
  /** It says what it is, or an example has it. */
  readonly isShown: boolean
}

/** The fields of a schema, those inside others too, and whether an example or their own words show them. */
export function* fieldsOf(document: Document, owner: string, schema: unknown, example: unknown): Generator<Field> {
  if (!isRecord(schema)) return
  const reference = schema['$ref']
  if (typeof reference === 'string') {
    const name = reference.split('/').at(-1) ?? ''
    const found = document.components.schemas[name]
    yield* fieldsOf(document, name, found, example ?? found?.['example'])
  }
  for (const part of listIn(schema, 'allOf')) yield* fieldsOf(document, owner, part, example)
  for (const each of listIn(schema, 'anyOf')) yield* fieldsOf(document, owner, each, example)
  if (isRecord(schema['items'])) {
    const items = Array.isArray(example) && example.length > 0 ? example : [undefined]
    for (const item of items) yield* fieldsOf(document, `${owner}[]`, schema['items'], item)
  }
  for (const [name, field] of Object.entries(isRecord(schema['properties']) ? schema['properties'] : {})) {
    const shown = isRecord(example) ? example[name] : undefined
    yield { name: `${owner}.${name}`, isShown: shown !== undefined || saysWhatItIs(field) }
    yield* fieldsOf(document, `${owner}.${name}`, field, shown)
  }
}

export function saysWhatItIs(schema: unknown): boolean {
  if (!isRecord(schema)) return false
  const isSaid = ['description', 'example', 'default'].some((keyword) => schema[keyword] !== undefined)
  return isSaid || listIn(schema, 'allOf').some(saysWhatItIs)
}

function listIn(schema: Record<string, unknown>, keyword: string): readonly unknown[] {
  const list = schema[keyword]
  return Array.isArray(list) ? list : []
}

/** A schema without references, and closed: an answer with a field that is not documented does not fit. */
export function closed(document: Document, schema: unknown): Schema {
  if (Array.isArray(schema)) return schema.map((each) => closed(document, each))
  if (!isRecord(schema)) throw new TypeError('a schema is an object')
  const reference = schema['$ref']
  if (typeof reference === 'string') {
    return closed(document, document.components.schemas[reference.split('/').at(-1) ?? ''])
  }
  const parts = schema['allOf']
  if (Array.isArray(parts)) return merged(parts.map((part) => closed(document, part)))
  return Object.fromEntries([
    ...(isRecord(schema['properties']) ? [['additionalProperties', false]] : []),
    ...Object.entries(schema).map(([keyword, value]) => [keyword, closedKeyword(document, keyword, value)]),
  ])
}

function closedKeyword(document: Document, keyword: string, value: unknown): unknown {
  if (keyword === 'properties' && isRecord(value)) {
    return Object.fromEntries(Object.entries(value).map(([name, schema]) => [name, closed(document, schema)]))
  }
  if (keyword === 'items') return closed(document, value)
  if ((keyword === 'anyOf' || keyword === 'oneOf') && Array.isArray(value)) {
    return value.map((schema) => closed(document, schema))
  }
  return value
}

/** Of objects that extend each other, the object that has it all. */
function merged(parts: readonly Schema[]): Schema {
  return {
    ...Object.assign({}, ...parts),
    properties: Object.assign({}, ...parts.map(({ properties }) => properties)),
    required: parts.flatMap(({ required }) => required ?? []),
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export interface Observed {
  readonly method: string
  /** Without the query. */
  readonly path: string
  readonly status: number
  readonly headers: Headers
  readonly body: unknown
}

/** Says in what an answer differs from what the document promises, in words; empty when in nothing. */
export function createAnswerCheck(document: Document): (observed: Observed) => string[] {
  const routes = routesOf(document)
  const validators = new Map<string, Validator>()

  function validator(key: string, schema: unknown): Validator {
    const found = validators.get(key) ?? new Validator(closed(document, schema), '2020-12', false)
    validators.set(key, found)
    return found
  }

  return function checkAnswer({ method, path, status, headers, body }) {
    const faults = ['X-Request-Id', 'Server-Timing'].filter((name) => !headers.get(name)).map((name) => `no ${name}`)
    const route = findRoute(routes, method === 'HEAD' ? 'GET' : method, path)
    if (!route) {
      if (status !== 404 && status !== 405) return [...faults, `${status} from a route that is not documented`]
      return [...faults, ...validated(validator('Error', { $ref: '#/components/schemas/Error' }), body)]
    }
    const documented = route.operation.responses[status]
    if (!documented) return [...faults, `${status} is not documented`]
    const required = Object.keys(documented.headers ?? {}).filter((name) => document.components.headers[name]?.required)
    faults.push(...required.filter((name) => !headers.has(name)).map((name) => `no ${name}`))
    if (method === 'HEAD') return faults
    const type = headers.get('content-type')?.split(';')[0] ?? ''
    const schema = documented.content?.[type]?.schema
    if (!schema) return [...faults, `no schema of ${type}`]
    // What is not JSON is text.
    if (type !== 'application/json') return faults
    return [...faults, ...validated(validator(`${route.method} ${route.path} ${status}`, schema), body)]
  }
}

function validated(validator: Validator, body: unknown): string[] {
  const { valid, errors } = validator.validate(body)
  return valid ? [] : errors.map(({ instanceLocation, error }: OutputUnit) => `${instanceLocation}: ${error}`)
}
