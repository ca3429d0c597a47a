import { describe, expect, it } from 'vitest'
import {
  accountId,
  acquire,
  advanceClock,
  at,
  check,
  grant,
  listAt,
  numberAt,
  ruleFor,
  setClock,
  textAt,
} from '../../support/commands.ts'
import { type Answer, api, errorOf, mintAccount, mintNamespace, sql, token } from '../../support/sql.ts'

const resource = 'concurrent_users'
const seats = (account: string, quantity: number | null, fields: Answer = {}, namespace = 'default') =>
  grant(account, { resource, limit_kind: 'concurrency', quantity, ...fields }, namespace)
const used = async (account: string, namespace = 'default') =>
  (await check(account, { resource, purpose: 'lease', quantity: 0 }, namespace))['used']
const command = (
  name: 'heartbeat' | 'release' | 'revoke' | 'get',
  lease: Answer,
  fields: Answer = {},
  namespace = 'default',
) => api(`api_lease_${name}`, { lease_id: at(lease, 'lease.lease_id'), ...fields }, token(namespace))

it('taken before the test clock was cleared, it still takes a seat', async () => {
  const namespace = await mintNamespace()
  const account = mintAccount()
  await seats(account, 1, {}, namespace)
  await setClock(namespace, '2031-03-10T12:00:00Z')
  await acquire(account, 'ada', {}, namespace)
  await api('api_test_clock_clear', {}, token(namespace))
  expect(await used(account, namespace)).toBe(1)
  expect(await acquire(account, 'bob', {}, namespace)).toMatchObject({ allowed: false, used: 1 })
})

