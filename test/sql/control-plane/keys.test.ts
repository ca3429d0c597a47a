import { createHash, randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { advanceClock, at, listAt, meter, numberAt, setClock, textAt } from '../../support/commands.ts'
import { type Answer, api, errorOf, mintAccount, mintNamespace, sql, token } from '../../support/sql.ts'

const hashOf = (secret: string) => createHash('sha256').update(secret).digest('hex')

async function mintKey(namespace: string, fields: Answer = {}): Promise<{ key: Answer; credential: Answer }> {
  const hash = hashOf(randomUUID())
  const key = await api(
    'api_key_create',
    { name: 'k', scopes: ['read'], hash, prefix: 'mec_sk_x', ...fields },
    token(namespace),
  )
  return { key, credential: { type: 'key', hash } }
}

describe('keys', () => {
  it('are shown without secret or hash, and work at once', async () => {
    const namespace = await mintNamespace()
    const { key, credential } = await mintKey(namespace, {
      name: 'ci',
      scopes: ['read', 'check', 'read'],
      expires_at: '2091-01-01T00:00:00Z',
    })
    expect(key).toEqual({
      key_id: expect.any(String),
      name: 'ci',
      prefix: 'mec_sk_x',
      scopes: ['check', 'read'],
      expires_at: '2091-01-01T00:00:00Z',
      created_at: expect.any(String),
      last_used_at: null,
      revoked_at: null,
    })
    expect(await api('api_ledger_list', {}, credential)).toMatchObject({ data: [] })
    expect(await api('api_key_list', {}, token(namespace))).toMatchObject({
      data: [{ key_id: key['key_id'], last_used_at: expect.any(String) }],
    })
    expect(await errorOf(api('api_key_list', {}, credential))).toMatchObject({ status: 403, code: 'missing_scope' })
  })

  it('revoked, they work no more; again changes nothing', async () => {
    const namespace = await mintNamespace()
    const { key, credential } = await mintKey(namespace)
    const id = { key_id: key['key_id'] ?? null }
    const revoked = await api('api_key_revoke', id, token(namespace))
    expect(revoked).toMatchObject({ revoked_at: expect.any(String) })
    expect(await api('api_key_revoke', id, token(namespace))).toEqual(revoked)
    expect(await errorOf(api('api_ledger_list', {}, credential))).toMatchObject({
      status: 401,
      code: 'unauthenticated',
    })
    expect(await errorOf(api('api_key_revoke', { key_id: randomUUID() }, token(namespace)))).toMatchObject({
      status: 404,
      param: 'key_id',
    })
  })

  it('live and end in real time, whatever the test clock says', async () => {
    const namespace = await mintNamespace()
    const { credential } = await mintKey(namespace, { expires_at: new Date(Date.now() + 3_600_000).toISOString() })
    await setClock(namespace, '2090-01-01T00:00:00Z')
    expect(await api('api_ledger_list', {}, credential)).toMatchObject({ data: [] })
    await sql(`update api_keys set expires_at = now() where key_hash = decode($1, 'hex')`, [credential['hash']])
    expect(await errorOf(api('api_ledger_list', {}, credential))).toMatchObject({ status: 401 })
    const past = mintKey(namespace, { expires_at: '2001-01-01T00:00:00Z' })
    expect(await errorOf(past)).toMatchObject({ status: 400, param: 'expires_at' })
  })

  it('are made for the namespace of the caller only', async () => {
    const namespace = await mintNamespace()
    expect(await errorOf(mintKey(namespace, { namespace: 'default' }))).toMatchObject({ status: 401 })
    expect(await mintKey(namespace, { namespace })).toMatchObject({ key: { name: 'k' } })
  })

  it('a look-up that finds the key locked does not wait', async () => {
    const namespace = await mintNamespace()
    const { credential } = await mintKey(namespace, { scopes: ['meter'] })
    await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        api(
          'api_meter',
          { idempotency_key: `${n}`, account_id: mintAccount(), resource: 'benchmark_runs', quantity: 1 },
          credential,
        ),
      ),
    )
    expect(listAt(await api('api_ledger_list', {}, token(namespace)), 'data')).toHaveLength(8)
  })
})

