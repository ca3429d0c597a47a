import { describe, expect, test } from 'vitest'
import { call, devKey, mintNamespace, mintToken, type Namespace, sql } from '../support/edge.ts'
import { bodyOf, check, errorOf, grant, INSTANT, invalid, key, setClock, UUID } from '../support/edge-commands.ts'
import { at, type JsonObject, listAt, textAt } from '../support/json-path.ts'

const ask = (bearer: string) =>
  call('POST', '/v1/check', { account_id: 'a', resource: 'benchmark_runs', max_staleness_ms: 0 }, { bearer })
const UNAUTHENTICATED = { status: 401, type: 'authentication', code: 'unauthenticated', param: null }
const MISSING = { status: 403, type: 'permission', code: 'missing_scope', param: null }

describe('a new key', () => {
  test('is a 201 with its secret, once', async () => {
    const namespace = await mintNamespace()
    const body = { name: 'check out', scopes: ['check', 'meter'], expires_at: '2099-01-01T00:00:00Z' }
    const created = await bodyOf(201, namespace.call('POST', '/v1/keys', body))
    expect(created).toEqual({
      ...body,
      key_id: UUID,
      prefix: expect.stringMatching(new RegExp(`^mec_sk_${namespace.name}_[A-Za-z0-9]{4}$`)),
      created_at: INSTANT,
      last_used_at: null,
      revoked_at: null,
      secret: expect.stringMatching(new RegExp(`^mec_sk_${namespace.name}_[A-Za-z0-9]{32}_[0-9a-f]{16}$`)),
    })
    const { secret, ...shown } = created
    expect(textAt(created, 'secret').startsWith(textAt(created, 'prefix'))).toBe(true)
    const listed = await namespace.call('GET', '/v1/keys')
    expect(listAt(listed.body, 'data')).toContainEqual(shown)
    expect(listed.text).not.toContain(secret)
    const stored = await sql('select * from api_keys where namespace_id = $1', [namespace.name])
    expect(JSON.stringify(stored)).not.toContain(secret)
  })

  test('works, for its scopes, in its namespace', async () => {
    const [namespace, other] = [await mintNamespace(), await mintNamespace()]
    await grant(namespace, 'a')
    const created = await bodyOf(201, namespace.call('POST', '/v1/keys', { name: 'k', scopes: ['check'] }))
    const secret = textAt(created, 'secret')
    expect(await bodyOf(200, ask(secret))).toMatchObject({ allowed: true })
    expect(await check(other, 'a')).toMatchObject({ allowed: false })
    expect(await errorOf(call('GET', '/v1/ledger', undefined, { bearer: secret }))).toEqual(MISSING)
    const used = listAt(await bodyOf(200, namespace.call('GET', '/v1/keys')), 'data').find(
      (each) => at(each, 'key_id') === created['key_id'],
    )
    expect(used).toMatchObject({ last_used_at: INSTANT })
  })

  test.each([
    ['no name', { name: undefined }, 'name'],
    ['no scopes', { scopes: undefined }, 'scopes'],
    ['an empty list of scopes', { scopes: [] }, 'scopes'],
    ['another scope', { scopes: ['check', 'write'] }, 'scopes.1'],
    ['a scope twice', { scopes: ['check', 'check'] }, 'scopes'],
    ['an end in the past', { expires_at: '2020-01-01T00:00:00Z' }, 'expires_at'],
    ['a bad end', { expires_at: 'never' }, 'expires_at'],
    ['an unknown field', { secret: 'x' }, 'secret'],
  ])('is refused with %s', async (_, fields, param) => {
    const namespace = await mintNamespace()
    expect(await errorOf(namespace.call('POST', '/v1/keys', { name: 'k', scopes: ['check'], ...fields }))).toEqual(
      invalid(param),
    )
  })
})

test('an expired key is refused, whatever the clock of its namespace says', async () => {
  const namespace = await mintNamespace()
  const created = await bodyOf(
    201,
    namespace.call('POST', '/v1/keys', { name: 'k', scopes: ['check'], expires_at: '2090-01-01T00:00:00Z' }),
  )
  const secret = textAt(created, 'secret')
  await setClock(namespace, '2095-01-01T00:00:00Z')
  await bodyOf(200, ask(secret))
  await sql(`update api_keys set expires_at = now() where key_id = $1`, [created['key_id'] ?? null])
  expect(await errorOf(ask(secret))).toEqual(UNAUTHENTICATED)
})

test('a revoked key is refused; revoking again is the same', async () => {
  const namespace = await mintNamespace()
  const { secret, ...created } = await bodyOf(201, namespace.call('POST', '/v1/keys', { name: 'k', scopes: ['check'] }))
  await bodyOf(200, ask(String(secret)))
  const path = `/v1/keys/${textAt(created, 'key_id')}`
  const revoked = await bodyOf(200, namespace.call('DELETE', path))
  expect(revoked).toEqual({ ...created, last_used_at: INSTANT, revoked_at: INSTANT })
  expect(await errorOf(ask(String(secret)))).toEqual(UNAUTHENTICATED)
  expect(await bodyOf(200, namespace.call('DELETE', path))).toEqual(revoked)
  expect(await bodyOf(200, namespace.call('GET', path))).toEqual(revoked)
})