describe('acquire', () => {
  it('grants, counts after the write, and denies with the holders', async () => {
    const account = mintAccount()
    await seats(account, 2)
    const first = await acquire(account, 'ada', { ttl_seconds: 600, metadata: { ip: '::1' } })
    expect(first).toMatchObject({
      allowed: true,
      outcome: 'allow',
      reason: 'within_limit',
      renewed: false,
      quantity: 1,
      limit: 2,
      used: 1,
      remaining: 1,
      window: null,
      lease: {
        account_id: account,
        resource,
        scope: null,
        holder: 'ada',
        units: 1,
        status: 'active',
        fencing_token: 1,
        released_at: null,
        metadata: { ip: '::1' },
      },
    })
    expect(first).not.toHaveProperty('holders')
    expect(first).not.toHaveProperty('lease_id')
    const acquired = Date.parse(textAt(first, 'lease.acquired_at'))
    expect(Date.parse(textAt(first, 'lease.expires_at')) - acquired).toBe(600_000)
    expect(at(first, 'lease.heartbeat_at')).toBe(at(first, 'lease.acquired_at'))
    const second = await acquire(account, 'bob')
    expect(second).toMatchObject({ allowed: true, used: 2, remaining: 0, lease: { fencing_token: 2 } })
    expect(Date.parse(textAt(second, 'lease.expires_at')) - Date.parse(textAt(second, 'lease.acquired_at'))).toBe(
      28_800_000,
    )
    expect(await acquire(account, 'eve')).toMatchObject({
      allowed: false,
      outcome: 'block',
      reason: 'limit_exceeded',
      lease: null,
      renewed: false,
      used: 2,
      holders: [{ holder: 'ada' }, { holder: 'bob' }],
    })
    expect(
      await sql('select 1 from concurrency_leases where account_id = $1', [await accountId(account)]),
    ).toHaveLength(2)
  })

  it('shows at most 20 holders', async () => {
    const account = mintAccount()
    await seats(account, 21)
    for (let n = 0; n < 21; n++) await acquire(account, `holder-${n}`)
    expect(listAt(await acquire(account, 'one more'), 'holders')).toHaveLength(20)
  })

  it.each([
    [{}],
    [{ limit_kind: 'cumulative', resource }],
    [{ limit_kind: 'inventory', resource }],
    [{ limit_kind: 'time_access', resource }],
  ])('without a concurrency entitlement, holding %j: no_entitlement, and no row', async (fields) => {
    const account = mintAccount()
    if ('limit_kind' in fields) await grant(account, fields)
    expect(await acquire(account, 'ada')).toMatchObject({
      allowed: false,
      reason: 'no_entitlement',
      lease: null,
      holders: [],
    })
    expect(await sql('select 1 from concurrency_leases where account_id = $1', [await accountId(account)])).toEqual([])
  })

  it('the same holder gets its own lease back, renewed, and takes no second seat', async () => {
    const account = mintAccount()
    await seats(account, 1)
    const first = await acquire(account, 'ada', { ttl_seconds: 60 })
    const again = await acquire(account, 'ada', { ttl_seconds: 3600 })
    expect(again).toMatchObject({ allowed: true, renewed: true, used: 1, remaining: 0 })
    for (const field of ['lease_id', 'fencing_token', 'acquired_at'])
      expect(at(again, `lease.${field}`)).toBe(at(first, `lease.${field}`))
    expect(Date.parse(textAt(again, 'lease.expires_at')) - Date.parse(textAt(again, 'lease.heartbeat_at'))).toBe(
      3_600_000,
    )
  })

  it('units go up only as far as there are seats, and down', async () => {
    const account = mintAccount()
    await seats(account, 5)
    await acquire(account, 'bob', { units: 2 })
    await acquire(account, 'ada', { units: 1 })
    expect(await acquire(account, 'ada', { units: 3 })).toMatchObject({
      allowed: true,
      renewed: true,
      quantity: 3,
      used: 5,
      lease: { units: 3 },
    })
    const denied = await acquire(account, 'ada', { units: 4 })
    expect(denied).toMatchObject({ allowed: false, reason: 'limit_exceeded', lease: null, quantity: 4, used: 5 })
    expect(await acquire(account, 'ada', { units: 1 })).toMatchObject({
      allowed: true,
      renewed: true,
      used: 3,
      lease: { units: 1 },
    })
    expect(await acquire(account, 'eve', { units: 3 })).toMatchObject({ allowed: false })
    expect(await acquire(account, 'eve', { units: 2 })).toMatchObject({ allowed: true, used: 5 })
  })

  it('renews when the seats have become fewer, but gives no more of them', async () => {
    const account = mintAccount()
    const entitlement = await seats(account, 3)
    await acquire(account, 'ada', { units: 3 })
    await api('api_entitlement_patch', { entitlement_id: at(entitlement, 'entitlement_id'), quantity: 1 })
    expect(await acquire(account, 'ada', { units: 3 })).toMatchObject({ allowed: true, renewed: true, used: 3 })
    expect(await acquire(account, 'ada', { units: 4 })).toMatchObject({ allowed: false })
    expect(await acquire(account, 'bob')).toMatchObject({ allowed: false })
  })

  it('holders are those of an account, resource and scope', async () => {
    const account = mintAccount()
    await seats(account, 4)
    const leases = [
      await acquire(account, 'ada'),
      await acquire(account, 'ada', { scope: 'us' }),
      await acquire(account, 'ada', { scope: 'us/h100' }),
    ]
    expect(leases.map((lease) => at(lease, 'renewed'))).toEqual([false, false, false])
    expect(await used(account)).toBe(3)
  })

  it('scopes: seats of one region are not those of another', async () => {
    const account = mintAccount()
    await seats(account, 1, { scope: 'us' })
    await seats(account, 1, { scope: 'eu' })
    expect(await acquire(account, 'a', { scope: 'us/h100' })).toMatchObject({ allowed: true })
    expect(await acquire(account, 'b', { scope: 'us' })).toMatchObject({ allowed: false, reason: 'limit_exceeded' })
    expect(await acquire(account, 'b', { scope: 'eu' })).toMatchObject({ allowed: true })
    expect(await acquire(account, 'c')).toMatchObject({ allowed: false, reason: 'no_entitlement' })
  })

  it.each([
    [
      { action: 'overage', overage_multiplier: 4, overage_cap: 1 },
      'overage',
      'over_limit_overage',
      'overage_cap_reached',
    ],
    [{ action: 'grace', grace_percent: 50 }, 'grace', 'over_limit_grace', 'grace_exhausted'],
  ])('%j goes beyond the seats: %s', async (rule, outcome, reason, beyond) => {
    const account = mintAccount()
    await seats(account, 2)
    await ruleFor(account, { resource, limit_kind: 'concurrency', warn_at_percent: 100, ...rule })
    expect(await acquire(account, 'a')).toMatchObject({ outcome: 'allow' })
    expect(await acquire(account, 'b')).toMatchObject({ outcome: 'warn', reason: 'near_limit' })
    expect(await acquire(account, 'c')).toMatchObject({
      outcome,
      reason,
      used: 3,
      overage: { quantity: 1 },
      lease: { holder: 'c' },
    })
    expect(await acquire(account, 'd')).toMatchObject({ outcome: 'block', reason: beyond, lease: null })
  })

  it('warn has no bound, unlimited has none', async () => {
    const account = mintAccount()
    await seats(account, 1)
    await ruleFor(account, { resource, limit_kind: 'concurrency', action: 'warn' })
    expect(await acquire(account, 'a', { units: 50 })).toMatchObject({ outcome: 'warn', reason: 'over_limit_warned' })
    await seats(account, null)
    expect(await acquire(account, 'b', { units: 1000 })).toMatchObject({
      outcome: 'allow',
      limit: null,
      remaining: null,
    })
  })

  it('a suspended account gets none, keeps what it has, and may give it back', async () => {
    const account = mintAccount()
    await seats(account, 5)
    const lease = await acquire(account, 'ada')
    await sql("update accounts set status = 'suspended' where external_id = $1", [account])
    expect(await acquire(account, 'bob')).toMatchObject({ allowed: false, reason: 'account_suspended' })
    expect(await acquire(account, 'ada')).toMatchObject({ allowed: false, reason: 'account_suspended' })
    expect(await command('heartbeat', lease)).toMatchObject({ lease: { status: 'active' } })
    expect(await command('release', lease)).toMatchObject({ lease: { status: 'released' } })
  })
})

