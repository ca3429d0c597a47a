import { expect, test } from 'vitest'
import { mintAccount, mintNamespace } from '../support/edge.ts'
import { bodyOf, check, consume, grant, key, meter, setClock } from '../support/edge-commands.ts'
import { at, numberAt } from '../support/json-path.ts'

test('calendar months are those of the account’s timezone, across a change of its clocks', async () => {
  const namespace = await mintNamespace()
  const account = mintAccount()
  await bodyOf(200, namespace.call('PATCH', `/v1/accounts/${account}`, { timezone: 'America/New_York' }))
  await setClock(namespace, '2027-03-01T04:59:00Z')
  await grant(namespace, account, { window: 'calendar_month' })
  const type = 'calendar_month'
  expect(await check(namespace, account)).toMatchObject({
    window: { type, start: '2027-02-01T05:00:00Z', end: '2027-03-01T05:00:00Z' },
  })
  await setClock(namespace, '2027-03-01T05:00:00Z')
  expect(await check(namespace, account)).toMatchObject({
    window: { type, start: '2027-03-01T05:00:00Z', end: '2027-04-01T04:00:00Z' },
  })
})

test('a billing cycle of a grant is anchored at its start, clamped to the month’s end, and never drifts', async () => {
  const namespace = await mintNamespace()
  const account = mintAccount()
  await setClock(namespace, '2027-01-31T09:30:00Z')
  await grant(namespace, account, { window: 'billing_cycle', effective_start: '2027-01-31T09:30:00Z' })
  const ends = []
  for (const instant of ['2027-01-31T09:30:00Z', '2027-02-28T09:30:00Z', '2027-03-31T09:30:00Z']) {
    expect(at(await check(namespace, account, { at: instant }), 'window.start')).toBe(instant)
    ends.push(at(await check(namespace, account, { at: instant }), 'window.end'))
  }
  expect(ends).toEqual(['2027-02-28T09:30:00Z', '2027-03-31T09:30:00Z', '2027-04-30T09:30:00Z'])
})

test('a subscription’s billing cycle is anchored at its start, also in the past', async () => {
  const namespace = await mintNamespace()
  const account = mintAccount()
  await setClock(namespace, '2028-03-10T00:00:00Z')
  const entitlements = [{ resource: 'benchmark_runs', limit_kind: 'cumulative', quantity: 9, window: 'billing_cycle' }]
  await bodyOf(200, namespace.call('PUT', '/v1/plans/p', { name: 'P', entitlements }))
  const start_at = '2027-12-31T12:00:00Z'
  const subscribed = bodyOf(
    201,
    namespace.call('POST', `/v1/accounts/${account}/subscriptions`, { ...key(), plan_id: 'p', start_at }),
  )
  expect(await subscribed).toMatchObject({ subscription: { start_at, billing_anchor: start_at } })
  expect(await check(namespace, account)).toMatchObject({
    window: { type: 'billing_cycle', start: '2028-02-29T12:00:00Z', end: '2028-03-31T12:00:00Z' },
  })
})

test('thirty rolling days: a use leaves when it is thirty days old, not before', async () => {
  const namespace = await mintNamespace()
  const account = mintAccount()
  await setClock(namespace, '2027-01-05T12:00:00Z')
  await grant(namespace, account, { window: 'rolling_30d', quantity: 10, effective_start: '2027-01-01T00:00:00Z' })
  const occurred_at = '2027-01-05T12:00:00Z'
  await bodyOf(201, meter(namespace, account, { quantity: 10, occurred_at }))
  await setClock(namespace, '2027-02-04T11:59:00Z')
  expect(await check(namespace, account)).toMatchObject({ reason: 'limit_exceeded', used: 10, window: { end: null } })
  await setClock(namespace, '2027-02-04T12:00:00Z')
  expect(await check(namespace, account)).toMatchObject({ reason: 'within_limit', used: 0 })
})

test('a month starts at nothing by itself; a pack without a window goes on', async () => {
  const namespace = await mintNamespace()
  const account = mintAccount()
  await setClock(namespace, '2027-01-05T00:00:00Z')
  await grant(namespace, account, { window: 'calendar_month', quantity: 10 })
  await grant(namespace, account, { window: 'none', quantity: 5, priority: 200 })
  await bodyOf(201, consume(namespace, account, { quantity: 12 }))
  expect(numberAt(await check(namespace, account), 'remaining')).toBe(3)
  await setClock(namespace, '2027-02-01T00:00:00Z')
  expect(numberAt(await check(namespace, account), 'remaining')).toBe(13)
})

test('a use of a month that is closed is late, also of a month before anything was granted', async () => {
  const namespace = await mintNamespace()
  const account = mintAccount()
  await setClock(namespace, '2027-03-20T00:00:00Z')
  await grant(namespace, account, { window: 'calendar_month' })
  const uses = ['2027-01-15T00:00:00Z', '2027-02-28T23:59:59Z', '2027-03-02T00:00:00Z']
  const lateness = []
  for (const occurred_at of uses)
    lateness.push(at(await bodyOf(201, meter(namespace, account, { occurred_at })), 'entry.late'))
  expect(lateness).toEqual([true, true, false])
  expect(await check(namespace, account)).toMatchObject({ used: 3 })
})
