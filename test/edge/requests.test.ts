import { exports } from 'cloudflare:workers'
import { describe, expect, test } from 'vitest'
import { call, devKey, expectDocumented, mintNamespace } from '../support/edge.ts'
import { bodyOf, errorOf, invalid } from '../support/edge-commands.ts'

const BODY = { account_id: 'a', resource: 'benchmark_runs', max_staleness_ms: 0 }
const MiB = 1_048_576
const post = (body: unknown, headers: Record<string, string> = {}) =>
  call('POST', '/v1/check', body, { bearer: devKey, headers })

describe('a body', () => {
  test.each([
    ['cut off', '{"account_id":"a"'],
    ['with a trailing comma', '{"account_id":"a",}'],
    ['of text', 'hello'],
    ['with a comment', '{/* hi */}'],
    ['of white space', '  '],
    ['with a control character in a string', '{"account_id":"a\nb"}'],
  ])('%s is no JSON', async (_, body) => {
    expect(await errorOf(post(body))).toEqual({
      status: 400,
      type: 'invalid_request',
      code: 'invalid_json',
      param: null,
    })
  })

  test('that is missing, or is no UTF-8, is no JSON', async () => {
    const json = { status: 400, type: 'invalid_request', code: 'invalid_json', param: null }
    expect(await errorOf(post(undefined))).toEqual(json)
    expect(await errorOf(post(''))).toEqual(json)
    const response = await exports.default.fetch('https://mec.test/v1/check', {
      method: 'POST',
      headers: { Authorization: `Bearer ${devKey}`, 'Content-Type': 'application/json' },
      body: new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
    })
    expect(await response.json()).toMatchObject({ error: { code: 'invalid_json' } })
  })

  test.each([
    ['a list', '[]'],
    ['a text', '"a"'],
    ['a number', '1'],
    ['null', 'null'],
  ])('that is %s is no object', async (_, body) => {
    expect(await errorOf(post(body))).toEqual(invalid(null))
  })

  test('with names of prototypes has unknown fields', async () => {
    expect(await errorOf(post('{"account_id":"a","resource":"benchmark_runs","__proto__":{"quantity":1}}'))).toEqual(
      invalid('__proto__'),
    )
    expect(await errorOf(post('{"account_id":"a","resource":"benchmark_runs","constructor":1}'))).toEqual(
      invalid('constructor'),
    )
  })

  test('nested a hundred thousand deep is refused, not a fault', async () => {
    const deep = `{"account_id":"a","resource":"benchmark_runs","quantity":${'['.repeat(100_000)}${']'.repeat(100_000)}}`
    expect((await post(deep)).status).toBe(400)
    const metadata = `{"account_id":"a","resource":"benchmark_runs","quantity":1,"idempotency_key":"k","metadata":${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}}`
    expect((await call('POST', '/v1/consume', metadata, { bearer: devKey })).status).toBe(400)
  })

  test.each([
    ['application/json; charset=utf-8', 200],
    ['APPLICATION/JSON', 200],
    ['text/plain', 415],
    ['application/x-www-form-urlencoded', 415],
    ['application/jsonp', 415],
    ['', 415],
  ])('of the type "%s" is a %s', async (type, status) => {
    const reply = post(BODY, { 'Content-Type': type })
    if (status === 200) return void (await bodyOf(200, reply))
    expect(await errorOf(reply)).toEqual({
      status,
      type: 'invalid_request',
      code: 'unsupported_media_type',
      param: null,
    })
  })

  test('of a mebibyte is read, a byte more is too large', async () => {
    const padded = (bytes: number) => JSON.stringify(BODY).padEnd(bytes, ' ')
    await bodyOf(200, post(padded(MiB)))
    expect(await errorOf(post(padded(MiB + 1)))).toEqual({
      status: 413,
      type: 'invalid_request',
      code: 'body_too_large',
      param: null,
    })
  })

  test('streamed without a length is counted as it comes, and left where it is too large', async () => {
    let sent = 0
    const stream = (bytes: number) =>
      new ReadableStream<Uint8Array>({
        pull(controller) {
          const chunk = Math.min(65_536, bytes - sent)
          sent += chunk
          if (chunk === 0) return controller.close()
          controller.enqueue(
            new TextEncoder().encode(sent === chunk ? JSON.stringify(BODY).padEnd(chunk, ' ') : ' '.repeat(chunk)),
          )
        },
      })
    const send = async (bytes: number) => {
      sent = 0
      const headers = { Authorization: `Bearer ${devKey}`, 'Content-Type': 'application/json' }
      const response = await exports.default.fetch('https://mec.test/v1/check', {
        method: 'POST',
        headers,
        body: stream(bytes),
      })
      const body: unknown = await response.json()
      await expectDocumented({
        method: 'POST',
        path: '/v1/check',
        status: response.status,
        headers: response.headers,
        body,
      })
      return response.status
    }
    expect(await send(500_000)).toBe(200)
    expect(await send(MiB)).toBe(200)
    expect(await send(MiB + 1)).toBe(413)
    expect(await send(64 * MiB)).toBe(413)
    expect(sent).toBeLessThan(8 * MiB)
  })
})

