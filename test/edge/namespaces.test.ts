import { describe, expect, test } from 'vitest'
import { call, devKey, mintNamespace, mintToken } from '../support/edge.ts'
import { bodyOf, check, errorOf, INSTANT, invalid, UUID } from '../support/edge-commands.ts'
import { listAt, textAt } from '../support/json-path.ts'

const fresh = () => `n-${crypto.randomUUID().slice(0, 18)}`
const create = (body: unknown, bearer = devKey) => call('POST', '/v1/namespaces', body, { bearer })

describe('a new namespace', () => {
  test('is a 201 with its first admin key, which works and stays inside', async () => {
    const namespace = fresh()
    const body = { namespace, is_sandbox: true, raw_uuids: true, late_arrival_grace_seconds: 60 }
    const created = await bodyOf(201, create(body))
    expect(created).toEqual({
      namespace: { ...body, created_at: INSTANT },
      key: {
        key_id: UUID,
        name: expect.any(String),
        prefix: expect.stringMatching(new RegExp(`^mec_sk_${namespace}_`)),
        scopes: ['admin'],
        expires_at: null,
        created_at: INSTANT,
        last_used_at: null,
        revoked_at: null,
        secret: expect.stringMatching(new RegExp(`^mec_sk_${namespace}_[A-Za-z0-9]{32}_[0-9a-f]{16}$`)),
      },
    })
    const bearer = textAt(created, 'key.secret')
    const account_id = 'only here'
    await bodyOf(
      201,
      call(
        'POST',
        '/v1/entitlements',
        { account_id, resource: 'ai_models', limit_kind: 'cumulative', quantity: 1 },
        { bearer },
      ),
    )
    const question = { account_id, resource: 'ai_models', max_staleness_ms: 0 }
    expect(await bodyOf(200, call('POST', '/v1/check', question, { bearer }))).toMatchObject({ allowed: true })
    expect(await check(await mintNamespace(), account_id, { resource: 'ai_models' })).toMatchObject({ allowed: false })
    expect(await bodyOf(200, call('POST', '/v1/check', question, { bearer: devKey }))).toMatchObject({ allowed: false })
    expect(await errorOf(create({ namespace: fresh() }, bearer))).toEqual({
      status: 403,
      type: 'permission',
      code: 'operator_only',
      param: null,
    })
    expect(await errorOf(call('GET', '/v1/namespaces', undefined, { bearer }))).toMatchObject({
      status: 403,
      code: 'operator_only',
    })
  })

  test('has defaults', async () => {
    expect(await bodyOf(201, create({ namespace: fresh() }))).toMatchObject({
      namespace: { is_sandbox: false, raw_uuids: false, late_arrival_grace_seconds: 3600 },
    })
  })

  test('of a name that is taken is a conflict', async () => {
    const { name } = await mintNamespace()
    expect(await errorOf(create({ namespace: name }))).toEqual({
      status: 409,
      type: 'conflict',
      code: 'already_exists',
      param: 'namespace',
    })
  })

  test.each([
    ['no name', {}, 'namespace'],
    ['upper case', { namespace: 'Acme' }, 'namespace'],
    ['an underscore', { namespace: 'a_b' }, 'namespace'],
    ['a hyphen first', { namespace: '-a' }, 'namespace'],
    ['a name too long', { namespace: 'n'.repeat(64) }, 'namespace'],
    ['a negative grace', { namespace: 'n', late_arrival_grace_seconds: -1 }, 'late_arrival_grace_seconds'],
    ['more than a year', { namespace: 'n', late_arrival_grace_seconds: 31_536_001 }, 'late_arrival_grace_seconds'],
    ['a bad flag', { namespace: 'n', is_sandbox: 1 }, 'is_sandbox'],
    ['an unknown field', { namespace: 'n', name: 'N' }, 'name'],
  ])('is refused with %s', async (_, body, param) => {
    expect(await errorOf(create(body))).toEqual(invalid(param))
  })
})

test('the list is for the operator', async () => {
  const { name } = await mintNamespace()
  const found: unknown[] = []
  for (let cursor = ''; ; ) {
    const page = await bodyOf(200, call('GET', `/v1/namespaces?limit=100${cursor}`, undefined, { bearer: devKey }))
    found.push(...listAt(page, 'data'))
    if (page['has_more'] !== true) break
    cursor = `&cursor=${encodeURIComponent(textAt(page, 'next_cursor'))}`
  }
  expect(found).toContainEqual({
    namespace: name,
    is_sandbox: true,
    raw_uuids: false,
    late_arrival_grace_seconds: 3600,
    created_at: INSTANT,
  })
  expect(found).toContainEqual(expect.objectContaining({ namespace: 'default' }))
})

test('a token of another namespace, or without admin, is not the operator', async () => {
  const { name } = await mintNamespace()
  expect(await errorOf(create({ namespace: fresh() }, await mintToken(name)))).toMatchObject({ code: 'operator_only' })
  expect(await errorOf(create({ namespace: fresh() }, await mintToken('default', 'read meter')))).toMatchObject({
    code: 'missing_scope',
  })
})
