import { describe, expect, test } from 'vitest'
import { type CallOptions, mintAccount, mintNamespace, mintToken, sql } from '../support/edge.ts'
import {
  advance,
  bodyOf,
  check,
  consume,
  errorOf,
  grant,
  INSTANT,
  invalid,
  key,
  setClock,
  UUID,
} from '../support/edge-commands.ts'
import { at, type JsonObject, listAt, textAt } from '../support/json-path.ts'

const NOWHERE = '00000000-0000-4000-8000-000000000000'
const resource = 'gpu_hours'

async function holder(quantity = 10) {
  const namespace = await mintNamespace()
  const account = mintAccount()
  await setClock(namespace, '2027-01-15T12:00:00Z')
  await grant(namespace, account, { resource, quantity, window: 'calendar_month' })
  const reserve = (fields: JsonObject = {}, options?: CallOptions) =>
    namespace.call(
      'POST',
      '/v1/reservations',
      { ...key(), account_id: account, resource, quantity: 4, ttl_seconds: 3600, ...fields },
      options,
    )
  const hold = async (fields: JsonObject = {}) => {
    const reservation = textAt(await bodyOf(201, reserve(fields)), 'reservation.reservation_id')
    const path = `/v1/reservations/${reservation}`
    return {
      id: reservation,
      path,
      commit: (body?: JsonObject) => namespace.call('POST', `${path}/commit`, body),
      release: (body?: JsonObject) => namespace.call('POST', `${path}/release`, body),
      get: () => namespace.call('GET', path),
    }
  }
  const ask = (fields: JsonObject = {}) => check(namespace, account, { resource, ...fields })
  return { namespace, account, reserve, hold, ask }
}

const one = (account: string) => ({
  reservation_id: UUID,
  account_id: account,
  resource,
  scope: null,
  quantity: 4,
  status: 'held',
  reserved_at: INSTANT,
  expires_at: INSTANT,
  ended_at: null,
  committed_quantity: null,
  entry_id: null,
})