it('fencing tokens grow with every grant of that resource of that account, never with a renewal', async () => {
  const account = mintAccount()
  await seats(account, 10)
  const tokens: number[] = []
  for (const holder of ['a', 'b', 'a', 'c', 'b']) {
    const lease = await acquire(account, holder, { scope: holder === 'c' ? 'us' : null })
    tokens.push(numberAt(lease, 'lease.fencing_token'))
  }
  expect(tokens).toEqual([1, 2, 1, 3, 2])
  const lease = await acquire(account, 'a')
  await command('release', lease)
  expect(await acquire(account, 'a')).toMatchObject({ renewed: false, lease: { fencing_token: 4 } })
})

describe('a lease ends to the second, cron or no cron', () => {
  it('holds its seat until expires_at and none from then on', async () => {
    const namespace = await mintNamespace()
    await setClock(namespace, '2031-03-10T00:00:00Z')
    const account = mintAccount()
    await seats(account, 1, {}, namespace)
    const lease = await acquire(account, 'ada', { ttl_seconds: 3600 }, namespace)
    await advanceClock(namespace, 3500)
    expect(await acquire(account, 'bob', {}, namespace)).toMatchObject({ allowed: false })
    await setClock(namespace, textAt(lease, 'lease.expires_at'))
    expect(await used(account, namespace)).toBe(0)
    expect(await command('get', lease, {}, namespace)).toMatchObject({
      lease: { status: 'expired', released_at: null },
    })
    expect(await acquire(account, 'bob', {}, namespace)).toMatchObject({
      allowed: true,
      renewed: false,
      used: 1,
      lease: { fencing_token: 2 },
    })
  })

  it('a holder that comes back after that gets a new one', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await seats(account, 1, {}, namespace)
    const first = await acquire(account, 'ada', { ttl_seconds: 60 }, namespace)
    await advanceClock(namespace, 60)
    const second = await acquire(account, 'ada', {}, namespace)
    expect(second).toMatchObject({ renewed: false, used: 1, lease: { fencing_token: 2 } })
    expect(at(second, 'lease.lease_id')).not.toBe(at(first, 'lease.lease_id'))
  })

  it('fn_expire_leases only records it: no answer changes, twice nor at once', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await seats(account, 5, {}, namespace)
    const expired = await acquire(account, 'a', { ttl_seconds: 60 }, namespace)
    await acquire(account, 'b', { ttl_seconds: 6000 }, namespace)
    await advanceClock(namespace, 61)
    const answers = async () => {
      const list = await api('api_lease_list', { account_id: account }, token(namespace))
      const { as_of: _, ...decision } = await check(account, { resource, purpose: 'lease' }, namespace)
      const { as_of: __, ...snapshot } = await api('api_snapshot', { account_id: account, resource }, token(namespace))
      return [list, decision, snapshot, await command('get', expired, {}, namespace)]
    }
    const before = await answers()
    await Promise.all(Array.from({ length: 4 }, () => sql('select fn_expire_leases($1)', [namespace])))
    await sql('select fn_expire_leases($1)', [namespace])
    expect(await answers()).toEqual(before)
    const rows = await sql(
      'select holder, end_status, ended_at = expires_at as on_time from concurrency_leases where account_id = $1 order by holder',
      [await accountId(account, namespace)],
    )
    expect(rows).toEqual([
      { holder: 'a', end_status: 'expired', on_time: true },
      { holder: 'b', end_status: null, on_time: null },
    ])
  })

  it('the maintenance job says what it did', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await seats(account, 2, {}, namespace)
    await acquire(account, 'ada', { ttl_seconds: 60 }, namespace)
    await advanceClock(namespace, 61)
    const answer = await api('api_maintenance', { job: 'expire_leases' }, token(namespace))
    expect(answer).toEqual({ results: [{ job: 'expire_leases', processed: 1, more: false }] })
    expect(await errorOf(api('api_maintenance', { job: 'all' }, token('default', ['read'])))).toMatchObject({
      code: 'missing_scope',
    })
  })
})

