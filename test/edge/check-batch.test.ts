import { describe, expect, test } from 'vitest'
import {
  breakPostgres,
  call,
  countRequests,
  mintAccount,
  mintNamespace,
  mintToken,
  type Namespace,
  sql,
} from '../support/edge.ts'
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

describe('of one account and resource a batch shows one state', () => {
  /** Changes the limit from 1 to 20 behind the service's back: nobody tells the caches. */
  async function raise(account: string): Promise<void> {
    await sql(
      'update entitlements set quantity_allowed = 20 where account_id = (select account_id from accounts where external_id = $1)',
      [account],
    )
  }

  async function asked(isolate: Isolate, namespace: Namespace, checks: JsonObject[]) {
    let answers: JsonObject[] = []
    const { neon, upstash } = await countRequests(async () => {
      const body = await bodyOf(200, isolate.call('POST', '/v1/check/batch', { checks }, namespace.token))
      answers = listAt(body, 'results')
    })
    return { answers: answers.map(({ source, limit }) => [source, limit]), neon, upstash }
  }

  async function primed() {
    const { namespace, accounts } = await funded(2)
    const [account = '', other = ''] = accounts
    const isolate = startIsolate({ background: false })
    const scopes = (...some: (string | null)[]) => some.flatMap((scope) => checksOf([account], { scope }))
    return { namespace, account, isolate, scopes, other: checksOf([other]) }
  }

  test('where the caches lack a scope, Postgres answers for all of them', async () => {
    const { namespace, account, isolate, scopes, other } = await primed()
    await results(isolate, namespace, [...scopes(null), ...other])
    await raise(account)
    expect(await asked(isolate, namespace, [...scopes(null, 'us', null), ...other])).toEqual({
      answers: [...Array.from({ length: 3 }, () => ['postgres', 20]), ['memory', 2]],
      neon: 1,
      upstash: 1,
    })
  })

  test('where one is to be read anew, all are, and the caches are not asked', async () => {
    const { namespace, account, isolate, scopes, other } = await primed()
    await results(isolate, namespace, [...scopes(null), ...other])
    await raise(account)
    const checks = [...scopes(null, 'us', null), ...scopes(null).map((one) => ({ ...one, max_staleness_ms: 0 }))]
    expect(await asked(isolate, namespace, [...checks, ...other])).toEqual({
      answers: [...Array.from({ length: 4 }, () => ['postgres', 20]), ['memory', 2]],
      neon: 1,
      upstash: 0,
    })
  })

  test('where memory lacks a scope that Redis has, Redis answers for all of them', async () => {
    const { namespace, account, isolate, scopes, other } = await primed()
    await results(isolate, namespace, [...scopes(null), ...other])
    await raise(account)
    await results(
      startIsolate(),
      namespace,
      [...scopes(null, 'us')].map((one) => ({ ...one, max_staleness_ms: 0 })),
    )
    expect(await asked(isolate, namespace, [...scopes(null, 'us'), ...other])).toEqual({
      answers: [
        ['redis', 20],
        ['redis', 20],
        ['memory', 2],
      ],
      neon: 0,
      upstash: 1,
    })
  })

  test.each([
    ['memory has', true],
    ['nobody has', false],
  ])('where Redis lacks a scope that %s, Postgres answers for all of them', async (_, isRemembered) => {
    const { namespace, account, isolate, scopes } = await primed()
    if (isRemembered) await results(isolate, namespace, scopes(null))
    await results(
      startIsolate(),
      namespace,
      scopes('us').map((one) => ({ ...one, max_staleness_ms: 0 })),
    )
    await raise(account)
    expect(await asked(isolate, namespace, scopes(null, 'us'))).toEqual({
      answers: [
        ['postgres', 20],
        ['postgres', 20],
      ],
      neon: 1,
      upstash: 1,
    })
  })

  test('when Postgres cannot answer for the scope that is missing, the last state answers for the others', async () => {
    const { namespace, isolate, scopes } = await primed()
    await results(isolate, namespace, scopes(null))
    await breakPostgres({ dropBefore: {} })
    const { answers } = await asked(isolate, namespace, scopes(null, 'us'))
    expect(answers).toEqual([
      ['memory', 1],
      ['none', 0],
    ])
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
