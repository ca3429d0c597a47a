import { describe, expect, test } from 'vitest'
import { call, countRequests, mintAccount, mintNamespace, mintToken, type Namespace } from '../support/edge.ts'
import { bodyOf, consume, errorOf, grant, invalid } from '../support/edge-commands.ts'
import { createClock, type Isolate, startIsolate } from '../support/edge-isolate.ts'
import { type JsonObject, listAt } from '../support/json-path.ts'

const RESOURCE = 'benchmark_runs'

async function funded(count: number) {
  const namespace = await mintNamespace()
  const accounts = Array.from({ length: count }, mintAccount)
  for (const [index, account] of accounts.entries()) await grant(namespace, account, { quantity: index + 1 })
  return { namespace, accounts }
}

const checksOf = (accounts: readonly string[], fields: JsonObject = {}) =>
  accounts.map((account_id) => ({ account_id, resource: RESOURCE, ...fields }))

const batch = (namespace: Namespace, checks: unknown) => namespace.call('POST', '/v1/check/batch', { checks })

async function results(isolate: Isolate, { key }: Namespace, checks: JsonObject[]): Promise<JsonObject[]> {
  const body = await bodyOf(200, isolate.call('POST', '/v1/check/batch', { checks }, key))
  await isolate.settled()
  return listAt(body, 'results')
}

describe('a batch of checks', () => {
  test('answers each as /check does, in order', async () => {
    const { namespace, accounts } = await funded(3)
    const checks = [
      ...checksOf(accounts, { quantity: 2 }),
      ...checksOf(accounts, { quantity: 0, for: 'lease' }),
      { account_id: 'nobody', resource: 'gpu_hours' },
      { account_id: accounts[0], resource: RESOURCE, at: '2020-01-01T00:00:00Z' },
    ].map((check) => ({ ...check, max_staleness_ms: 0 }))
    const { results: together } = await bodyOf(200, batch(namespace, checks))
    const apart = await Promise.all(checks.map((check) => bodyOf(200, namespace.call('POST', '/v1/check', check))))
    const timeless = (answers: unknown) =>
      JSON.parse(JSON.stringify(answers, (name, value) => (name === 'as_of' ? undefined : value)))
    expect(timeless(together)).toEqual(timeless(apart))
  })

  test('is one request to Postgres, however many it has, and all of one moment', async () => {
    const { namespace, accounts } = await funded(2)
    const checks = Array.from({ length: 100 }, (_, index) => checksOf(accounts)[index % 2] ?? {})
    const isolate = startIsolate({ background: false })
    let answers: JsonObject[] = []
    const seen = await countRequests(async () => {
      answers = await results(isolate, namespace, checks)
    })
    expect(seen).toEqual({ neon: 1, upstash: 1, commands: 1 })
    expect(answers).toHaveLength(100)
    expect(new Set(answers.map(({ as_of }) => as_of)).size).toBe(1)
  })

  test('is answered from memory, from Redis by one command, and the rest by one request to Postgres', async () => {
    const { namespace, accounts } = await funded(6)
    const clock = createClock()
    const isolate = startIsolate({ clock })
    await results(startIsolate({ clock }), namespace, checksOf(accounts.slice(0, 4)))
    await results(isolate, namespace, checksOf(accounts.slice(0, 2)))
    let answers: JsonObject[] = []
    const seen = await countRequests(async () => {
      const body = await bodyOf(
        200,
        isolate.call('POST', '/v1/check/batch', { checks: checksOf(accounts) }, namespace.key),
      )
      answers = listAt(body, 'results')
    })
    await isolate.settled()
    expect(answers.map(({ source, limit }) => [source, limit])).toEqual([
      ['memory', 1],
      ['memory', 2],
      ['redis', 3],
      ['redis', 4],
      ['postgres', 5],
      ['postgres', 6],
    ])
    expect(seen.neon).toBe(1)
    const again = await countRequests(() => results(isolate, namespace, checksOf(accounts)))
    expect(again).toEqual({ neon: 0, upstash: 0, commands: 0 })
  })

  test('several scopes of one resource are kept side by side', async () => {
    const { namespace, accounts } = await funded(1)
    const checks = [null, 'us', 'us/h100'].flatMap((scope) => checksOf(accounts, { scope }))
    await results(startIsolate(), namespace, checks)
    const answers = await results(startIsolate(), namespace, checks)
    expect(answers.map(({ source, scope }) => [source, scope])).toEqual([
      ['redis', null],
      ['redis', 'us'],
      ['redis', 'us/h100'],
    ])
  })

  test('shows what was written before it', async () => {
    const { namespace, accounts } = await funded(3)
    await bodyOf(200, batch(namespace, checksOf(accounts)))
    await bodyOf(201, consume(namespace, accounts[2] ?? '', { quantity: 2 }))
    const answers = listAt(await bodyOf(200, batch(namespace, checksOf(accounts))), 'results')
    expect(answers.map(({ used }) => used)).toEqual([0, 0, 2])
  })
})

describe('what is refused, as a whole', () => {
  test.each<[string, unknown, string]>([
    ['no checks', [], 'checks'],
    ['too many', Array.from({ length: 101 }, () => ({ account_id: 'a', resource: RESOURCE })), 'checks'],
    ['no list', {}, 'checks'],
    [
      'a quantity',
      [...checksOf(['a', 'b', 'c']), { account_id: 'd', resource: RESOURCE, quantity: -1 }],
      'checks.3.quantity',
    ],
    ['an unknown field', [{ account_id: 'a', resource: RESOURCE, extra: 1 }], 'checks.0.extra'],
    ['a missing field', [...checksOf(['a']), { resource: RESOURCE }], 'checks.1.account_id'],
    ['an element that is none', [...checksOf(['a']), 7], 'checks.1'],
  ])('%s', async (_, checks, param) => {
    expect(await errorOf(batch(await mintNamespace(), checks))).toEqual(invalid(param))
  })

  test('an unknown resource: the index is that of the request, whatever was answered from a cache', async () => {
    const { namespace, accounts } = await funded(2)
    const checks = [...checksOf(accounts), { account_id: 'a', resource: 'unheard_of' }]
    const isolate = startIsolate()
    const wanted = { status: 400, type: 'invalid_request', code: 'unknown_resource', param: 'checks.2.resource' }
    expect(await errorOf(isolate.call('POST', '/v1/check/batch', { checks }, namespace.key))).toEqual(wanted)
    await results(isolate, namespace, checksOf(accounts))
    expect(await errorOf(isolate.call('POST', '/v1/check/batch', { checks }, namespace.key))).toEqual(wanted)
  })

  test('another account than the token\u2019s', async () => {
    const { namespace, accounts } = await funded(2)
    const bearer = await mintToken(namespace.name, 'check', { sub: accounts[0] })
    const own = checksOf(accounts.slice(0, 1))
    await bodyOf(200, call('POST', '/v1/check/batch', { checks: own }, { bearer }))
    const refused = call('POST', '/v1/check/batch', { checks: [...own, ...checksOf(accounts.slice(1))] }, { bearer })
    expect(await errorOf(refused)).toEqual({
      status: 403,
      type: 'permission',
      code: 'account_forbidden',
      param: 'checks.1.account_id',
    })
  })

  test('a key without the scope', async () => {
    const namespace = await mintNamespace()
    const bearer = await mintToken(namespace.name, 'meter')
    const refused = call('POST', '/v1/check/batch', { checks: checksOf(['a']) }, { bearer })
    expect(await errorOf(refused)).toMatchObject({ status: 403, code: 'missing_scope' })
  })
})