describe('a rotated key', () => {
  const made = async (namespace: Namespace, fields: JsonObject = {}) => {
    const body = { name: 'check out', scopes: ['check', 'read'], ...fields }
    const { secret, ...shown } = await bodyOf(201, namespace.call('POST', '/v1/keys', body))
    return { secret: String(secret), shown, path: `/v1/keys/${textAt(shown, 'key_id')}` }
  }

  test('is a 201 with its successor and that one’s secret, once; both work until the overlap is over', async () => {
    const namespace = await mintNamespace()
    const { secret, shown, path } = await made(namespace, { expires_at: '2099-01-01T00:00:00Z' })
    const rotated = await bodyOf(201, namespace.call('POST', `${path}/rotate`, { overlap_seconds: 3600 }))
    expect(rotated).toEqual({
      ...shown,
      key_id: UUID,
      prefix: expect.stringMatching(new RegExp(`^mec_sk_${namespace.name}_[A-Za-z0-9]{4}$`)),
      created_at: INSTANT,
      secret: expect.stringMatching(new RegExp(`^mec_sk_${namespace.name}_[A-Za-z0-9]{32}_[0-9a-f]{16}$`)),
    })
    expect(rotated['key_id']).not.toBe(shown['key_id'])
    expect(rotated['secret']).not.toBe(secret)
    await bodyOf(200, ask(secret))
    await bodyOf(200, ask(textAt(rotated, 'secret')))
    const listed = await namespace.call('GET', '/v1/keys')
    expect(listed.text).not.toContain(rotated['secret'])
    const old = listAt(listed.body, 'data').find((each) => at(each, 'key_id') === shown['key_id'])
    expect(Date.parse(textAt(old ?? null, 'expires_at')) - Date.now()).toBeLessThanOrEqual(3_600_000)
    expect(Date.parse(textAt(old ?? null, 'expires_at')) - Date.now()).toBeGreaterThan(3_500_000)
  })

  test('has a day unless told otherwise, in real time', async () => {
    const namespace = await mintNamespace()
    await setClock(namespace, '2095-01-01T00:00:00Z')
    const { secret, shown, path } = await made(namespace)
    expect(await bodyOf(201, namespace.call('POST', `${path}/rotate`))).toMatchObject({ expires_at: null })
    await bodyOf(200, ask(secret))
    const old = listAt(await bodyOf(200, namespace.call('GET', '/v1/keys')), 'data').find(
      (each) => at(each, 'key_id') === shown['key_id'],
    )
    expect(Math.abs(Date.parse(textAt(old ?? null, 'expires_at')) - Date.now() - 86_400_000)).toBeLessThan(60_000)
  })

  test('without an overlap works no more', async () => {
    const namespace = await mintNamespace()
    const { secret, path } = await made(namespace)
    const cached = () => call('POST', '/v1/check', { account_id: 'a', resource: 'benchmark_runs' }, { bearer: secret })
    await bodyOf(200, cached())
    const rotated = await bodyOf(201, namespace.call('POST', `${path}/rotate`, { overlap_seconds: 0 }))
    expect(await errorOf(cached())).toEqual(UNAUTHENTICATED)
    expect(await errorOf(ask(secret))).toEqual(UNAUTHENTICATED)
    await bodyOf(200, ask(textAt(rotated, 'secret')))
  })

  test('may be the one that asks', async () => {
    const namespace = await mintNamespace()
    const { secret, path } = await made(namespace, { scopes: ['admin'] })
    const rotated = await bodyOf(201, call('POST', `${path}/rotate`, {}, { bearer: secret }))
    await bodyOf(200, call('GET', '/v1/keys', undefined, { bearer: textAt(rotated, 'secret') }))
  })

  test('is not rotated again: 409; nor is a revoked or an expired one: 410', async () => {
    const namespace = await mintNamespace()
    const { shown, path } = await made(namespace)
    const again = () => errorOf(namespace.call('POST', `${path}/rotate`, {}))
    await bodyOf(201, namespace.call('POST', `${path}/rotate`, {}))
    expect(await again()).toEqual({ status: 409, type: 'conflict', code: 'key_rotated', param: null })
    await sql('update api_keys set expires_at = now() where key_id = $1', [shown['key_id'] ?? null])
    expect(await again()).toEqual({ status: 410, type: 'gone', code: 'key_expired', param: null })
    await bodyOf(200, namespace.call('DELETE', path))
    expect(await again()).toEqual({ status: 410, type: 'gone', code: 'key_revoked', param: null })
  })

  test.each([
    [{ overlap_seconds: -1 }, 'overlap_seconds'],
    [{ overlap_seconds: 2_592_001 }, 'overlap_seconds'],
    [{ overlap_seconds: 0.5 }, 'overlap_seconds'],
    [{ overlap_seconds: null }, 'overlap_seconds'],
    [{ name: 'x' }, 'name'],
  ])('is refused with %j', async (body, param) => {
    const namespace = await mintNamespace()
    const { path } = await made(namespace)
    expect(await errorOf(namespace.call('POST', `${path}/rotate`, body))).toEqual(invalid(param))
  })

  test('is an admin’s: by the key’s scope, and never by a token of one account', async () => {
    const namespace = await mintNamespace()
    const { secret, path } = await made(namespace)
    expect(await errorOf(call('POST', `${path}/rotate`, {}, { bearer: secret }))).toEqual(MISSING)
    const bearer = await mintToken(namespace.name, 'admin', { sub: 'a' })
    expect(await errorOf(call('POST', `${path}/rotate`, {}, { bearer }))).toMatchObject({
      status: 403,
      code: 'account_forbidden',
    })
  })
})

