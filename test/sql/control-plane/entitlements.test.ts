import { describe, expect, it } from 'vitest'
import {
  accountId,
  advanceClock,
  at,
  check,
  consume,
  grant,
  listAt,
  ruleFor,
  setClock,
  textAt,
} from '../../support/commands.ts'
import { type Answer, api, errorOf, mintAccount, mintNamespace, sql, sqlValue, token } from '../../support/sql.ts'

const patch = (entitlement: Answer, fields: Answer, namespace = 'default') =>
  api('api_entitlement_patch', { entitlement_id: at(entitlement, 'entitlement_id'), ...fields }, token(namespace))
const revoke = (entitlement: Answer, namespace = 'default', fields: Answer = {}) =>
  api('api_entitlement_revoke', { entitlement_id: at(entitlement, 'entitlement_id'), ...fields }, token(namespace))
const list = async (account: string, namespace = 'default') =>
  (await api('api_entitlement_list', { account_id: account }, token(namespace)))['data'] as Answer[]

describe('grant', () => {
  it('gives the entitlement, defaults filled in', async () => {
    const account = mintAccount()
    expect(await grant(account, { quantity: 5, metadata: { why: 'promo' } })).toEqual({
      entitlement_id: expect.any(String),
      account_id: account,
      resource: 'benchmark_runs',
      scope: null,
      limit_kind: 'cumulative',
      quantity: 5,
      unit: 'count',
      window: 'none',
      priority: 100,
      rollover_max_quantity: null,
      rollover_percent: null,
      effective_start: expect.any(String),
      effective_end: null,
      status: 'active',
      source: { type: 'manual', plan_id: null, plan_version: null, subscription_id: null },
      metadata: { why: 'promo' },
      created_at: expect.any(String),
      duplicate: false,
    })
  })

  it('is in force from the moment it is made', async () => {
    const account = mintAccount()
    const entitlement = await grant(account)
    expect(await check(account, { at: textAt(entitlement, 'effective_start') })).toMatchObject({ allowed: true })
  })

  it.each([
    ['concurrency', 'calendar_month', null],
    ['inventory', 'calendar_month', null],
    ['time_access', 'rolling_30d', null],
    ['cumulative', 'rolling_30d', 'rolling_30d'],
  ])('%s with the window %s has the window %s', async (limitKind, window, shown) => {
    expect(await grant(mintAccount(), { limit_kind: limitKind, window })).toMatchObject({ window: shown })
  })

  it.each([
    [{ resource: 'nothing_such' }, 'unknown_resource', 'resource'],
    [{ limit_kind: 'other' }, 'invalid_parameter', 'limit_kind'],
    [{ window: 'fortnight' }, 'invalid_parameter', 'window'],
    [{ unit: 'hours' }, 'unit_mismatch', 'unit'],
    [
      { effective_start: '2031-01-01T00:00:00Z', effective_end: '2031-01-01T00:00:00Z' },
      'invalid_parameter',
      'effective_end',
    ],
    [{ effective_end: '2001-01-01T00:00:00Z' }, 'invalid_parameter', 'effective_end'],
    [{ rollover_percent: 50 }, 'invalid_parameter', 'rollover_percent'],
    [{ window: 'rolling_30d', rollover_max_quantity: 5 }, 'invalid_parameter', 'rollover_max_quantity'],
    [{ limit_kind: 'inventory', rollover_percent: 50 }, 'invalid_parameter', 'rollover_percent'],
  ])('refuses %j', async (fields, code, param) => {
    const account = mintAccount()
    expect(await errorOf(grant(account, fields))).toMatchObject({ status: 400, code, param })
    expect(await sql('select 1 from accounts where external_id = $1', [account])).toEqual([])
  })

  it('once per key', async () => {
    const account = mintAccount()
    const request = { idempotency_key: 'k', quantity: 5, window: 'calendar_month' }
    const first = await grant(account, request)
    expect(await grant(account, request)).toEqual({ ...first, duplicate: true })
    for (const change of [
      { quantity: 6 },
      { window: 'none' },
      { scope: 'us' },
      { resource: 'gpu_hours' },
      { priority: 1 },
      { effective_end: '2091-01-01T00:00:00Z' },
      { rollover_percent: 50 },
      { rollover_max_quantity: 50 },
    ]) {
      expect(await errorOf(grant(account, { ...request, ...change }))).toMatchObject({
        status: 409,
        code: 'idempotency_conflict',
      })
    }
    expect(await list(account)).toHaveLength(1)
  })

  it('a retry has the first answer, whatever has become of the entitlement', async () => {
    const account = mintAccount()
    const request = { idempotency_key: 'k', quantity: 10, metadata: { order: 'A-17' } }
    const first = await grant(account, request)
    await patch(first, { quantity: 20, priority: 3, effective_end: '2091-01-01T00:00:00Z' })
    expect(await grant(account, request)).toEqual({ ...first, duplicate: true })
    await revoke(first)
    expect(await grant(account, request)).toEqual({ ...first, duplicate: true })
  })

  it('a retry of what a version of before has kept, the id alone, has the entitlement as it is', async () => {
    const account = mintAccount()
    const request = { idempotency_key: 'k', quantity: 10, metadata: { order: 'A-17' } }
    const first = await grant(account, request)
    await sql(
      `update idempotency_keys set result = jsonb_build_object('entitlement_id', $2::text) where account_id = $1`,
      [await accountId(account), first['entitlement_id']],
    )
    expect(await grant(account, request)).toEqual({ ...first, duplicate: true })
    await patch(first, { quantity: 20 })
    expect(await grant(account, request)).toEqual({ ...first, quantity: 20, duplicate: true })
  })

  it('a default that is said is one that is left out', async () => {
    const account = mintAccount()
    const request = { idempotency_key: 'k', quantity: 5 }
    const first = await grant(account, request)
    const defaults = { scope: null, unit: 'count', window: 'none', priority: 100, effective_end: null }
    for (const [name, value] of Object.entries(defaults)) {
      expect(await grant(account, { ...request, [name]: value })).toEqual({ ...first, duplicate: true })
    }
    const said = await grant(account, { ...request, ...defaults, idempotency_key: 'said' })
    expect(await grant(account, { ...request, idempotency_key: 'said' })).toEqual({ ...said, duplicate: true })
    // What versions of before kept of a request without them.
    const hash = `select request_hash = fn_request_hash('benchmark_runs', null, 'cumulative', '5', null, null, null, null, null, null, null)
      from idempotency_keys where account_id = $1 and idempotency_key = 'k'`
    expect(await sqlValue(hash, [await accountId(account)])).toBe(true)
  })

  it('one key at once on two resources is one grant and one conflict', async () => {
    const accounts = Array.from({ length: 12 }, () => mintAccount())
    await Promise.all(accounts.map((account) => grant(account, { resource: 'gpu_hours' })))
    const resources = ['benchmark_runs', 'concurrent_users']
    const results = await Promise.all(
      accounts.map((account) =>
        Promise.allSettled(resources.map((resource) => grant(account, { resource, idempotency_key: 'k' }))),
      ),
    )
    for (const result of results) {
      expect(result.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
      const [refused] = result.filter(({ status }) => status === 'rejected')
      expect(refused).toMatchObject({ reason: { code: 'ME409' } })
    }
    for (const account of accounts) expect(await list(account)).toHaveLength(2)
  })

  it('from SQL: infinity and NaN are no quantities, a negative one neither', async () => {
    const id = await accountId(mintAccount())
    for (const quantity of ['NaN', 'Infinity', '-Infinity', '-1']) {
      const insert = sql(
        `insert into entitlements (account_id, resource_type_code, limit_kind_code, quantity_allowed) values ($1, 'gpu_hours', 'cumulative', $2)`,
        [id, quantity],
      )
      await expect(insert).rejects.toThrow()
    }
  })
})

describe('patch', () => {
  it('changes what it names and leaves the rest', async () => {
    const account = mintAccount()
    const entitlement = await grant(account, { quantity: 5, effective_end: '2091-01-01T00:00:00Z', priority: 3 })
    expect(await patch(entitlement, { quantity: 7 })).toMatchObject({
      quantity: 7,
      effective_end: '2091-01-01T00:00:00Z',
      priority: 3,
    })
    expect(await patch(entitlement, { effective_end: null })).toMatchObject({ quantity: 7, effective_end: null })
    expect(await patch(entitlement, { quantity: null, priority: 4 })).toMatchObject({
      quantity: null,
      priority: 4,
      effective_end: null,
    })
    expect(await check(account)).toMatchObject({ limit: null })
    expect(await errorOf(patch(entitlement, { effective_end: '2001-01-01T00:00:00Z' }))).toMatchObject({
      status: 400,
      param: 'effective_end',
    })
    expect(
      await errorOf(api('api_entitlement_patch', { entitlement_id: '00000000-0000-4000-8000-000000000000' })),
    ).toMatchObject({ status: 404, param: 'entitlement_id' })
  })

  it('converts the new quantity as it did the first', async () => {
    const account = mintAccount()
    const entitlement = await grant(account, { resource: 'gpu_hours', quantity: 1, unit: 'days' })
    await patch(entitlement, { quantity: 2 })
    expect(await check(account, { resource: 'gpu_hours' })).toMatchObject({ limit: 48 })
  })

  it('what was used stays used', async () => {
    const account = mintAccount()
    const entitlement = await grant(account, { quantity: 5 })
    await consume(account, { quantity: 4 })
    await patch(entitlement, { quantity: 3 })
    expect(await check(account, { quantity: 0 })).toMatchObject({ limit: 3, used: 4, remaining: 0 })
  })
})

describe('revoke', () => {
  it('ends it now; again changes nothing; it frees its key for nothing', async () => {
    const account = mintAccount()
    const entitlement = await grant(account)
    const revoked = await revoke(entitlement)
    expect(revoked).toMatchObject({ status: 'revoked' })
    expect(await revoke(entitlement)).toEqual(revoked)
    expect(await consume(account)).toMatchObject({ allowed: false, reason: 'revoked' })
    expect(await errorOf(revoke({ entitlement_id: '00000000-0000-4000-8000-000000000000' }))).toMatchObject({
      status: 404,
    })
  })

  it('its reason is in the audit trail, that of the first time', async () => {
    const namespace = await mintNamespace()
    const entitlement = await grant(mintAccount(), {}, namespace)
    await revoke(entitlement, namespace, { reason: 'Refunded' })
    await revoke(entitlement, namespace, { reason: 'again' })
    const trail = await api(
      'api_audit_list',
      { object_id: at(entitlement, 'entitlement_id') },
      token(namespace, ['read']),
    )
    expect(listAt(trail, 'data')).toMatchObject([
      { action: 'revoke', before: { revoke_reason: null }, after: { revoke_reason: 'Refunded' } },
      { action: 'create' },
    ])
    const kept = 'select before || after as images from audit_log where object_id = $1'
    expect(JSON.stringify(await sql(kept, [entitlement['entitlement_id']]))).not.toContain('Refunded')
  })
})

describe('list', () => {
  it('everything with its state, in one call', async () => {
    const namespace = await mintNamespace()
    await setClock(namespace, '2031-03-10T00:00:00Z')
    const account = mintAccount()
    const start = { effective_start: '2031-01-01T00:00:00Z' }
    await grant(account, { ...start, window: 'calendar_month', quantity: 5, priority: 1 }, namespace)
    await grant(
      account,
      { ...start, quantity: null, priority: 2, scope: 'us', effective_end: '2040-01-01T00:00:00Z' },
      namespace,
    )
    await grant(account, { effective_start: '2031-04-01T00:00:00Z', quantity: 9, priority: 3 }, namespace)
    await grant(account, { ...start, effective_end: '2031-02-01T00:00:00Z', quantity: 9, priority: 4 }, namespace)
    await grant(account, { ...start, resource: 'concurrent_users', limit_kind: 'concurrency', quantity: 2 }, namespace)
    await grant(account, { ...start, resource: 'gpu_hours', window: 'rolling_30d', quantity: 2 }, namespace)
    await grant(
      account,
      { ...start, resource: 'platform_access', limit_kind: 'time_access', quantity: null },
      namespace,
    )
    await ruleFor(account, { action: 'overage' }, namespace)
    await consume(account, { quantity: 7 }, namespace)
    await consume(account, { quantity: 2, scope: 'us' }, namespace)
    const month = { type: 'calendar_month', start: '2031-03-01T00:00:00Z', end: '2031-04-01T00:00:00Z' }
    const zeros = {
      limit: 0,
      used: 0,
      held: 0,
      remaining: 0,
      overage_quantity: 0,
      rollover_quantity: 0,
      window: null,
      resets_at: null,
    }
    expect((await list(account, namespace)).map((row) => [row['resource'], row['status'], row['state']])).toEqual([
      [
        'benchmark_runs',
        'active',
        {
          limit: 5,
          used: 7,
          held: 0,
          remaining: 0,
          overage_quantity: 2,
          rollover_quantity: 0,
          window: month,
          resets_at: month.end,
        },
      ],
      [
        'benchmark_runs',
        'active',
        {
          limit: null,
          used: 2,
          held: 0,
          remaining: null,
          overage_quantity: 0,
          rollover_quantity: 0,
          window: { type: 'none', start: start.effective_start, end: '2040-01-01T00:00:00Z' },
          resets_at: null,
        },
      ],
      ['benchmark_runs', 'scheduled', zeros],
      ['benchmark_runs', 'expired', zeros],
      ['concurrent_users', 'active', { ...zeros, limit: 2, remaining: 2 }],
      [
        'gpu_hours',
        'active',
        {
          ...zeros,
          limit: 2,
          remaining: 2,
          window: { type: 'rolling_30d', start: expect.stringMatching(/^2031-02-08T00:0/), end: null },
        },
      ],
      ['platform_access', 'active', { ...zeros, limit: null, remaining: null }],
    ])
    await advanceClock(namespace, 3600)
    await revoke((await list(account, namespace))[0] ?? {}, namespace)
    expect((await list(account, namespace))[0]).toMatchObject({ status: 'revoked', state: zeros })
  })

  it('of an account that was never seen is empty', async () => {
    expect(await list(mintAccount())).toEqual([])
  })
})