describe('heartbeat', () => {
  it('extends from now, by a new TTL or its own again, and never re-checks capacity', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    const entitlement = await seats(account, 2, {}, namespace)
    const lease = await acquire(account, 'ada', { ttl_seconds: 100 }, namespace)
    await api('api_entitlement_revoke', { entitlement_id: at(entitlement, 'entitlement_id') }, token(namespace))
    await advanceClock(namespace, 90)
    const length = (beat: Answer) =>
      Date.parse(textAt(beat, 'lease.expires_at')) - Date.parse(textAt(beat, 'lease.heartbeat_at'))
    const beat = await command('heartbeat', lease, {}, namespace)
    expect(length(beat)).toBe(100_000)
    expect(at(beat, 'lease.acquired_at')).toBe(at(lease, 'lease.acquired_at'))
    expect(length(await command('heartbeat', lease, { ttl_seconds: 30 }, namespace))).toBe(30_000)
    expect(length(await command('heartbeat', lease, {}, namespace))).toBe(30_000)
  })

  it.each([
    ['expired', 'lease_expired'],
    ['released', 'lease_released'],
    ['revoked', 'lease_revoked'],
  ])('of one that is %s: 410 %s, with the lease', async (status, code) => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await seats(account, 2, {}, namespace)
    const lease = await acquire(account, 'ada', { ttl_seconds: 60 }, namespace)
    if (status === 'released') await command('release', lease, {}, namespace)
    if (status === 'revoked') await command('revoke', lease, { reason: 'abuse' }, namespace)
    await advanceClock(namespace, 60)
    const error = await errorOf(command('heartbeat', lease, {}, namespace))
    expect(error).toMatchObject({
      status: 410,
      code,
      lease: { lease_id: at(lease, 'lease.lease_id'), status, holder: 'ada' },
    })
    await sql('select fn_expire_leases($1)', [namespace])
    expect(await errorOf(command('heartbeat', lease, {}, namespace))).toMatchObject({ status: 410, code })
  })
})

