import type { Schema } from '@cfworker/json-schema'
import { beforeAll, expect, test } from 'vitest'
import { mintNamespace, type Namespace, openApi } from '../support/edge.ts'
import { errorOf, invalid } from '../support/edge-commands.ts'
import { closed, type Document, type Route, routesOf } from '../support/openapi.ts'

/**
 * What the document says of each field of each request is what is refused: a value of any other type, beyond any bound,
 * or missing. Made from the document, so that a new field is tested by being there.
 */

type Row = { label: string; value: unknown }

let document: Document
let routes: Route[]
let namespace: Namespace

beforeAll(async () => {
  document = (await openApi()).document
  routes = routesOf(document).filter(({ path }) => path.startsWith('/v1/') && path !== '/v1/namespaces')
  namespace = await mintNamespace()
})

const SAMPLES: Record<string, unknown> = {
  null: null,
  boolean: true,
  string: 'text',
  number: 1.5,
  integer: 7,
  array: [],
  object: {},
}

/** Values that a schema does not have. */
function refused(schema: Schema): Row[] {
  if (schema.anyOf && !schema.properties) return []
  const given: string[] = [schema.type ?? Object.keys(SAMPLES)].flat()
  const types = schema.enum ? ['string', ...(schema.enum.includes(null) ? ['null'] : [])] : given
  const rows = Object.entries(SAMPLES)
    .filter(([type]) => !types.includes(type) && !(type === 'integer' && types.includes('number')))
    .map(([type, value]) => ({ label: `a value of the type ${type}`, value }))
  const {
    minLength,
    maxLength,
    minimum,
    maximum,
    exclusiveMinimum,
    exclusiveMaximum,
    minItems,
    maxItems,
    pattern,
    format,
  } = schema
  if (schema.enum) rows.push({ label: 'a value that is none of them', value: 'none of them' })
  if (minLength) rows.push({ label: 'a text too short', value: 'a'.repeat(minLength - 1) })
  if (maxLength !== undefined) rows.push({ label: 'a text too long', value: 'a'.repeat(maxLength + 1) })
  if (pattern) rows.push({ label: 'a text with a control character', value: 'a\u0007' })
  if (types.includes('string')) {
    rows.push({ label: 'a text with NUL, which Postgres cannot hold', value: 'a\u0000b' })
    rows.push({ label: 'a text with half a surrogate pair', value: 'a\ud800' })
  }
  if (format === 'uuid') rows.push({ label: 'no UUID', value: '0-0-0-0' })
  if (format === 'date-time') rows.push({ label: 'no time', value: '2027-02-29T00:00:00Z' })
  if (minimum !== undefined) rows.push({ label: 'a number too small', value: minimum - 1 })
  if (maximum !== undefined) rows.push({ label: 'a number too large', value: maximum + 1 })
  if (typeof exclusiveMinimum === 'number')
    rows.push({ label: 'the number that is just too small', value: exclusiveMinimum })
  if (typeof exclusiveMaximum === 'number')
    rows.push({ label: 'the number that is just too large', value: exclusiveMaximum })
  if (minItems) rows.push({ label: 'a list too short', value: Array.from({ length: minItems - 1 }, () => null) })
  if (maxItems !== undefined)
    rows.push({ label: 'a list too long', value: Array.from({ length: maxItems + 1 }, () => null) })
  return rows
}

function objectSchema(schema: Schema | boolean | undefined): Schema {
  return typeof schema === 'object' ? schema : {}
}

const filled = (path: string) =>
  path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    name === 'account_id' || name === 'plan_id' ? 'a' : '00000000-0000-4000-8000-000000000000',
  )

test('each field of each body is held to what the document says of it', async () => {
  let tried = 0
  for (const { method, path, operation } of routes) {
    const content = operation.requestBody?.content['application/json']
    if (!content) continue
    const schema = closed(document, content.schema)
    const example = Object.assign(
      { ...(operation.operationId === 'patchRule' ? { action: 'warn' } : {}) },
      content.example,
    )
    const send = async (body: unknown) => {
      const reply = await namespace.call(method, filled(path), body)
      expect(reply.status, `${method} ${path} ${JSON.stringify(body).slice(0, 300)} ${reply.text}`).toBe(400)
      return errorOf(Promise.resolve(reply))
    }
    for (const [name, property] of Object.entries(schema.properties ?? {})) {
      for (const { label, value } of refused(objectSchema(property))) {
        tried++
        const found = await send({ ...example, [name]: value })
        // A list can be wrong in what it holds, as well.
        const param = String(found.param).split('.')[0]
        expect(
          { ...found, param },
          `${method} ${path} ${name}: ${label} ${JSON.stringify(value).slice(0, 80)}`,
        ).toEqual(invalid(name))
      }
    }
    for (const name of schema.required ?? []) {
      tried++
      expect(await send({ ...example, [name]: undefined }), `${method} ${path} without ${name}`).toEqual(invalid(name))
    }
    expect(await send({ ...example, unknown_field: 1 }), `${method} ${path}`).toEqual(invalid('unknown_field'))
  }
  expect(tried).toBeGreaterThan(900)
}, 60_000)

