import { exports } from 'cloudflare:workers'
import { beforeAll, describe, expect, test } from 'vitest'
import { expectDocumented, mintNamespace, type Namespace, openApi, type Reply, toReply } from '../support/edge.ts'
import { acquire, assign, bodyOf, errorOf, grant, invalid, key, meter, rule } from '../support/edge-commands.ts'
import { findRoute, type Route, routesOf } from '../support/openapi.ts'

/** What no client of ours sends: the answer is an error that names the field, never a fault, whatever comes. */

let namespace: Namespace
let routes: Route[]

beforeAll(async () => {
  namespace = await mintNamespace()
  routes = routesOf((await openApi()).document)
})

/** As `call`, with the path, the headers and the body as they are. */
async function send(
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body?: BodyInit,
): Promise<Reply> {
  const response = await exports.default.fetch(`https://mec.test${path}`, {
    method,
    headers: { Authorization: `Bearer ${namespace.key}`, 'Content-Type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body }),
  })
  const reply = await toReply(response)
  // Of what no route can have, only the error is documented.
  if (findRoute(routes, method, path.split('?')[0] ?? '')) await expectDocumented({ method, path, ...reply })
  return reply
}

describe('a path', () => {
  test.each([
    ['%00', '%00'],
    ['a NUL inside', 'a%00b'],
    ['no UTF-8', '%ff'],
    ['UTF-8 that is longer than it need be', '%c0%af'],
    ['an encoded half of a surrogate pair', '%ed%a0%80'],
    ['UTF-8 that is cut off', '%f0%9f%a6'],
    ['a percent sign alone', '%'],
    ['bad hex', '%zz'],
    ['a line break', 'a%0d%0aSet-Cookie:x'],
    ['a next line', '%c2%85'],
    ['a long one', 'a'.repeat(8000)],
    ['a long one of bytes', '%f0%9f%a6%84'.repeat(256)],
  ])('%s is no account', async (_, segment) => {
    expect(await errorOf(send('GET', `/v1/accounts/${segment}/entitlements`))).toEqual(invalid('account_id'))
    expect(await errorOf(send('PATCH', `/v1/accounts/${segment}`, {}, '{"name":"x"}'))).toEqual(invalid('account_id'))
  })

  test('of 100,000 characters, or of 10,000 segments, is nowhere', async () => {
    expect((await send('GET', `/v1/${'a'.repeat(100_000)}`)).status).toBe(404)
    expect((await send('GET', `/v1${'/a'.repeat(10_000)}`)).status).toBe(404)
  })

  test.each(['not-a-uuid', '%00', 'x'.repeat(5000), "' or 1=1 --", '0'.repeat(36), '{}', '٠'.repeat(8)])(
    'the id %s is none',
    async (id) => {
      for (const path of ['leases', 'reservations', 'ledger'])
        expect((await errorOf(send('GET', `/v1/${path}/${encodeURIComponent(id)}`))).status).toBe(400)
    },
  )

  test('an id may be in capitals', async () => {
    const metered = await bodyOf(201, meter(namespace, 'capitals'))
    const { entry_id } = Object(metered['entry'])
    expect(await bodyOf(200, send('GET', `/v1/ledger/${String(entry_id).toUpperCase()}`))).toMatchObject({ entry_id })
  })
})

describe('a query', () => {
  test.each([
    ['account_id=%00', 'account_id'],
    ['account_id=%ff%00', 'account_id'],
    ['account_id=', 'account_id'],
    ['resource=%0a', 'resource'],
    ['from=infinity', 'from'],
    ['from=0001-01-01T00:00:00Z', 'from'],
    ['from=294276-12-31T23:59:59Z', 'from'],
    ['to=-4713-01-01T00:00:00Z', 'to'],
    ['to=2026-11-01T00:00:00+15:00', 'to'],
    ['limit=1e2', 'limit'],
    ['limit=0x10', 'limit'],
    ['limit=%D9%A1', 'limit'],
    ['limit=99999999999999999999', 'limit'],
    [`cursor=${'a'.repeat(1025)}`, 'cursor'],
    ['__proto__=1', '__proto__'],
    ['constructor=1', 'constructor'],
    ['limit[]=1', 'limit[]'],
  ])('%s is refused', async (query, param) => {
    expect(await errorOf(send('GET', `/v1/ledger?${query}`))).toEqual(invalid(param))
  })

  test('of ten thousand parameters is refused', async () => {
    const { status } = await send('GET', `/v1/ledger?${Array.from({ length: 10_000 }, (_, n) => `p${n}=1`).join('&')}`)
    expect(status).toBe(400)
  })
})

describe('a body', () => {
  const post = (body: string) => send('POST', '/v1/check', {}, body)

  test('the last of two fields of one name counts', async () => {
    const twice = '{"account_id":"first","account_id":"second","resource":"nothing","resource":"benchmark_runs"}'
    expect(await bodyOf(200, post(twice))).toMatchObject({ account_id: 'second', resource: 'benchmark_runs' })
  })

  test.each([
    '1e400',
    '-1e400',
    '1e-400',
    '1e999999999',
    `1${'0'.repeat(400)}`,
    `0.${'1'.repeat(400)}`,
    '9007199254740993',
  ])('the number %s is one of no field', async (literal) => {
    const body = (field: string) =>
      `{"idempotency_key":"k","account_id":"a","resource":"benchmark_runs","holder":"h","quantity":1,"${field}":${literal}}`
    expect(await errorOf(send('POST', '/v1/consume', {}, body('quantity')))).toEqual(invalid('quantity'))
    expect(await errorOf(send('POST', '/v1/reservations', {}, body('ttl_seconds')))).toEqual(invalid('ttl_seconds'))
    expect(await errorOf(send('POST', '/v1/test_clock', {}, `{"advance_seconds":${literal}}`))).toEqual(
      invalid('advance_seconds'),
    )
  })

  test('-0 is 0', async () => {
    expect(await bodyOf(200, post('{"account_id":"a","resource":"benchmark_runs","quantity":-0}'))).toMatchObject({
      quantity: 0,
    })
  })

  test.each([
    ['lists', '['.repeat(50_000), ']'.repeat(50_000)],
    ['objects', '{"a":'.repeat(50_000), `1${'}'.repeat(50_000)}`],
  ])('%s within each other are refused, wherever they stand', async (_, open, close) => {
    const deep = `${open}${close}`
    for (const field of ['account_id', 'metadata', 'unknown', 'quantity'])
      expect(
        (
          await send(
            'POST',
            '/v1/meter',
            {},
            `{"idempotency_key":"k","account_id":"a","resource":"benchmark_runs","${field}":${deep}}`,
          )
        ).status,
      ).toBe(400)
    expect((await send('POST', '/v1/check/batch', {}, `{"checks":[${deep}]}`)).status).toBe(400)
    const batch = await bodyOf(200, send('POST', '/v1/meter/batch', {}, `{"entries":[${deep}]}`))
    expect(batch).toMatchObject({ results: [{ status: 'invalid' }] })
  })

  test('metadata keep what is strange, and refuse what cannot be kept', async () => {
    const kept = { metadata: { '': [null, [], {}], __proto__x: 'é\u2028\ud83e\udd84', 'a\nb': 1e-7 } }
    expect(await bodyOf(201, meter(namespace, 'a', kept))).toMatchObject({ entry: kept })
    for (const metadata of [
      '{"a":{"b":["\\u0000"]}}',
      '{"\\u0000":1}',
      '{"a":"\\ud800"}',
      '{"\\udfff":{}}',
      '{"a":1e400}',
    ]) {
      const body = `{"idempotency_key":"m","account_id":"a","resource":"benchmark_runs","quantity":1,"metadata":${metadata}}`
      const { status, param } = await errorOf(send('POST', '/v1/meter', {}, body))
      expect([status, String(param).split('.')[0]]).toEqual([400, 'metadata'])
    }
  })

  test('that is 1 MiB of one string, or of many fields, is refused', async () => {
    expect(await errorOf(post(`{"account_id":"${'a'.repeat(1_000_000)}","resource":"x"}`))).toEqual(
      invalid('account_id'),
    )
    const many = Array.from({ length: 60_000 }, (_, n) => `"f${n}":${n}`).join(',')
    expect((await post(`{${many}}`)).status).toBe(400)
  })
})

describe('a header', () => {
  test.each([
    ['Idempotency-Key', 'é'],
    ['Idempotency-Key', '\t'],
    ['Idempotency-Key', 'k'.repeat(10_000)],
    ['X-Request-Id', 'é'.repeat(1000)],
    ['Accept', ','.repeat(10_000)],
    ['Accept', 'text/csv;q='.repeat(1000)],
    ['Authorization', 'Bearer mec_sk_é_x_y'],
    ['Authorization', `Bearer ${'a.'.repeat(3000)}`],
    ['Authorization', 'Bearer eyJhbGciOiJub25lIn0.e30.'],
    ['Authorization', 'Bearer ..'],
    ['Content-Type', 'application/json; charset=utf-16'],
    ['Content-Length', '-1'],
  ])('%s: %s is no fault', async (name, value) => {
    const body = JSON.stringify({ ...key(), account_id: 'a', resource: 'benchmark_runs', quantity: 1 })
    const metered = await send('POST', '/v1/meter', { [name]: value }, body)
    expect(metered.status).toBeLessThan(500)
    expect((await send('GET', '/v1/billing/export', { [name]: value })).status).toBeLessThan(500)
  })
})

test.each([
  ['europe/berlin', 'Europe/Berlin'],
  ['EUROPE/BERLIN', 'Europe/Berlin'],
  ['utc', 'UTC'],
  ['../UTC', null],
  ['posix/UTC', null],
  ['localtime', null],
  ['Factory', null],
  ['Etc/GMT+12', 'Etc/GMT+12'],
  ['UTC+1', null],
  ['FOO5BAR', null],
  ['Europe/Berlin\u0000', null],
  [' Europe/Berlin', null],
  ["UTC'; select 1", null],
  ['a'.repeat(65), null],
])('the timezone %j is %j', async (timezone, known) => {
  const patched = namespace.call('PATCH', '/v1/accounts/zone', { timezone })
  const answer = await patched
  if (answer.status === 200) expect(String(answer.body['timezone']).toLowerCase()).toBe(String(known).toLowerCase())
  else expect(await errorOf(patched)).toEqual(invalid('timezone'))
  const query = `account_id=zone&resource=benchmark_runs&granularity=day&from=2026-11-01T00:00:00Z&to=2026-11-02T00:00:00Z`
  const usage = await namespace.call('GET', `/v1/usage?${query}&timezone=${encodeURIComponent(timezone)}`)
  expect(usage.status).toBe(answer.status)
})

/** Every list with something in it for a second page, and the query that it needs. */
test('the cursor of another list is refused or means nothing, and never a fault', async () => {
  const place = await mintNamespace()
  const account = 'a'
  await grant(place, account, { quantity: 1 })
  await grant(place, account, { resource: 'concurrent_users', limit_kind: 'concurrency', quantity: 3 })
  await grant(place, account, { resource: 'named_users', limit_kind: 'inventory' })
  for (const name of ['x', 'y']) {
    await bodyOf(201, acquire(place, account, name))
    await bodyOf(201, assign(place, account, name))
    await bodyOf(201, meter(place, account, { quantity: 2 }))
    await rule(place, account, { action: 'overage' })
    const entitlements = [{ resource: 'benchmark_runs', limit_kind: 'cumulative', quantity: name === 'x' ? 1 : 2 }]
    for (const plan of ['p', name]) await bodyOf(200, place.call('PUT', `/v1/plans/${plan}`, { name, entitlements }))
    await bodyOf(201, place.call('POST', `/v1/accounts/${account}/subscriptions`, { ...key(), plan_id: name }))
    await bodyOf(201, place.call('POST', '/v1/keys', { name, scopes: ['read'] }))
  }
  await bodyOf(200, place.call('POST', '/v1/maintenance/run', { job: 'sign_heads' }))
  const lists = [
    '/v1/ledger?',
    '/v1/leases?',
    `/v1/inventory?account_id=${account}&resource=named_users&`,
    '/v1/plans?',
    '/v1/plans/p/versions?',
    `/v1/accounts/${account}/subscriptions?`,
    '/v1/rules?',
    '/v1/resources?',
    '/v1/units?',
    '/v1/keys?',
    '/v1/billing/windows?',
    '/v1/audit?',
    '/v1/ledger/heads?',
  ]
  const cursors = await Promise.all(
    lists.map(async (list) => String((await bodyOf(200, place.call('GET', `${list}limit=1`)))['next_cursor'])),
  )
  for (const [index, list] of lists.entries()) {
    const own = cursors[index] ?? ''
    for (const cursor of [...cursors, own.slice(0, -3), `${own}AA`]) {
      const { status, text } = await place.call('GET', `${list}cursor=${encodeURIComponent(cursor)}`)
      expect([200, 400], `${list} ${cursor} ${text}`).toContain(status)
    }
  }
  expect(lists.filter((_, index) => cursors[index] === 'null')).toEqual([])
}, 60_000)
