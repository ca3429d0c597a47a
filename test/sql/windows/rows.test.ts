import { describe, expect, it } from 'vitest'
import { accountId, check, consume, grant, meter, setClock } from '../../support/commands.ts'
import { mintAccount, mintNamespace, sql } from '../../support/sql.ts'

async function clockAt(now: string): Promise<string> {
  const namespace = await mintNamespace()
  await setClock(namespace, now)
  return namespace
}

const inZone = async (account: string, namespace: string, zone: string) =>
  sql('update accounts set timezone = $2 where account_id = $1', [await accountId(account, namespace), zone])

describe('a new window starts at zero by itself', () => {
  it.each([
    ['calendar_month', '2031-03-31T23:00:00Z', '2031-04-01T00:00:00Z', '2031-05-01T00:00:00Z'],
    ['billing_cycle', '2031-04-29T23:00:00Z', '2031-04-30T09:00:00Z', '2031-05-31T09:00:00Z'],
    ['calendar_day', '2031-03-31T23:00:00Z', '2031-04-01T00:00:00Z', '2031-04-02T00:00:00Z'],
    ['calendar_week', '2031-04-06T23:00:00Z', '2031-04-07T00:00:00Z', '2031-04-14T00:00:00Z'],
    ['calendar_quarter', '2031-03-31T23:00:00Z', '2031-04-01T00:00:00Z', '2031-07-01T00:00:00Z'],
    ['calendar_year', '2031-12-31T23:00:00Z', '2032-01-01T00:00:00Z', '2033-01-01T00:00:00Z'],
    ['billing_year', '2032-01-31T08:00:00Z', '2032-01-31T09:00:00Z', '2033-01-31T09:00:00Z'],
  ])('%s: used up at %s, whole again from %s to %s', async (window, before, start, end) => {
    const namespace = await clockAt(before)
    const account = mintAccount()
    await grant(account, { window, quantity: 10, effective_start: '2031-01-31T09:00:00Z' }, namespace)
    expect(await consume(account, { quantity: 10 }, namespace)).toMatchObject({ allowed: true, window: { end: start } })
    expect(await consume(account, {}, namespace)).toMatchObject({ allowed: false, reason: 'limit_exceeded' })
    await setClock(namespace, start)
    expect(await check(account, {}, namespace)).toMatchObject({
      allowed: true,
      used: 0,
      remaining: 10,
      window: { type: window, start, end },
    })
    expect(await consume(account, { quantity: 10 }, namespace)).toMatchObject({
      allowed: true,
      used: 10,
      window: { start, end },
    })
  })

  it('none never does', async () => {
    const namespace = await clockAt('2031-03-31T23:00:00Z')
    const account = mintAccount()
    await grant(
      account,
      { quantity: 10, effective_start: '2031-01-01T00:00:00Z', effective_end: '2060-01-01T00:00:00Z' },
      namespace,
    )
    await consume(account, { quantity: 10 }, namespace)
    await setClock(namespace, '2055-01-01T00:00:00Z')
    expect(await check(account, {}, namespace)).toMatchObject({
      allowed: false,
      used: 10,
      window: { type: 'none', start: '2031-01-01T00:00:00Z', end: '2060-01-01T00:00:00Z' },
    })
  })
})

describe('a new timezone starts with the next window', () => {
  it.each([
    // Eastward: the local month begins before the running window ends, so it starts where that one ends.
    ['America/Los_Angeles', 'Asia/Tokyo', '2031-04-01T07:00:00Z', '2031-04-01T07:00:00Z', '2031-04-30T15:00:00Z'],
    // Westward: the rest of the local month is too short for a window, and joins the next.
    ['Asia/Tokyo', 'America/Los_Angeles', '2031-03-31T15:00:00Z', '2031-03-31T15:00:00Z', '2031-05-01T07:00:00Z'],
    ['UTC', 'UTC', '2031-04-01T00:00:00Z', '2031-04-01T00:00:00Z', '2031-05-01T00:00:00Z'],
  ])('from %s to %s', async (before, after, end, nextStart, nextEnd) => {
    const namespace = await clockAt('2031-03-20T00:00:00Z')
    const account = mintAccount()
    await grant(account, { window: 'calendar_month', effective_start: '2031-01-01T00:00:00Z' }, namespace)
    await inZone(account, namespace, before)
    const first = await consume(account, { quantity: 3 }, namespace)
    expect(first).toMatchObject({ window: { end } })
    await inZone(account, namespace, after)
    expect(await check(account, {}, namespace)).toMatchObject({ used: 3, window: first['window'] })
    expect(await consume(account, { quantity: 4 }, namespace)).toMatchObject({ used: 7, window: first['window'] })
    await setClock(namespace, end)
    const next = { type: 'calendar_month', start: nextStart, end: nextEnd }
    expect(await check(account, {}, namespace)).toMatchObject({ used: 0, window: next })
    expect(await consume(account, {}, namespace)).toMatchObject({ used: 1, window: next })
  })
})

it('a use reported late, after the timezone changed, falls into a window that ends where the running one starts', async () => {
  const namespace = await clockAt('2031-03-01T00:10:00Z')
  const account = mintAccount()
  await grant(account, { window: 'calendar_month', quantity: 5, effective_start: '2030-12-01T00:00:00Z' }, namespace)
  const march = { start: '2031-03-01T00:00:00Z', end: '2031-04-01T00:00:00Z' }
  expect(await consume(account, {}, namespace)).toMatchObject({ used: 1, window: march })
  await inZone(account, namespace, 'Asia/Tokyo')
  const late = await meter(account, { occurred_at: '2031-02-28T23:50:00Z' }, namespace)
  expect(late).toMatchObject({ entry: { late: false }, state: { limit: 5, used: 1 } })
  expect(await check(account, {}, namespace)).toMatchObject({ limit: 5, used: 1, window: march })
  expect(await consume(account, { quantity: 5 }, namespace)).toMatchObject({ allowed: false, limit: 5 })
  expect(await consume(account, { quantity: 4 }, namespace)).toMatchObject({ allowed: true, used: 5 })
})

it('the cron-free past: a use reported for an open earlier window counts there and not here', async () => {
  const namespace = await clockAt('2031-04-01T00:20:00Z')
  const account = mintAccount()
  await grant(account, { window: 'calendar_month', quantity: 10, effective_start: '2031-01-01T00:00:00Z' }, namespace)
  const entry = await meter(account, { quantity: 6, occurred_at: '2031-03-31T23:59:59Z' }, namespace)
  expect(entry).toMatchObject({ state: { used: 6, remaining: 4 }, entry: { late: false } })
  expect(await check(account, {}, namespace)).toMatchObject({ used: 0, remaining: 10 })
})