describe('namespaces', () => {
  const create = (fields: Answer, credential = token('default')) =>
    api('api_namespace_create', { key_hash: hashOf(randomUUID()), key_prefix: 'mec_sk_n', ...fields }, credential)

  it('are made with their first admin key, by the admins of default', async () => {
    const namespace = `t-${randomUUID().slice(0, 12)}`
    const key_hash = hashOf(randomUUID())
    const answer = await create({ namespace, is_sandbox: true, late_arrival_grace_seconds: 60, key_hash })
    expect(answer).toEqual({
      namespace: {
        namespace,
        is_sandbox: true,
        raw_uuids: false,
        late_arrival_grace_seconds: 60,
        created_at: expect.any(String),
      },
      key: expect.objectContaining({ name: 'admin', scopes: ['admin'], prefix: 'mec_sk_n' }),
    })
    expect(await api('api_test_clock_get', {}, { type: 'key', hash: key_hash })).toMatchObject({ frozen: false })
    expect(await errorOf(create({ namespace }))).toMatchObject({
      status: 409,
      code: 'already_exists',
      param: 'namespace',
    })
    expect(await sql('select account_seed from namespaces group by 1 having count(*) > 1')).toEqual([])
  })

  it.each(['api_namespace_create', 'api_namespace_list'])('%s is for the operator only', async (name) => {
    const request = { namespace: `t-${randomUUID().slice(0, 12)}`, key_hash: hashOf('x'), key_prefix: 'p' }
    expect(await errorOf(api(name, request, token(await mintNamespace())))).toMatchObject({
      status: 403,
      code: 'operator_only',
    })
    expect(await errorOf(api(name, request, token('default', ['read'])))).toMatchObject({
      status: 403,
      code: 'missing_scope',
    })
    expect(await errorOf(api(name, request, token('default', ['admin'], 'me')))).toMatchObject({
      status: 403,
      code: 'account_forbidden',
    })
  })
})

describe('test clock', () => {
  it('moves forward, runs on, and returns', async () => {
    const namespace = await mintNamespace()
    const target = '2031-01-31T00:00:00.500Z'
    expect(await setClock(namespace, target)).toEqual({ now: target, frozen: false })
    const first = Date.parse(textAt(await api('api_test_clock_get', {}, token(namespace)), 'now'))
    expect(first).toBeGreaterThanOrEqual(Date.parse(target))
    expect(first).toBeLessThan(Date.parse(target) + 10_000)
    const advanced = Date.parse(textAt(await advanceClock(namespace, 3600), 'now'))
    expect(advanced - first).toBeGreaterThanOrEqual(3_600_000)
    expect(
      Math.abs(Date.parse(textAt(await meter(mintAccount(), {}, namespace), 'entry.recorded_at')) - advanced),
    ).toBeLessThan(10_000)
    const cleared = await api('api_test_clock_clear', {}, token(namespace))
    expect(Math.abs(Date.parse(textAt(cleared, 'now')) - Date.now())).toBeLessThan(10_000)
  })

  it('never moves back, nor too far', async () => {
    const namespace = await mintNamespace()
    await setClock(namespace, '2031-01-31T00:00:00Z')
    expect(await errorOf(setClock(namespace, '2031-01-30T23:59:59Z'))).toMatchObject({
      status: 400,
      code: 'invalid_parameter',
      param: 'now',
    })
    expect(await errorOf(advanceClock(namespace, -1))).toMatchObject({ status: 400, param: 'advance_seconds' })
    expect(await errorOf(setClock(namespace, '2999-01-01T00:00:00Z'))).toMatchObject({ status: 400, param: 'now' })
  })

  it.each(['api_test_clock_set', 'api_test_clock_get', 'api_test_clock_clear'])(
    '%s in a namespace that is no sandbox: 403',
    async (name) => {
      const namespace = await mintNamespace({ sandbox: false })
      expect(await errorOf(api(name, { advance_seconds: 1 }, token(namespace)))).toMatchObject({
        status: 403,
        code: 'not_sandbox',
      })
    },
  )

  it('moves one namespace only', async () => {
    const namespace = await mintNamespace()
    const other = await mintNamespace()
    await setClock(namespace, '2031-01-31T00:00:00Z')
    expect(
      Math.abs(Date.parse(textAt(await api('api_test_clock_get', {}, token(other)), 'now')) - Date.now()),
    ).toBeLessThan(10_000)
  })
})

