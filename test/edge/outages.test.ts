import { describe, expect, test } from 'vitest'
import { breakPostgres, call, mintAccount, mintNamespace, mintToken, type Namespace, sql } from '../support/edge.ts'
import { acquire, bodyOf, check, consume, errorOf, grant, key, meter } from '../support/edge-commands.ts'
import { holdLocks } from '../support/edge-locks.ts'

const unavailable = (code: string) => ({ status: 503, type: 'unavailable', code, param: null })

async function funded() {
  const namespace = await mintNamespace()
  const account = mintAccount()
  await grant(namespace, account, { quantity: 10 })
  return { namespace, account }
}

const asking = (namespace: Namespace, account: string) => () =>
  namespace.call('POST', '/v1/check', { account_id: account, resource: 'benchmark_runs', max_staleness_ms: 0 })

describe('Postgres out of reach', () => {
  test.each([
    ['connections that are cut', { dropBefore: {} }],
    ['a platform that answers 500', { error: { status: 500 } }],
    ['a platform that answers 429', { error: { status: 429 } }],
    ['a platform that answers 400', { error: { status: 400 } }],
  ])('%s: 503 with Retry-After, and nothing happened', async (_, faults) => {
    const { namespace, account } = await funded()
    await breakPostgres(faults)
    for (const ask of [
      () => consume(namespace, account),
      () => meter(namespace, account),
      () => acquire(namespace, account, 'h'),
      asking(namespace, account),
    ]) {
      const reply = ask()
      expect(await errorOf(reply)).toEqual(unavailable('unavailable'))
      expect((await reply).headers.get('Retry-After')).toMatch(/^\d+$/)
    }
    await breakPostgres({ dropBefore: null, error: null })
    expect(await check(namespace, account)).toMatchObject({ used: 0 })
  })

  test('an answer that is lost: the same key tried again counts once', async () => {
    const { namespace, account } = await funded()
    const fields = { ...key(), quantity: 3 }
    await breakPostgres({ dropAfter: { requests: 1 } })
    expect(await errorOf(consume(namespace, account, fields))).toEqual(unavailable('unavailable'))
    expect(await bodyOf(200, consume(namespace, account, fields))).toMatchObject({
      allowed: true,
      duplicate: true,
      used: 3,
    })
    expect(await check(namespace, account)).toMatchObject({ used: 3 })
  })

  test('slower than the budget: 503, and a check by a token is decided by its on_error', async () => {
    const { namespace, account } = await funded()
    const bearer = await mintToken(namespace.name, 'check')
    await breakPostgres({ delay: { ms: 6000 } })
    const body = { account_id: account, resource: 'benchmark_runs', max_staleness_ms: 0, on_error: 'allow' }
    const [consumed, checked] = await Promise.all([
      errorOf(consume(namespace, account)),
      bodyOf(200, namespace.call('POST', '/v1/check', body, { bearer })),
    ])
    expect(consumed).toEqual(unavailable('unavailable'))
    expect(checked).toMatchObject({ allowed: true, reason: 'unavailable_allowed', source: 'none', degraded: true })
  }, 15_000)

  test('says nothing of where it is', async () => {
    const { namespace, account } = await funded()
    await breakPostgres({ dropBefore: {} })
    const { text } = await consume(namespace, account)
    expect(text).not.toMatch(/127\.0\.0\.1|postgres:|mec_worker|fetch|Neon/i)
  })
})

describe('a lock that somebody else holds', () => {
  test.each([
    ['consume', (namespace: Namespace, account: string) => consume(namespace, account)],
    ['meter', (namespace: Namespace, account: string) => meter(namespace, account)],
    [
      'acquire',
      (namespace: Namespace, account: string) => acquire(namespace, account, 'h', { resource: 'benchmark_runs' }),
    ],
  ])('%s is contended: 503 with Retry-After; a check is not', async (_, command) => {
    const { namespace, account } = await funded()
    const release = await holdLocks(
      'select from resource_state s join accounts a using (account_id) where a.namespace_id = $1 for update of s',
      [namespace.name],
    )
    try {
      const reply = command(namespace, account)
      expect(await errorOf(reply)).toEqual(unavailable('contended'))
      expect((await reply).headers.get('Retry-After')).toMatch(/^\d+$/)
      expect(await check(namespace, account)).toMatchObject({ allowed: true })
    } finally {
      await release()
    }
    await bodyOf(201, consume(namespace, account))
  })
})

test('a fault inside is a 500 that says nothing of what is inside', async () => {
  const namespace = await mintNamespace()
  await sql('alter function api_unit_list(jsonb, jsonb) rename to api_unit_list_away')
  try {
    const { status, body, headers, text } = await namespace.call('GET', '/v1/units')
    expect(status).toBe(500)
    expect(body).toEqual({
      error: {
        type: 'internal',
        code: 'internal',
        message: expect.any(String),
        param: null,
        request_id: headers.get('X-Request-Id'),
      },
    })
    expect(text).not.toMatch(/api_unit|function|jsonb|select|42883/i)
  } finally {
    await sql('alter function api_unit_list_away(jsonb, jsonb) rename to api_unit_list')
  }
  await bodyOf(200, namespace.call('GET', '/v1/units'))
})

test('a key is not taken for one of ours when nobody can tell', async () => {
  const { namespace, account } = await funded()
  await breakPostgres({ dropBefore: {} })
  const body = { account_id: account, resource: 'benchmark_runs', max_staleness_ms: 0, on_error: 'allow' }
  expect(await errorOf(call('POST', '/v1/check', body, { bearer: namespace.key }))).toEqual(unavailable('unavailable'))
})