test('a key of another namespace, or of none, is a 404', async () => {
  const [namespace, stranger] = [await mintNamespace(), await mintNamespace()]
  const id = textAt(await bodyOf(201, namespace.call('POST', '/v1/keys', { name: 'k', scopes: ['check'] })), 'key_id')
  for (const target of [id, '00000000-0000-4000-8000-000000000000']) {
    const unknown = { status: 404, type: 'not_found', code: 'not_found', param: 'key_id' }
    expect(await errorOf(stranger.call('GET', `/v1/keys/${target}`))).toEqual(unknown)
    expect(await errorOf(stranger.call('DELETE', `/v1/keys/${target}`))).toEqual(unknown)
    expect(await errorOf(stranger.call('POST', `/v1/keys/${target}/rotate`, {}))).toEqual(unknown)
  }
  expect(await errorOf(stranger.call('DELETE', '/v1/keys/mine'))).toEqual(invalid('key_id'))
  const listed = await stranger.call('GET', '/v1/keys')
  expect(listed.text).not.toContain(id)
})

describe('scopes of keys', () => {
  const READS = [
    '/v1/ledger',
    '/v1/leases',
    '/v1/resources',
    '/v1/units',
    '/v1/plans',
    '/v1/rules',
    '/v1/accounts/a/entitlements',
    '/v1/accounts/a/subscriptions',
  ]
  const lookups = { account_id: 'a', resource: 'benchmark_runs' }
  const requests = [
    ['POST', '/v1/check', lookups, ['check']],
    ['POST', '/v1/consume', { ...lookups, ...key(), quantity: 1 }, ['meter']],
    ['POST', '/v1/meter', { ...lookups, ...key(), quantity: 1 }, ['meter']],
    ['POST', '/v1/meter/batch', { entries: [1] }, ['meter']],
    ['POST', '/v1/leases', { ...lookups, holder: 'h' }, ['lease']],
    ...READS.map((path) => ['GET', path, undefined, path === '/v1/leases' ? ['read', 'lease'] : ['read']] as const),
    ['GET', '/v1/keys', undefined, ['read']],
    ['GET', '/v1/test_clock', undefined, []],
    ['POST', '/v1/maintenance/run', { job: 'all' }, []],
    ['PUT', '/v1/plans/p', { name: 'P' }, []],
    ['POST', '/v1/entitlements', { ...lookups, limit_kind: 'cumulative', quantity: 1 }, []],
    ['POST', '/v1/rules', { resource: 'benchmark_runs', limit_kind: 'cumulative', action: 'warn' }, []],
    ['POST', '/v1/resources', { resource: 'r', unit: 'count', name: 'R' }, []],
    ['POST', '/v1/units', { unit: 'u', dimension: 'd', factor: 1 }, []],
  ] as const

  test.each(['check', 'meter', 'lease', 'read', 'admin'])('%s may do what it is for, and no more', async (scope) => {
    const namespace = await mintNamespace()
    const bearer = textAt(
      await bodyOf(201, namespace.call('POST', '/v1/keys', { name: scope, scopes: [scope] })),
      'secret',
    )
    for (const [method, path, body, scopes] of requests) {
      const { status, text } = await call(method, path, body, { bearer })
      const mayDo = scope === 'admin' || scopes.some((each) => each === scope)
      expect(status, `${method} ${path} ${text}`).toSatisfy((found: number) =>
        mayDo ? found === 200 || found === 201 : found === 403,
      )
    }
  })
})

test('the development key is an admin of default', async () => {
  expect(await bodyOf(200, ask(devKey))).toMatchObject({ reason: expect.any(String) })
  await bodyOf(200, call('GET', '/v1/keys', undefined, { bearer: devKey }))
})
