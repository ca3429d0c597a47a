import { describe, expect, it } from 'vitest'
import {
  acquire,
  assign,
  check,
  checkWhen,
  consume,
  endHold,
  grant,
  meter,
  reserve,
  setClock,
  textAt,
  unassign,
} from '../../support/commands.ts'
import { type Answer, api, mintAccount, mintNamespace, sql, token } from '../../support/sql.ts'

/** A namespace whose clock stands (and runs on) at this moment. */
async function namespaceAt(now: string): Promise<string> {
  const namespace = await mintNamespace()
  await setClock(namespace, now)
  return namespace
}

describe('cumulative, asked for another moment', () => {
  it('entries count by occurred_at, in the window that holds the moment', async () => {
    const namespace = await namespaceAt('2031-03-10T00:00:00Z')
    const account = mintAccount()
    await grant(account, { window: 'calendar_month', effective_start: '2031-01-01T00:00:00Z' }, namespace)
    await sql("update namespaces set late_arrival_grace = '365 days' where namespace_id = $1", [namespace])
    for (const [occurred_at, quantity] of [
      ['2031-01-31T23:59:59.999Z', 1],
      ['2031-02-01T00:00:00Z', 2],
      ['2031-02-20T12:00:00Z', 4],
      ['2031-03-01T00:00:00Z', 8],
    ] as const) {
      expect(await meter(account, { occurred_at, quantity }, namespace)).toMatchObject({ entry: { late: false } })
    }
    const usedAt = async (at: string) => (await check(account, { at }, namespace))['used']
    expect(await usedAt('2031-01-31T23:59:59.998Z')).toBe(0)
    expect(await usedAt('2031-01-31T23:59:59.999Z')).toBe(1)
    expect(await usedAt('2031-02-01T00:00:00Z')).toBe(2)
    expect(await usedAt('2031-02-20T11:59:59.999Z')).toBe(2)
    expect(await usedAt('2031-02-20T12:00:00Z')).toBe(6)
    expect(await usedAt('2031-02-28T23:59:59.999Z')).toBe(6)
    expect(await usedAt('2031-03-09T00:00:00Z')).toBe(8)
    expect(await usedAt('2031-03-31T23:59:59.999Z')).toBe(8)
    expect(await usedAt('2031-04-01T00:00:00Z')).toBe(0)
    expect(await check(account, { at: '2030-12-31T23:59:59.999Z' }, namespace)).toMatchObject({ reason: 'not_started' })
    expect(await check(account, { at: '2031-02-14T00:00:00Z' }, namespace)).toMatchObject({
      window: { type: 'calendar_month', start: '2031-02-01T00:00:00Z', end: '2031-03-01T00:00:00Z' },
      as_of: '2031-02-14T00:00:00Z',
    })
  })

  it('entitlements by their dates and revoked_at; quantities as they are defined now', async () => {
    const namespace = await namespaceAt('2031-03-10T00:00:00Z')
    const account = mintAccount()
    const fields = { quantity: 5, effective_start: '2031-02-01T00:00:00Z', effective_end: '2031-06-01T00:00:00Z' }
    const entitlement = await grant(account, fields, namespace)
    const reasonAt = async (at: string, quantity = 7) => (await check(account, { at, quantity }, namespace))['reason']
    expect(await reasonAt('2031-01-31T23:59:59Z')).toBe('not_started')
    expect(await reasonAt('2031-02-01T00:00:00Z')).toBe('limit_exceeded')
    expect(await reasonAt('2031-06-01T00:00:00Z')).toBe('expired')
    const id = { entitlement_id: textAt(entitlement, 'entitlement_id') }
    await api('api_entitlement_patch', { ...id, quantity: 7 }, token(namespace))
    expect(await reasonAt('2031-02-01T00:00:00Z')).toBe('within_limit')
    await api('api_entitlement_revoke', id, token(namespace))
    expect(await reasonAt('2031-02-01T00:00:00Z')).toBe('within_limit')
    expect(await reasonAt('2031-03-09T23:59:59Z')).toBe('within_limit')
    expect(await reasonAt('2031-03-11T00:00:00Z')).toBe('revoked')
    expect(await reasonAt('2031-06-01T00:00:00Z')).toBe('revoked')
  })

  it('rolling: the 30 days up to the moment', async () => {
    const namespace = await namespaceAt('2031-03-10T00:00:00Z')
    const account = mintAccount()
    await grant(account, { window: 'rolling_30d', effective_start: '2031-01-01T00:00:00Z' }, namespace)
    await sql("update namespaces set late_arrival_grace = '365 days' where namespace_id = $1", [namespace])
    await meter(account, { occurred_at: '2031-02-01T10:07:00Z', quantity: 3 }, namespace)
    const usedAt = async (at: string) => (await check(account, { at }, namespace))['used']
    expect(await usedAt('2031-02-01T10:06:59.999Z')).toBe(0)
    expect(await usedAt('2031-02-01T10:07:00Z')).toBe(3)
    expect(await usedAt('2031-03-03T10:06:59.999Z')).toBe(3)
    expect(await usedAt('2031-03-03T10:07:00Z')).toBe(0)
  })

  it('a late entry counts from when it was recorded', async () => {
    const namespace = await namespaceAt('2031-03-10T00:00:00Z')
    const account = mintAccount()
    await grant(account, { window: 'calendar_month', effective_start: '2031-01-01T00:00:00Z' }, namespace)
    const late = await meter(account, { occurred_at: '2031-02-20T00:00:00Z', quantity: 4 }, namespace)
    expect(late).toMatchObject({ entry: { late: true } })
    expect(await check(account, { at: '2031-02-25T00:00:00Z' }, namespace)).toMatchObject({ used: 0 })
    expect(await check(account, { at: '2031-03-09T23:59:59Z' }, namespace)).toMatchObject({ used: 0 })
    expect(await check(account, { at: '2031-03-11T00:00:00Z' }, namespace)).toMatchObject({ used: 4 })
  })
})