describe('reserving', () => {
  test('is a 201 with the decision after it and the reservation', async () => {
    const { reserve, account } = await holder()
    const counts = { limit: 10, used: 0, held: 4, remaining: 6 }
    const window = { type: 'calendar_month', start: '2027-01-01T00:00:00Z', end: '2027-02-01T00:00:00Z' }
    expect(await bodyOf(201, reserve({ scope: 'us/h100' }))).toEqual({
      allowed: true,
      outcome: 'allow',
      reason: 'within_limit',
      account_id: account,
      resource,
      scope: 'us/h100',
      quantity: 4,
      ...counts,
      window,
      action: 'block',
      warn_at_percent: null,
      overage: { quantity: 0, multiplier: 1 },
      grace: null,
      limits: [{ limit_kind: 'cumulative', ...counts, outcome: 'allow', reason: 'within_limit', window }],
      source: 'postgres',
      as_of: INSTANT,
      degraded: false,
      reservation: {
        ...one(account),
        scope: 'us/h100',
        reserved_at: expect.stringMatching(/^2027-01-15T12:00/),
        expires_at: expect.stringMatching(/^2027-01-15T13:00/),
      },
      duplicate: false,
    })
  })

  test('counts as spent', async () => {
    const { namespace, account, hold, ask, reserve } = await holder()
    await hold({ quantity: 7 })
    expect(await ask({ quantity: 3 })).toMatchObject({ allowed: true, used: 0, held: 7, remaining: 3 })
    expect(await ask({ quantity: 4 })).toMatchObject({ allowed: false, reason: 'limit_exceeded' })
    expect(await bodyOf(200, consume(namespace, account, { resource, quantity: 4 }))).toMatchObject({ allowed: false })
    expect(await bodyOf(200, reserve({ quantity: 4 }))).toMatchObject({
      allowed: false,
      reason: 'limit_exceeded',
      reservation: null,
      duplicate: false,
      held: 7,
    })
  })

  test('again with the same key is the first answer, a 200; another request is a 409', async () => {
    const { reserve } = await holder()
    const first = await bodyOf(201, reserve({ idempotency_key: 'job' }))
    expect(await bodyOf(200, reserve({ idempotency_key: 'job' }))).toEqual({ ...first, duplicate: true })
    const header = reserve({ idempotency_key: undefined } as JsonObject, { headers: { 'Idempotency-Key': 'job' } })
    expect(await bodyOf(200, header)).toEqual({ ...first, duplicate: true })
    for (const other of [{ quantity: 5 }, { scope: 'us' }, { resource: 'benchmark_runs' }])
      expect(await errorOf(reserve({ idempotency_key: 'job', ...other }))).toEqual({
        status: 409,
        type: 'conflict',
        code: 'idempotency_conflict',
        param: 'idempotency_key',
      })
  })

  test('a denial does not use up its key', async () => {
    const { reserve } = await holder()
    expect(await bodyOf(200, reserve({ idempotency_key: 'job', quantity: 11 }))).toMatchObject({ allowed: false })
    expect(await bodyOf(201, reserve({ idempotency_key: 'job', quantity: 10 }))).toMatchObject({ allowed: true })
  })

  test('of an account that was never seen is a denial', async () => {
    const { reserve } = await holder()
    expect(await bodyOf(200, reserve({ account_id: mintAccount() }))).toMatchObject({
      allowed: false,
      reason: 'no_entitlement',
      reservation: null,
    })
  })

  test.each([
    [{ quantity: 0 }, 'quantity'],
    [{ quantity: -1 }, 'quantity'],
    [{ quantity: 0.0000001 }, 'quantity'],
    [{ quantity: '1' }, 'quantity'],
    [{ ttl_seconds: 0 }, 'ttl_seconds'],
    [{ ttl_seconds: 86_401 }, 'ttl_seconds'],
    [{ ttl_seconds: 1.5 }, 'ttl_seconds'],
    [{ ttl_seconds: undefined }, 'ttl_seconds'],
    [{ idempotency_key: undefined }, 'idempotency_key'],
    [{ idempotency_key: '' }, 'idempotency_key'],
    [{ account_id: undefined }, 'account_id'],
    [{ resource: undefined }, 'resource'],
    [{ scope: '/us' }, 'scope'],
    [{ metadata: {} }, 'metadata'],
    [{ unit: 'hours' }, 'unit'],
  ])('refuses %o', async (fields, param) => {
    const namespace = await mintNamespace()
    const body = { ...key(), account_id: 'a', resource, quantity: 1, ttl_seconds: 60, ...fields }
    expect(await errorOf(namespace.call('POST', '/v1/reservations', body))).toEqual(invalid(param))
  })

  test.each([1, 86_400])('takes %i seconds', async (ttl_seconds) => {
    const { reserve } = await holder()
    const { reservation } = await bodyOf(201, reserve({ ttl_seconds }))
    const held =
      Date.parse(textAt(reservation ?? null, 'expires_at')) - Date.parse(textAt(reservation ?? null, 'reserved_at'))
    expect(held).toBe(ttl_seconds * 1000)
  })

  test('refuses an unknown resource', async () => {
    const { reserve } = await holder()
    expect(await errorOf(reserve({ resource: 'unicorns' }))).toEqual({
      ...invalid('resource'),
      code: 'unknown_resource',
    })
  })
})

