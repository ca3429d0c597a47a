import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  accountId,
  acquire,
  at,
  check,
  consume,
  endHold,
  grant,
  meter,
  reserve,
  setClock,
  textAt,
} from '../../support/commands.ts'
import { type Answer, api, errorOf, mintAccount, mintNamespace, sql, token } from '../../support/sql.ts'

const get = (account: string, namespace = 'default') =>
  api('api_account_get', { account_id: account }, token(namespace))
const patch = (account: string, fields: Answer, namespace = 'default') =>
  api('api_account_patch', { account_id: account, ...fields }, token(namespace))

const never = { name: null, timezone: 'UTC', status: 'active', metadata: {}, created_at: null }

describe('an account', () => {
  it('that was never seen is no error, and asking makes none', async () => {
    const account = mintAccount()
    expect(await get(account)).toEqual({ account_id: account, ...never })
    expect(await sql('select from accounts where account_id = $1', [await accountId(account)])).toEqual([])
  })

  it('that was never seen is made by a change', async () => {
    const [namespace, account] = [await mintNamespace(), mintAccount()]
    await setClock(namespace, '2031-03-01T00:00:00Z')
    const made = await patch(account, { name: 'Acme' }, namespace)
    expect(made).toEqual({
      account_id: account,
      ...never,
      name: 'Acme',
      created_at: expect.stringMatching(/^2031-03-01T00:00:/),
    })
    expect(await get(account, namespace)).toEqual(made)
  })

  it('keeps what a change does not name', async () => {
    const account = mintAccount()
    await grant(account)
    const first = await patch(account, { name: 'Acme', metadata: { a: 1 }, timezone: 'Asia/Tokyo' })
    expect(await patch(account, { status: 'suspended' })).toEqual({ ...first, status: 'suspended' })
    expect(await patch(account, { metadata: { b: 2 }, name: null })).toEqual({
      ...first,
      status: 'suspended',
      metadata: { b: 2 },
      name: null,
    })
    expect(await get(account)).toMatchObject({ timezone: 'Asia/Tokyo', status: 'suspended' })
  })

  it('is echoed as the caller writes it', async () => {
    const account = randomUUID()
    await patch(account.toUpperCase(), { name: 'x' })
    expect(await get(account)).toMatchObject({ account_id: account, name: 'x' })
    expect(await get(account.toUpperCase())).toMatchObject({ account_id: account.toUpperCase(), name: 'x' })
  })

  it.each(['Europe/Berlin', 'America/Argentina/Buenos_Aires', 'Etc/GMT+5', 'UTC', 'Asia/Kathmandu'])(
    'takes the timezone %s',
    async (timezone) => {
      expect(await patch(mintAccount(), { timezone })).toMatchObject({ timezone })
    },
  )

  it.each([
    'Mars/Olympus',
    '',
    'CEST',
    '+02:00',
    'FOO+3',
    'posix/Europe/Berlin',
    'localtime',
    'Factory',
    'right/Europe/Berlin',
  ])('refuses the timezone %j, and changes nothing', async (timezone) => {
    const account = mintAccount()
    expect(await errorOf(patch(account, { timezone, name: 'x' }))).toMatchObject({
      status: 400,
      code: 'invalid_parameter',
      param: 'timezone',
    })
    expect(await get(account)).toEqual({ account_id: account, ...never })
  })

  it('made and changed by many at once is one account', async () => {
    const [namespace, account] = [await mintNamespace(), mintAccount()]
    await Promise.all([
      ...Array.from({ length: 8 }, (_, n) => patch(account, { metadata: { n } }, namespace)),
      ...Array.from({ length: 8 }, () => meter(account, {}, namespace)),
    ])
    expect(await sql('select from accounts where namespace_id = $1', [namespace])).toHaveLength(1)
  })
})

describe('a suspended account', () => {
  it('is denied what asks; what records or gives back goes on; then it is as before', async () => {
    const [namespace, account] = [await mintNamespace(), mintAccount()]
    await grant(account, {}, namespace)
    await grant(account, { resource: 'gpu_hours' }, namespace)
    await grant(account, { resource: 'concurrent_users', limit_kind: 'concurrency' }, namespace)
    const lease = { lease_id: at(await acquire(account, 'ada', {}, namespace), 'lease.lease_id') }
    const [kept, freed] = [await reserve(account, {}, namespace), await reserve(account, {}, namespace)]
    await patch(account, { status: 'suspended' }, namespace)
    const denied = { allowed: false, outcome: 'block', reason: 'account_suspended' }
    expect(await check(account, {}, namespace)).toMatchObject(denied)
    expect(await consume(account, {}, namespace)).toMatchObject({ ...denied, entry: null })
    expect(await reserve(account, {}, namespace)).toMatchObject({ ...denied, reservation: null })
    expect(await acquire(account, 'bob', {}, namespace)).toMatchObject({ ...denied, lease: null })
    expect(await meter(account, {}, namespace)).toMatchObject({ over_limit: false, entry: { included_quantity: 1 } })
    expect(await endHold('commit', kept, {}, namespace)).toMatchObject({ reservation: { status: 'committed' } })
    expect(await endHold('release', freed, {}, namespace)).toMatchObject({ reservation: { status: 'released' } })
    expect(await api('api_lease_heartbeat', lease, token(namespace))).toMatchObject({ lease: { status: 'active' } })
    expect(await api('api_lease_release', lease, token(namespace))).toMatchObject({ lease: { status: 'released' } })
    await patch(account, { status: 'active' }, namespace)
    expect(await check(account, {}, namespace)).toMatchObject({ allowed: true, used: 1 })
    expect(await consume(account, {}, namespace)).toMatchObject({ allowed: true, used: 2 })
    expect(await acquire(account, 'bob', {}, namespace)).toMatchObject({ allowed: true })
  })
})

describe('a change moves the versions of the account’s resources', () => {
  const versions = async (account: string) =>
    (
      await sql<{ key_version: string }>(
        'select key_version from resource_state where account_id = $1 order by resource_type_code',
        [await accountId(account)],
      )
    ).map((row) => Number(row.key_version))

  it.each([
    [{ status: 'suspended' }, 1],
    [{ timezone: 'Asia/Tokyo' }, 1],
    [{ status: 'active', timezone: 'UTC' }, 0],
    [{ name: 'Acme', metadata: { a: 1 } }, 0],
  ])('%j by %i', async (fields, by) => {
    const account = mintAccount()
    await grant(account)
    await meter(account, { resource: 'gpu_hours' })
    const before = await versions(account)
    await patch(account, fields)
    expect(await versions(account)).toEqual(before.map((version) => version + by))
  })
})

it('a new timezone starts with the next window', async () => {
  const [namespace, account] = [await mintNamespace(), mintAccount()]
  await setClock(namespace, '2031-03-20T00:00:00Z')
  await grant(account, { window: 'calendar_month', effective_start: '2031-01-01T00:00:00Z' }, namespace)
  const first = await consume(account, { quantity: 3 }, namespace)
  await patch(account, { timezone: 'Asia/Tokyo' }, namespace)
  expect(await check(account, {}, namespace)).toMatchObject({ used: 3, window: at(first, 'window') })
  const end = textAt(first, 'window.end')
  expect(end).toBe('2031-04-01T00:00:00Z')
  await setClock(namespace, end)
  expect(await check(account, {}, namespace)).toMatchObject({
    used: 0,
    window: { type: 'calendar_month', start: end, end: '2031-04-30T15:00:00Z' },
  })
})