it('inventory: what was owned then', async () => {
  const namespace = await namespaceAt('2031-03-10T00:00:00Z')
  const account = mintAccount()
  await grant(account, { limit_kind: 'inventory', effective_start: '2031-01-01T00:00:00Z' }, namespace)
  await meter(account, { occurred_at: '2031-02-01T00:00:00Z', quantity: 5 }, namespace)
  await meter(account, { occurred_at: '2031-02-15T00:00:00Z', quantity: -2 }, namespace)
  const usedAt = async (at: string) => (await check(account, { at, purpose: 'assign' }, namespace))['used']
  expect(await usedAt('2031-01-31T00:00:00Z')).toBe(0)
  expect(await usedAt('2031-02-01T00:00:00Z')).toBe(5)
  expect(await usedAt('2031-02-14T23:59:59.999Z')).toBe(5)
  expect(await usedAt('2031-02-15T00:00:00Z')).toBe(3)
  expect(await usedAt('2040-01-01T00:00:00Z')).toBe(3)
})

it('named items: those owned then', async () => {
  const namespace = await namespaceAt('2031-03-10T00:00:00Z')
  const account = mintAccount()
  const resource = 'named_users'
  await grant(account, { resource, limit_kind: 'inventory', effective_start: '2031-01-01T00:00:00Z' }, namespace)
  await assign(account, 'ada', {}, namespace)
  await setClock(namespace, '2031-03-11T00:00:00Z')
  await assign(account, 'bob', {}, namespace)
  await setClock(namespace, '2031-03-12T00:00:00Z')
  await unassign(account, 'ada', {}, namespace)
  const usedAt = async (at: string) => (await check(account, { resource, at, purpose: 'assign' }, namespace))['used']
  expect(await usedAt('2031-03-09T23:59:59Z')).toBe(0)
  expect(await usedAt('2031-03-10T12:00:00Z')).toBe(1)
  expect(await usedAt('2031-03-11T12:00:00Z')).toBe(2)
  expect(await usedAt('2031-03-12T12:00:00Z')).toBe(1)
  expect(await usedAt('2040-01-01T00:00:00Z')).toBe(1)
})

describe('holds', () => {
  const resource = 'gpu_hours'
  type Counts = [used: number, held: number]

  /** An account with 100 gpu_hours, and what a check at some moment says of it. */
  async function holder(fields: Answer = {}) {
    const namespace = await namespaceAt('2031-03-10T00:00:00Z')
    const account = mintAccount()
    const dates = { effective_start: '2031-01-01T00:00:00Z' }
    await grant(account, { resource, window: 'calendar_month', ...dates, ...fields }, namespace)
    const countsAt = async (at: string): Promise<Counts> => {
      const { used, held } = await check(account, { resource, at, purpose: 'consume' }, namespace)
      return [Number(used), Number(held)]
    }
    const hold = (quantity: number, ttl_seconds = 7200) => reserve(account, { quantity, ttl_seconds }, namespace)
    return { namespace, account, countsAt, hold }
  }

  it.each([{ window: 'calendar_month' }, { window: 'rolling_24h' }, { window: null, limit_kind: 'inventory' }])(
    'those live then, then what they were committed for: %s',
    async (fields) => {
      const { namespace, countsAt, hold } = await holder(fields)
      const [committed, released] = [await hold(8), await hold(4)]
      await hold(2)
      await setClock(namespace, '2031-03-10T01:00:00Z')
      await endHold('commit', committed, { quantity: 5 }, namespace)
      await endHold('release', released, {}, namespace)
      // Before and after it has been recorded that the third expired.
      for (const recorded of [false, true]) {
        if (recorded) {
          await setClock(namespace, '2031-03-10T03:00:00Z')
          await sql('select fn_expire_reservations($1)', [namespace])
        }
        expect(await countsAt('2031-03-09T23:59:59Z')).toEqual([0, 0])
        expect(await countsAt('2031-03-10T00:30:00Z')).toEqual([0, 14])
        expect(await countsAt('2031-03-10T01:30:00Z')).toEqual([5, 2])
        expect(await countsAt('2031-03-10T02:30:00Z')).toEqual([5, 0])
      }
    },
  )

  it.each([{ window: 'calendar_month' }, { window: 'rolling_24h' }])(
    'one of an ended window counts once at each instant: %s',
    async (fields) => {
      const { namespace, countsAt, hold } = await holder(fields)
      await setClock(namespace, '2031-03-31T23:00:00Z')
      const held = await hold(8)
      await setClock(namespace, '2031-04-01T00:30:00Z')
      await endHold('commit', held, { quantity: 5 }, namespace)
      expect(await countsAt('2031-03-31T23:30:00Z')).toEqual([0, 8])
      expect(await countsAt('2031-03-31T23:59:59.998Z')).toEqual([0, 8])
      expect(await countsAt('2031-03-31T23:59:59.999Z')).toEqual([5, 0])
      const after: Counts = fields.window === 'rolling_24h' ? [5, 0] : [0, 0]
      expect(await countsAt('2031-04-01T00:00:00Z')).toEqual(after)
      expect(await countsAt('2031-04-01T00:45:00Z')).toEqual(after)
    },
  )
})