describe('a commit', () => {
  test('records what was used, frees the rest, and shows it', async () => {
    const { account, hold, ask } = await holder()
    const { commit, get, id } = await hold({ idempotency_key: 'job', scope: 'us' })
    const committed = await bodyOf(200, commit({ quantity: 2.5, metadata: { job: 'x' } }))
    const reservation = {
      ...one(account),
      reservation_id: id,
      scope: 'us',
      status: 'committed',
      ended_at: INSTANT,
      committed_quantity: 2.5,
      entry_id: UUID,
    }
    expect(committed).toEqual({
      reservation,
      entry: {
        entry_id: at(committed, 'reservation.entry_id'),
        idempotency_key: 'job',
        account_id: account,
        resource,
        scope: 'us',
        quantity: 2.5,
        unit: 'hours',
        original_quantity: 2.5,
        original_unit: 'hours',
        occurred_at: at(committed, 'reservation.ended_at'),
        recorded_at: INSTANT,
        late: false,
        kind: 'usage',
        reverses: null,
        included_quantity: 2.5,
        overage_quantity: 0,
        excess_quantity: 0,
        metadata: { job: 'x' },
      },
      state: { limit: 10, used: 2.5, held: 0, remaining: 7.5 },
      duplicate: false,
    })
    expect(await bodyOf(200, get())).toEqual({ reservation: committed['reservation'] })
    expect(await ask()).toMatchObject({ used: 2.5, held: 0, remaining: 7.5 })
  })

  test.each([undefined, {}, { quantity: null }])('of %o is of all that was held', async (body) => {
    const { hold } = await holder()
    const { commit } = await hold()
    expect(await bodyOf(200, commit(body))).toMatchObject({ entry: { quantity: 4 }, state: { used: 4, held: 0 } })
  })

  test('of more than was held is recorded too, as metering would', async () => {
    const { hold } = await holder()
    const { commit } = await hold()
    expect(await bodyOf(200, commit({ quantity: 12 }))).toMatchObject({
      entry: { quantity: 12, included_quantity: 10, overage_quantity: 0, excess_quantity: 2 },
      state: { used: 12, remaining: 0 },
    })
  })

  test('of 0 frees the hold and records nothing', async () => {
    const { namespace, account, hold, ask } = await holder()
    const { commit } = await hold()
    expect(await bodyOf(200, commit({ quantity: 0 }))).toMatchObject({
      reservation: { status: 'committed', committed_quantity: 0, entry_id: null },
      entry: null,
      state: { used: 0, held: 0, remaining: 10 },
      duplicate: false,
    })
    expect(await ask()).toMatchObject({ used: 0, held: 0 })
    const ledger = await bodyOf(200, namespace.call('GET', `/v1/ledger?account_id=${account}`))
    expect(listAt(ledger, 'data')).toEqual([])
  })

  test('again and the same is the same answer; another is a 409', async () => {
    const { namespace, account, hold } = await holder()
    const { commit, release } = await hold()
    const first = await bodyOf(200, commit())
    await bodyOf(201, consume(namespace, account, { resource }))
    await advance(namespace, 7200)
    expect(await bodyOf(200, commit())).toEqual({ ...first, duplicate: true })
    expect(await bodyOf(200, commit({ quantity: 4 }))).toEqual({ ...first, duplicate: true })
    const conflict = { status: 409, type: 'conflict', code: 'already_committed' }
    expect(await errorOf(commit({ quantity: 3 }))).toMatchObject(conflict)
    expect(await errorOf(commit({ quantity: 0 }))).toMatchObject(conflict)
    expect(await errorOf(release())).toMatchObject(conflict)
  })

  test('draws on the window that was held, when it is over', async () => {
    const { namespace, hold, ask } = await holder()
    await setClock(namespace, '2027-01-31T23:30:00Z')
    const { commit } = await hold({ ttl_seconds: 86_400 })
    await setClock(namespace, '2027-02-01T12:00:00Z')
    expect(await bodyOf(200, commit())).toMatchObject({
      entry: { occurred_at: '2027-01-31T23:59:59.999Z', late: false },
      state: { used: 4, remaining: 6 },
    })
    expect(await ask()).toMatchObject({ used: 0, held: 0, window: { start: '2027-02-01T00:00:00Z' } })
  })

  test.each([
    [{ quantity: -1 }, 'quantity'],
    [{ quantity: 0.0000001 }, 'quantity'],
    [{ quantity: '1' }, 'quantity'],
    [{ metadata: [] }, 'metadata'],
    [{ metadata: { blob: 'x'.repeat(4096) } }, 'metadata'],
    [{ unit: 'hours' }, 'unit'],
    [{ idempotency_key: 'k' }, 'idempotency_key'],
  ])('refuses %o, and leaves the hold', async (body, param) => {
    const { hold, ask } = await holder()
    const { commit } = await hold()
    expect(await errorOf(commit(body as JsonObject))).toEqual(invalid(param))
    expect(await ask()).toMatchObject({ held: 4 })
  })
})

describe('a release', () => {
  test('frees the hold; again it is the same; a commit is then a 410', async () => {
    const { account, hold, ask } = await holder()
    const { commit, release, get } = await hold()
    const released = await bodyOf(200, release())
    expect(released).toEqual({ reservation: { ...one(account), status: 'released', ended_at: INSTANT } })
    expect(await ask()).toMatchObject({ used: 0, held: 0, remaining: 10 })
    expect(await bodyOf(200, release({}))).toEqual(released)
    expect(await bodyOf(200, get())).toEqual(released)
    for (const body of [undefined, { quantity: 0 }])
      expect(await errorOf(commit(body))).toEqual({
        status: 410,
        type: 'gone',
        code: 'reservation_released',
        param: null,
      })
  })
})

