import { Validator } from '@cfworker/json-schema'
import { beforeAll, describe, expect, test } from 'vitest'
import { createApp } from '../../functions/app.ts'
import { Failure } from '../../functions/core/failure.ts'
import { createMemory } from '../../functions/decisions/memory.ts'
import { call, openApi } from '../support/edge.ts'
import { closed, type Document, fieldsOf, type Route, routesOf, saysWhatItIs } from '../support/openapi.ts'

let document: Document
let routes: Route[]
let raw: unknown

beforeAll(async () => {
  document = (await openApi()).document
  routes = routesOf(document)
  raw = (await call('GET', '/openapi.json')).body
})

/** Every value under a name, anywhere inside. */
function* valuesNamed(name: string, value: unknown): Generator<unknown> {
  if (typeof value !== 'object' || value === null) return
  for (const [key, inner] of Object.entries(value)) {
    if (key === name) yield inner
    yield* valuesNamed(name, inner)
  }
}

function resolve(reference: string): unknown {
  let found: unknown = raw
  for (const step of reference.replace('#/', '').split('/')) {
    found = typeof found === 'object' && found !== null ? Reflect.get(found, step) : undefined
  }
  return found
}

/** Its own, or the values that it may have. */
function hasExample(schema: unknown): boolean {
  if (typeof schema !== 'object' || schema === null) return false
  const reference: unknown = Reflect.get(schema, '$ref') ?? Reflect.get(schema, 'allOf')?.[0]?.$ref
  if (typeof reference === 'string') return hasExample(resolve(reference))
  return 'example' in schema || 'enum' in schema
}