describe('a path', () => {
  test.each([
    '/',
    '/v1',
    '/v1/',
    '/v1/unicorns',
    '/v1/check/',
    '/v2/check',
    '/v1/leases/a/b/c',
    '/v1/accounts//entitlements',
  ])('%s is nowhere', async (path) => {
    expect(await errorOf(call('GET', path))).toEqual({ status: 404, type: 'not_found', code: 'not_found', param: null })
    expect(await errorOf(call('POST', path, {}))).toMatchObject({ status: 404 })
  })

  test.each([
    ['GET', '/v1/check', 'OPTIONS, POST'],
    ['PATCH', '/v1/consume', 'OPTIONS, POST'],
    ['PUT', '/v1/leases', 'GET, HEAD, OPTIONS, POST'],
    ['PATCH', '/v1/leases/a', 'DELETE, GET, HEAD, OPTIONS'],
    ['DELETE', '/v1/plans/pro', 'GET, HEAD, OPTIONS, PUT'],
    ['GET', '/v1/entitlements/a', 'OPTIONS, PATCH'],
    ['POST', '/healthz', 'GET, HEAD, OPTIONS'],
    ['PUT', '/v1/meter/batch', 'OPTIONS, POST'],
  ])('%s %s is a method that is not there', async (method, path, allow) => {
    const reply = await call(method, path)
    expect(reply.headers.get('Allow')).toBe(allow)
    expect(reply.body['error']).toMatchObject({ type: 'invalid_request', code: 'method_not_allowed', param: null })
    expect(reply.status).toBe(405)
  })

  test('OPTIONS says what there is, HEAD answers as GET does', async () => {
    const options = await exports.default.fetch('https://mec.test/v1/rules', { method: 'OPTIONS' })
    expect([options.status, options.headers.get('Allow')]).toEqual([204, 'GET, HEAD, OPTIONS, POST'])
    const head = await call('HEAD', '/v1/rules', undefined, { bearer: devKey })
    expect([head.status, head.text]).toEqual([200, ''])
    expect((await call('HEAD', '/v1/rules')).status).toBe(401)
  })

  test('with bad percent-encoding is refused', async () => {
    expect(await errorOf(call('GET', '/v1/accounts/%ff/entitlements', undefined, { bearer: devKey }))).toEqual(
      invalid('account_id'),
    )
    expect(await errorOf(call('GET', '/v1/accounts/%00/entitlements', undefined, { bearer: devKey }))).toEqual(
      invalid('account_id'),
    )
  })
})

describe('a query', () => {
  test.each([
    ['GET', '/v1/rules?limit=5&limit=6', 'limit'],
    ['GET', '/v1/rules?colour=red', 'colour'],
    ['GET', '/v1/plans/pro?plan_id=other', 'plan_id'],
    ['GET', '/v1/keys?limit=', 'limit'],
    ['GET', '/v1/keys?limit=-1', 'limit'],
    ['DELETE', '/v1/test_clock?force=1', 'force'],
    ['POST', '/v1/check?account_id=a', 'account_id'],
    ['POST', '/v1/check?verbose=1', 'verbose'],
  ])('%s %s is refused', async (method, path, param) => {
    expect(await errorOf(call(method, path, method === 'POST' ? BODY : undefined, { bearer: devKey }))).toEqual(
      invalid(param),
    )
  })
})

describe('every answer', () => {
  test.each([
    ['a.valid-ID_1', true],
    ['x'.repeat(128), true],
    ['x'.repeat(129), false],
    ['with space', false],
    ['a/b', false],
    ['<script>', false],
  ])('has X-Request-Id; "%s" comes back: %s', async (id, comesBack) => {
    const reply = await call('POST', '/v1/check', BODY, { bearer: devKey, headers: { 'X-Request-Id': id } })
    const given = reply.headers.get('X-Request-Id')
    if (comesBack) expect(given).toBe(id)
    else expect(given).toMatch(/^[0-9a-f-]{36}$/)
  })

  test.each([
    ['GET', '/healthz', undefined],
    ['GET', '/docs', undefined],
    ['GET', '/openapi.json', undefined],
    ['GET', '/nowhere', undefined],
    ['DELETE', '/v1/check', undefined],
    ['POST', '/v1/check', 'no JSON'],
    ['POST', '/v1/check', BODY],
  ])('%s %s says how long it took', async (method, path, body) => {
    const { headers } = await call(method, path, body, { bearer: devKey })
    expect(headers.get('Server-Timing')).toMatch(/^\w+;dur=\d+\.\d(, \w+;dur=\d+\.\d)*$/)
    expect(headers.get('X-Request-Id')).toBeTruthy()
  })

  test('that asked Postgres says how long that took', async () => {
    const namespace = await mintNamespace()
    const { headers } = await namespace.call('POST', '/v1/check', BODY)
    expect(headers.get('Server-Timing')).toContain('postgres;dur=')
  })
})

test('the reference is a page of HTML that needs nothing from outside', async () => {
  const { status, headers, text } = await call('GET', '/docs')
  expect(status).toBe(200)
  expect(headers.get('Content-Type')).toMatch(/^text\/html/)
  expect(headers.get('Content-Security-Policy')).toContain("default-src 'none'")
  expect(text).toContain('/v1/consume')
  expect(text).not.toMatch(/(?:src|href)="(?:https?:)?\/\//)
})