describe('expiry', () => {
  test('frees the hold by itself, to the second', async () => {
    const { namespace, account, hold, ask, reserve } = await holder()
    const { commit, release, get } = await hold({ ttl_seconds: 60 })
    const expires = Date.parse(textAt(await bodyOf(200, get()), 'reservation.expires_at'))
    const held = (ms: number) => ask({ at: new Date(ms).toISOString() })
    expect(await held(expires - 1)).toMatchObject({ held: 4, remaining: 6 })
    expect(await held(expires)).toMatchObject({ held: 0, remaining: 10 })
    expect(await ask()).toMatchObject({ held: 4, remaining: 6 })
    await setClock(namespace, new Date(expires).toISOString())
    expect(await ask({ quantity: 10 })).toMatchObject({ allowed: true, held: 0, remaining: 10 })
    const expired = { reservation: { ...one(account), status: 'expired', ended_at: INSTANT } }
    expect(await bodyOf(200, get())).toEqual(expired)
    expect(await errorOf(commit())).toEqual({ status: 410, type: 'gone', code: 'reservation_expired', param: null })
    expect(await bodyOf(200, release())).toEqual(expired)
    expect(await errorOf(commit())).toMatchObject({ code: 'reservation_expired' })
    await bodyOf(201, reserve({ quantity: 10 }))
  })
})

test('of a suspended account: denied to reserve, free to commit and release', async () => {
  const { namespace, account, hold, reserve } = await holder()
  const [one, two] = [await hold(), await hold()]
  await sql("update accounts set status = 'suspended' where external_id = $1", [account])
  expect(await bodyOf(200, reserve())).toMatchObject({ allowed: false, reason: 'account_suspended', reservation: null })
  await bodyOf(200, one.commit())
  await bodyOf(200, two.release())
  expect(namespace.name).toBeTruthy()
})

describe('access', () => {
  test.each([
    ['POST', '/commit'],
    ['POST', '/release'],
    ['GET', ''],
  ])('%s %s of one that is unknown, or of another namespace: 404', async (method, suffix) => {
    const { hold } = await holder()
    const { id } = await hold()
    const stranger = await mintNamespace()
    for (const each of [NOWHERE, id])
      expect(await errorOf(stranger.call(method, `/v1/reservations/${each}${suffix}`))).toEqual({
        status: 404,
        type: 'not_found',
        code: 'not_found',
        param: 'reservation_id',
      })
    expect(await errorOf(stranger.call(method, `/v1/reservations/no-uuid${suffix}`))).toEqual(invalid('reservation_id'))
  })

  test('a token that is bound to another account neither sees nor ends it', async () => {
    const { namespace, account, hold, reserve } = await holder()
    const { path, get } = await hold()
    const other = { bearer: await mintToken(namespace.name, 'meter', { sub: 'another' }) }
    for (const [method, target] of [
      ['GET', path],
      ['POST', `${path}/commit`],
      ['POST', `${path}/release`],
    ] as const)
      expect(await errorOf(namespace.call(method, target, undefined, other))).toMatchObject({
        status: 403,
        code: 'account_forbidden',
      })
    expect(await errorOf(reserve({}, other))).toMatchObject({ status: 403, code: 'account_forbidden' })
    expect(await bodyOf(200, get())).toMatchObject({ reservation: { status: 'held' } })
    const own = { bearer: await mintToken(namespace.name, 'meter', { sub: account }) }
    await bodyOf(201, reserve({}, own))
    await bodyOf(200, namespace.call('POST', `${path}/commit`, undefined, own))
  })

  test('reading takes read or meter, all else meter', async () => {
    const { namespace, hold, reserve } = await holder()
    const { path } = await hold()
    for (const scope of ['read', 'meter'])
      await bodyOf(200, namespace.call('GET', path, undefined, { bearer: await mintToken(namespace.name, scope) }))
    const bearer = await mintToken(namespace.name, 'read check lease')
    const refused = { status: 403, code: 'missing_scope' }
    expect(await errorOf(reserve({}, { bearer }))).toMatchObject(refused)
    expect(await errorOf(namespace.call('POST', `${path}/commit`, {}, { bearer }))).toMatchObject(refused)
    expect(await errorOf(namespace.call('POST', `${path}/release`, {}, { bearer }))).toMatchObject(refused)
  })
})

describe('concurrency', () => {
  test('two commits at once record once', async () => {
    const { namespace, account, hold } = await holder()
    const { commit } = await hold()
    const answers = await Promise.all([commit({ quantity: 3 }), commit({ quantity: 3 })])
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    expect(answers.map(({ body }) => body['duplicate']).toSorted()).toEqual([false, true])
    const ledger = await bodyOf(200, namespace.call('GET', `/v1/ledger?account_id=${account}`))
    expect(listAt(ledger, 'data')).toHaveLength(1)
  })
})
