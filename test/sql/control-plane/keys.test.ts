import { createHash, randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { advanceClock, at, keyed, listAt, meter, numberAt, setClock, textAt } from '../../support/commands.ts'
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

async function rotateKey(namespace: string, key: Answer, fields: Answer = {}) {
  const hash = hashOf(randomUUID())
  const request = { key_id: key['key_id'] ?? null, hash, prefix: 'mec_sk_y', ...fields }
  return { key: await api('api_key_rotate', request, token(namespace)), credential: { type: 'key', hash } }
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
    expect(await api('api_key_list', {}, credential)).toMatchObject({ data: [{ key_id: key['key_id'] }] })
    expect(await api('api_key_get', { key_id: key['key_id'] ?? null }, credential)).toMatchObject({ name: 'ci' })
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

  it('rotated: the new one has the name, the scopes and the end of the old, which works until the overlap is over', async () => {
    const namespace = await mintNamespace()
    const { key, credential } = await mintKey(namespace, {
      scopes: ['read', 'check'],
      expires_at: '2091-01-01T00:00:00Z',
    })
    await setClock(namespace, '2090-06-01T00:00:00Z')
    const start = Date.now()
    const { key: next, credential: nextCredential } = await rotateKey(namespace, key, { overlap_seconds: 3600 })
    expect(next).toEqual({ ...key, key_id: expect.any(String), created_at: expect.any(String), prefix: 'mec_sk_y' })
    expect(next['key_id']).not.toBe(key['key_id'])
    for (const each of [credential, nextCredential])
      expect(await api('api_ledger_list', {}, each)).toMatchObject({ data: [] })
    const old = listAt(await api('api_key_list', {}, token(namespace)), 'data').find(
      (each) => at(each, 'key_id') === key['key_id'],
    )
    const end = Date.parse(textAt(old ?? null, 'expires_at'))
    expect(end).toBeGreaterThanOrEqual(start + 3_600_000)
    expect(end).toBeLessThan(start + 3_660_000)
    // As if the overlap were over.
    await sql('update api_keys set expires_at = now() where key_id = $1', [key['key_id']])
    expect(await errorOf(api('api_ledger_list', {}, credential))).toMatchObject({ status: 401 })
    expect(await api('api_ledger_list', {}, nextCredential)).toMatchObject({ data: [] })
  })

  it.each([
    [{}, 86_400],
    [{ overlap_seconds: 2_592_000 }, 2_592_000],
    [{ overlap_seconds: 0 }, 0],
  ])('rotated with %j, the old one has %i seconds', async (fields, seconds) => {
    const namespace = await mintNamespace()
    const { key, credential } = await mintKey(namespace)
    const start = Date.now()
    expect(await rotateKey(namespace, key, fields)).toMatchObject({ key: { expires_at: null } })
    const [row] = await sql<{ expires_at: Date }>('select expires_at from api_keys where key_id = $1', [key['key_id']])
    expect(Math.abs((row?.expires_at.getTime() ?? 0) - start - seconds * 1000)).toBeLessThan(10_000)
    if (seconds === 0) expect(await errorOf(api('api_ledger_list', {}, credential))).toMatchObject({ status: 401 })
  })

  it('rotated, the old one never gets more time than it had', async () => {
    const namespace = await mintNamespace()
    const expires_at = new Date(Date.now() + 60_000).toISOString()
    const { key } = await mintKey(namespace, { expires_at })
    expect(await rotateKey(namespace, key)).toMatchObject({ key: { expires_at } })
    expect(
      await sql('select expires_at = $2::timestamptz as same from api_keys where key_id = $1', [
        key['key_id'],
        expires_at,
      ]),
    ).toEqual([{ same: true }])
  })

  it('that are revoked, expired, rotated before, or of another namespace are not rotated', async () => {
    const namespace = await mintNamespace()
    const { key } = await mintKey(namespace)
    const attempt = () => errorOf(rotateKey(namespace, key))
    expect(await errorOf(rotateKey(await mintNamespace(), key))).toMatchObject({ status: 404, param: 'key_id' })
    expect(await errorOf(rotateKey(namespace, { key_id: randomUUID() }))).toMatchObject({ status: 404 })
    await rotateKey(namespace, key)
    expect(await attempt()).toMatchObject({ status: 409, code: 'key_rotated' })
    await sql('update api_keys set expires_at = now() where key_id = $1', [key['key_id']])
    expect(await attempt()).toMatchObject({ status: 410, code: 'key_expired' })
    await api('api_key_revoke', { key_id: key['key_id'] ?? null }, token(namespace))
    expect(await attempt()).toMatchObject({ status: 410, code: 'key_revoked' })
  })

  it('rotated by many at once have one successor', async () => {
    const namespace = await mintNamespace()
    const { key } = await mintKey(namespace)
    const done = await Promise.allSettled(Array.from({ length: 8 }, () => rotateKey(namespace, key)))
    expect(done.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(listAt(await api('api_key_list', {}, token(namespace)), 'data')).toHaveLength(2)
  })

  it('are rotated for the namespace of the caller only', async () => {
    const namespace = await mintNamespace()
    const { key } = await mintKey(namespace)
    expect(await errorOf(rotateKey(namespace, key, { namespace: 'default' }))).toMatchObject({ status: 401 })
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

it('a rule asked for again with its defaults spelt out is the same request', async () => {
  const rule = {
    ...keyed(),
    resource: 'gpu_hours',
    limit_kind: 'cumulative',
    action: 'warn',
    account_id: mintAccount(),
  }
  const first = await api('api_rule_create', rule)
  const again = await api('api_rule_create', { ...rule, plan_id: null, overage_cap: null, on_error: 'deny' })
  expect(again).toEqual({ ...first, duplicate: true })
  const other = { ...rule, on_error: 'allow' }
  expect(await errorOf(api('api_rule_create', other))).toMatchObject({ code: 'idempotency_conflict' })
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
  expect(await api('api_rule_get', id, token(namespace))).toEqual(patched)
  expect(await api('api_rule_delete', id, token(namespace))).toEqual(patched)
  for (const name of ['api_rule_get', 'api_rule_patch', 'api_rule_delete']) {
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