describe('look-ups', () => {
  it.each([
    ['api_resource_create', { resource: 'calls', unit: 'count', name: 'Calls' }, { unit: 'hours' }, 'resource'],
    ['api_unit_create', { unit: 'dozen', dimension: 'count', factor: 12 }, { factor: 13 }, 'unit'],
    ['api_unit_create', { unit: 'gross', dimension: 'count', factor: 144 }, { dimension: 'time' }, 'unit'],
  ])('%s: %j again is no error, with %j it is', async (name, request, change, param) => {
    const namespace = await mintNamespace()
    const first = await api(name, request, token(namespace))
    expect(first).toEqual(request)
    expect(await api(name, request, token(namespace))).toEqual(first)
    expect(await errorOf(api(name, { ...request, ...change }, token(namespace)))).toMatchObject({
      status: 409,
      code: 'already_exists',
      param,
    })
  })

  it('what all namespaces know is known, and cannot be made differently', async () => {
    const namespace = await mintNamespace()
    expect(await api('api_resource_create', { resource: 'gpu_hours', unit: 'hours' }, token(namespace))).toEqual({
      resource: 'gpu_hours',
      unit: 'hours',
      name: 'GPU hours',
    })
    expect(
      await errorOf(api('api_resource_create', { resource: 'gpu_hours', unit: 'count' }, token(namespace))),
    ).toMatchObject({ code: 'already_exists' })
    expect(
      await errorOf(api('api_unit_create', { unit: 'hours', dimension: 'time', factor: 1 }, token(namespace))),
    ).toMatchObject({ code: 'already_exists' })
    expect(
      await errorOf(api('api_resource_create', { resource: 'calls', unit: 'no_such' }, token(namespace))),
    ).toMatchObject({ status: 400, param: 'unit' })
  })
})

it('api_ready needs no credential', async () => {
  expect(await sql('select api_ready() as answer')).toEqual([{ answer: { ready: true } }])
})

it('the rule functions give the rule, and 404 for one that is gone', async () => {
  const namespace = await mintNamespace()
  const account = mintAccount()
  const rule: Answer = {
    resource: 'benchmark_runs',
    limit_kind: 'cumulative',
    account_id: account,
    plan_id: null,
    action: 'overage',
    warn_at_percent: 80,
    overage_multiplier: 1.5,
    overage_cap: 10,
    grace_percent: null,
    grace_seconds: null,
    on_error: 'allow',
  }
  const { duplicate, ...made } = await api('api_rule_create', rule, token(namespace))
  expect(duplicate).toBe(false)
  expect(made).toEqual({ ...rule, rule_id: expect.any(String), created_at: expect.any(String) })
  const id = { rule_id: made['rule_id'] ?? null }
  const patched = await api(
    'api_rule_patch',
    { ...id, action: 'grace', warn_at_percent: null, grace_seconds: 60 },
    token(namespace),
  )
  expect(patched).toEqual({ ...made, action: 'grace', warn_at_percent: null, grace_seconds: 60 })
  expect(await api('api_rule_list', { account_id: account }, token(namespace))).toMatchObject({ data: [patched] })
  expect(await api('api_rule_list', { resource: 'gpu_hours' }, token(namespace))).toMatchObject({ data: [] })
  expect(await api('api_rule_delete', id, token(namespace))).toEqual(patched)
  for (const name of ['api_rule_patch', 'api_rule_delete']) {
    expect(await errorOf(api(name, id, token(namespace)))).toMatchObject({
      status: 404,
      code: 'not_found',
      param: 'rule_id',
    })
  }
  const errors: [Answer, string, string][] = [
    [{ resource: 'nothing_such' }, 'unknown_resource', 'resource'],
    [{ limit_kind: 'other' }, 'invalid_parameter', 'limit_kind'],
    [{ action: 'other' }, 'invalid_parameter', 'action'],
    [{ plan_id: 'no-such-plan' }, 'not_found', 'plan_id'],
  ]
  for (const [change, code, param] of errors) {
    expect(await errorOf(api('api_rule_create', { ...rule, ...change }, token(namespace)))).toMatchObject({
      code,
      param,
    })
  }
  expect(
    await errorOf(
      api(
        'api_rule_patch',
        { rule_id: at(await api('api_rule_create', rule, token(namespace)), 'rule_id'), action: 'other' },
        token(namespace),
      ),
    ),
  ).toMatchObject({
    status: 400,
    param: 'action',
  })
  expect(numberAt(made, 'overage_cap')).toBe(10)
})