/** The other parameters that a query cannot do without, as the document shows them. */
function required({ parameters = [] }: Route['operation'], but: string): string {
  return parameters
    .filter((parameter) => parameter.in === 'query' && parameter.required && parameter.name !== but)
    .map(
      ({ name, schema }) =>
        `&${name}=${encodeURIComponent(String(schema['example'] ?? Object(schema['enum'])[0] ?? 'x'))}`,
    )
    .join('')
}

test('each parameter of each query and path is held to what the document says of it', async () => {
  let tried = 0
  for (const { method, path, operation } of routes) {
    const body = operation.requestBody ? (operation.requestBody.content['application/json']?.example ?? {}) : undefined
    for (const parameter of operation.parameters ?? []) {
      if (parameter.in === 'header') continue
      const schema = closed(document, parameter.schema)
      const { minimum, maximum, maxLength, enum: values, format, pattern } = schema
      const rows = [
        ...(minimum === undefined ? [] : [minimum - 1, 'one', '1.0', ' 1', '0x1', '']),
        ...(maximum === undefined ? [] : [maximum + 1]),
        ...(maxLength === undefined ? [] : ['a'.repeat(maxLength + 1)]),
        ...(values ? ['none of them', ''] : []),
        ...(format ? ['x'] : []),
        ...(pattern ? ['a\u0007'] : []),
      ]
      for (const value of rows) {
        if (parameter.in === 'path' && value === '') continue
        tried++
        const text = encodeURIComponent(String(value))
        const target =
          parameter.in === 'path'
            ? filled(path.replace(`{${parameter.name}}`, text))
            : `${filled(path)}?${parameter.name}=${text}${required(operation, parameter.name)}`
        expect(await errorOf(namespace.call(method, target, body)), `${method} ${target}`).toEqual(
          invalid(parameter.name),
        )
      }
    }
  }
  expect(tried).toBeGreaterThan(60)
}, 60_000)

test('the header Idempotency-Key stands in wherever the document has it, and is held to the same bounds', async () => {
  const keyed = routes.filter(({ operation }) => operation.parameters?.some(({ name }) => name === 'Idempotency-Key'))
  expect(keyed.map(({ operation }) => operation.operationId).sort()).toEqual([
    'cancelSubscription',
    'changeSubscription',
    'consume',
    'createReservation',
    'createRule',
    'createSubscription',
    'grantEntitlement',
    'meter',
    'migrateSubscription',
    'reverseEntry',
  ])
  const lacking = await namespace.call('PUT', '/v1/plans/pro', { name: 'Pro' })
  expect(lacking.status).toBe(200)
  for (const { method, path, operation } of keyed) {
    const {
      idempotency_key: _,
      plan_id,
      ...example
    } = Object.assign({ plan_id: undefined }, operation.requestBody?.content['application/json']?.example)
    const body = plan_id === undefined ? example : { ...example, plan_id: 'pro' }
    const send = (headers: Record<string, string>) => namespace.call(method, filled(path), body, { headers })
    const key = `header of ${operation.operationId}`
    const first = await send({ 'Idempotency-Key': key })
    // What acts on an object that there must be first finds none here.
    const isOnAnother = /\{(?:subscription|entry)_id\}/.test(path)
    expect(isOnAnother ? [404] : [200, 201], first.text).toContain(first.status)
    // A denied consume does not use up its key.
    if (!isOnAnother && first.body['allowed'] !== false)
      expect((await send({ 'Idempotency-Key': key })).body).toEqual({ ...first.body, duplicate: true })
    expect(await errorOf(send({ 'Idempotency-Key': 'k'.repeat(256) }))).toEqual(invalid('idempotency_key'))
    expect(
      await errorOf(
        namespace.call(
          method,
          filled(path),
          { ...body, idempotency_key: 'another' },
          { headers: { 'Idempotency-Key': key } },
        ),
      ),
    ).toEqual(invalid('idempotency_key'))
  }
})