describe('release and revoke', () => {
  it('free the seat at once; again, they change nothing', async () => {
    const account = mintAccount()
    await seats(account, 2)
    const [released, revoked] = [await acquire(account, 'a'), await acquire(account, 'b')]
    const first = await command('release', released)
    expect(first).toMatchObject({ lease: { status: 'released', released_at: expect.any(String) } })
    expect(await command('release', released)).toEqual(first)
    expect(await command('revoke', released)).toEqual(first)
    const second = await command('revoke', revoked, { reason: 'abuse' })
    expect(second).toMatchObject({ lease: { status: 'revoked', released_at: expect.any(String) } })
    expect(await command('release', revoked)).toEqual(second)
    expect(await used(account)).toBe(0)
    const rows = await sql('select end_reason from concurrency_leases where lease_id = $1', [
      at(revoked, 'lease.lease_id'),
    ])
    expect(rows).toEqual([{ end_reason: 'abuse' }])
  })

  it('after expiry a release says that it had expired', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await seats(account, 1, {}, namespace)
    const lease = await acquire(account, 'a', { ttl_seconds: 60 }, namespace)
    await advanceClock(namespace, 3600)
    expect(await command('release', lease, {}, namespace)).toMatchObject({
      lease: { status: 'expired', released_at: null },
    })
    expect(await command('release', lease, {}, namespace)).toMatchObject({ lease: { status: 'expired' } })
  })

  it.each(['heartbeat', 'release', 'revoke', 'get'] as const)(
    '%s of an unknown lease, or one of another namespace: 404',
    async (name) => {
      const account = mintAccount()
      await seats(account, 1)
      const lease = await acquire(account, 'a')
      const unknown = { lease: { lease_id: '00000000-0000-4000-8000-000000000000' } }
      expect(await errorOf(command(name, unknown))).toMatchObject({ status: 404, code: 'not_found' })
      expect(await errorOf(command(name, lease, {}, await mintNamespace()))).toMatchObject({
        status: 404,
        code: 'not_found',
      })
    },
  )
})

describe('for SQL users', () => {
  it('fn_acquire_lease, fn_heartbeat_lease, fn_release_lease', async () => {
    const account = mintAccount()
    await seats(account, 1)
    const id = await accountId(account)
    const take = (holder: string) =>
      sql<{ granted: boolean; lease_id: string | null; reason: string }>(
        'select * from fn_acquire_lease($1, $2, null, $3, 480)',
        [id, resource, holder],
      )
    const [granted] = await take('ada')
    expect(granted).toMatchObject({
      granted: true,
      reason: 'within_limit',
      renewed: false,
      quantity_limit: '1',
      used: '1',
      remaining: '0',
      fencing_token: '1',
    })
    expect((await take('bob'))[0]).toMatchObject({
      granted: false,
      lease_id: null,
      reason: 'limit_exceeded',
      used: '1',
      expires_at: null,
    })
    expect((await take('ada'))[0]).toMatchObject({ granted: true, renewed: true, lease_id: granted?.lease_id })
    const value = async (text: string) => Object.values((await sql(text, [granted?.lease_id]))[0] ?? {})[0]
    expect(await value('select fn_heartbeat_lease($1)')).toBe(true)
    expect(await value('select fn_release_lease($1)')).toBe(true)
    expect(await value('select fn_release_lease($1)')).toBe(true)
    expect(await value('select fn_heartbeat_lease($1)')).toBe(false)
    expect(await sql("select fn_release_lease('00000000-0000-4000-8000-000000000000') as known")).toEqual([
      { known: false },
    ])
    expect(await sql("select fn_heartbeat_lease('00000000-0000-4000-8000-000000000000') as known")).toEqual([
      { known: false },
    ])
  })

  it.each([
    ["fn_acquire_lease($1, 'nothing_such', null, 'h', 480)", 'resource'],
    ["fn_acquire_lease($1, 'concurrent_users', null, '', 480)", 'holder'],
    ["fn_acquire_lease($1, 'concurrent_users', null, null, 480)", 'holder'],
    ["fn_acquire_lease($1, 'concurrent_users', null, E'a\\nb', 480)", 'holder'],
    ["fn_acquire_lease($1, 'concurrent_users', '/us', 'h', 480)", 'scope'],
    ["fn_acquire_lease($1, 'concurrent_users', null, 'h', 0)", 'ttl_minutes'],
    ["fn_acquire_lease($1, 'concurrent_users', null, 'h', 10081)", 'ttl_minutes'],
    ["fn_acquire_lease($1, 'concurrent_users', null, 'h', 480, 0)", 'units'],
  ])('%s names %s', async (call, param) => {
    const error = await errorOf(sql(`select * from ${call}`, [await accountId(mintAccount())]))
    expect(error).toMatchObject({ status: 400, param })
  })
})