describe('the document', () => {
  test('is OpenAPI 3.1, whole and unambiguous', () => {
    expect(raw).toMatchObject({
      openapi: expect.stringMatching(/^3\.1\.\d$/),
      info: { title: expect.any(String), version: expect.any(String) },
      paths: expect.any(Object),
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
    })
    const ids = routes.map(({ operation }) => operation.operationId)
    expect(new Set(ids).size).toBe(ids.length)
    for (const reference of valuesNamed('$ref', raw))
      expect(resolve(String(reference)), String(reference)).toBeDefined()
  })

  test('lists every route that is served, and nothing else', () => {
    const nowMs = () => Date.now()
    const refuse = async () => {
      throw new Failure(500, 'internal', 'not asked here')
    }
    const app = createApp({
      gateway: { bind: () => refuse, ready: refuse },
      tiers: { memory: createMemory(0), redis: null, nowMs, memoryMs: 0, maxStalenessMs: 0, staleIfErrorMs: 0 },
      propagate: refuse,
      limiters: { requestsPerKey: undefined, failedAuthPerAddress: undefined },
      observe: () => {},
      wait: refuse,
      secrets: { jwtSecrets: ['secret'], keyPepper: 'pepper', devKey: undefined },
      nowMs,
      randomBytes: (length) => new Uint8Array(length),
      newRequestId: () => 'id',
    })
    const served = app.routes
      .filter(({ method, path }) => method !== 'ALL' && path !== '/openapi.json' && path !== '/docs')
      .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`)
    const listed = routes.map(({ method, path }) => `${method} ${path}`)
    expect(listed.sort()).toEqual([...new Set(served)].sort())
  })

  test('names every parameter of every path, and only those', () => {
    for (const { path, method, operation } of routes) {
      const named = Array.from(path.matchAll(/\{(\w+)\}/g), ([, name]) => name)
      const declared = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path')
      expect(declared.map(({ name }) => name).sort(), `${method} ${path}`).toEqual(named.sort())
      expect(declared.every(({ required }) => required)).toBe(true)
    }
  })

  test('has the common errors everywhere, with their headers', () => {
    for (const { path, method, operation } of routes.filter((route) => route.path.startsWith('/v1/'))) {
      const statuses = Object.keys(operation.responses)
      expect(statuses, `${method} ${path}`).toEqual(expect.arrayContaining(['400', '401', '403', '500', '503']))
      if (operation.requestBody) expect(statuses).toEqual(expect.arrayContaining(['413', '415']))
      if (/_id\}/.test(path) && !/accounts\/\{account_id\}(\/\w+)?$/.test(path) && method !== 'PUT')
        expect(statuses).toContain('404')
      expect(operation.responses['503']?.headers).toHaveProperty('Retry-After')
      expect(operation.responses['401']?.headers).toHaveProperty('WWW-Authenticate')
      for (const [status, answer] of Object.entries(operation.responses)) {
        expect(answer.headers).toHaveProperty('X-Request-Id')
        expect(answer.headers).toHaveProperty('Server-Timing')
        const types =
          path.endsWith('/export') && status === '200' ? ['application/x-ndjson', 'text/csv'] : ['application/json']
        expect(Object.keys(answer.content ?? {}).sort()).toEqual(types)
      }
    }
  })

  test('has examples that are what it says', () => {
    let examples = 0
    for (const { path, method, operation } of routes) {
      const contents = [
        operation.requestBody?.content,
        ...Object.values(operation.responses).map(({ content }) => content),
      ]
      for (const { schema, example } of contents.flatMap((content) => Object.values(content ?? {}))) {
        if (example === undefined) continue
        examples++
        const { errors } = new Validator(closed(document, schema), '2020-12', false).validate(example)
        expect(errors, `${method} ${path} ${JSON.stringify(example)}`).toEqual([])
      }
    }
    expect(examples).toBeGreaterThan(40)
  })

  test('has an example of every body, answer and parameter', () => {
    const without = routes.flatMap(({ path, method, operation }) => {
      const own = (operation.parameters ?? []).filter(({ name }) => name !== 'X-Request-Id')
      const parts = [
        ['body', operation.requestBody?.content['application/json']],
        ...Object.entries(operation.responses)
          .filter(([status]) => status.startsWith('2'))
          .flatMap(([status, { content }]) => Object.values(content ?? {}).map((each) => [status, each] as const)),
      ] as const
      return [
        ...parts.filter(([, content]) => content && content.example === undefined).map(([name]) => name),
        ...own.filter(({ schema }) => !hasExample(schema)).map(({ name }) => name),
      ].map((name) => `${method} ${path} ${name}`)
    })
    expect(without).toEqual([])
  })

  test('says of every field what it is, or shows it', () => {
    const shown = new Map<string, boolean>()
    for (const { operation } of routes) {
      const { operationId, parameters = [], requestBody, responses } = operation
      for (const { name, description, schema } of parameters)
        shown.set(`${operationId} ?${name}`, description !== undefined || saysWhatItIs(schema))
      const contents = [requestBody?.content, ...Object.values(responses).map(({ content }) => content)]
      for (const content of contents) {
        const { schema, example } = content?.['application/json'] ?? {}
        for (const { name, isShown } of fieldsOf(document, operationId, schema, example))
          shown.set(name, isShown || shown.get(name) === true)
      }
    }
    expect(shown.size).toBeGreaterThan(400)
    expect(Array.from(shown).flatMap(([name, isShown]) => (isShown ? [] : [name]))).toEqual([])
  })

  test('closes every request: unknown fields are refused', () => {
    for (const { path, method, operation } of routes) {
      const schema = operation.requestBody?.content['application/json']?.schema
      if (!schema) continue
      const reference = schema['$ref']
      const found = typeof reference === 'string' ? resolve(reference) : schema
      expect(found, `${method} ${path}`).toMatchObject({ additionalProperties: false })
    }
  })
})

test('an answer with a field that is not documented, or without one that is, is found out', async () => {
  const { check } = await openApi()
  const { status, headers, body } = await call('GET', '/healthz')
  const observed = { method: 'GET', path: '/healthz', status, headers }
  expect(check({ ...observed, body })).toEqual([])
  expect(check({ ...observed, body: { ...body, extra: 1 } })).not.toEqual([])
  expect(check({ ...observed, body: {} })).not.toEqual([])
  expect(check({ ...observed, body, status: 418 })).not.toEqual([])
  expect(check({ ...observed, body, headers: new Headers() })).not.toEqual([])
})