it('concurrency: the leases live then', async () => {
  const namespace = await namespaceAt('2031-03-10T00:00:00Z')
  const account = mintAccount()
  const resource = 'concurrent_users'
  await grant(account, { resource, limit_kind: 'concurrency', effective_start: '2031-01-01T00:00:00Z' }, namespace)
  const released = await acquire(account, 'released', { ttl_seconds: 7200 }, namespace)
  await acquire(account, 'kept', { ttl_seconds: 3600, units: 2 }, namespace)
  await setClock(namespace, '2031-03-10T00:30:00Z')
  await api('api_lease_release', { lease_id: textAt(released, 'lease.lease_id') }, token(namespace))
  const usedAt = async (at: string) => (await check(account, { resource, at, purpose: 'lease' }, namespace))['used']
  expect(await usedAt('2031-03-09T23:59:59Z')).toBe(0)
  expect(await usedAt('2031-03-10T00:10:00Z')).toBe(3)
  expect(await usedAt('2031-03-10T00:59:59Z')).toBe(2)
  expect(await usedAt('2031-03-10T01:01:00Z')).toBe(0)
  // And the same when it has been recorded that the lease expired.
  await setClock(namespace, '2031-03-10T03:00:00Z')
  await sql('select fn_expire_leases($1)', [namespace])
  expect(await usedAt('2031-03-10T00:59:59Z')).toBe(2)
  expect(await usedAt('2031-03-10T02:30:00Z')).toBe(0)
})

it('time access: in force then', async () => {
  const namespace = await namespaceAt('2031-03-10T00:00:00Z')
  const account = mintAccount()
  const dates = { effective_start: '2031-02-01T00:00:00Z', effective_end: '2031-03-01T00:00:00Z' }
  await grant(account, { limit_kind: 'time_access', quantity: null, ...dates }, namespace)
  const reasonAt = async (at: string | undefined) =>
    (await check(account, at === undefined ? {} : { at }, namespace))['reason']
  expect(await reasonAt('2031-01-31T23:59:59.999Z')).toBe('not_started')
  expect(await reasonAt('2031-02-01T00:00:00Z')).toBe('within_limit')
  expect(await reasonAt('2031-02-28T23:59:59.999Z')).toBe('within_limit')
  expect(await reasonAt('2031-03-01T00:00:00Z')).toBe('expired')
  expect(await reasonAt(undefined)).toBe('expired')
})

it.each(['calendar_month', 'billing_cycle', 'rolling_30d', 'none', 'calendar_day', 'rolling_24h'])(
  'asked for now, %s gives what a plain check gives',
  async (window) => {
    const namespace = await namespaceAt('2031-03-10T10:00:00Z')
    const account = mintAccount()
    await grant(account, { window, effective_start: '2031-03-01T00:00:00Z' }, namespace)
    for (const occurred_at of ['2031-03-09T13:01:00Z', '2031-03-10T09:59:00Z', null]) {
      await meter(account, { occurred_at, quantity: 3 }, namespace)
    }
    // A moment before the grant: nothing covered it then, so it counts with what covers it now.
    await meter(account, { occurred_at: '2031-02-28T23:59:59Z', quantity: 1 }, namespace)
    const now = '2031-03-10T10:01:00Z'
    const decision = await checkWhen(now, account, {}, namespace)
    expect(await checkWhen(now, account, { at: now }, namespace)).toEqual(decision)
  },
)

it('a check with at changes nothing', async () => {
  const account = mintAccount()
  await grant(account, { window: 'calendar_month' })
  await consume(account, { quantity: 2 })
  await check(account, { at: '2050-01-01T00:00:00Z', quantity: 50 })
  expect(await check(account)).toMatchObject({ used: 2 })
})
