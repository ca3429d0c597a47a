import { describe, expect, it } from 'vitest'
import { check, grant, keyed, meter, setClock } from '../../support/commands.ts'
import { api, mintAccount, mintNamespace, sql, token } from '../../support/sql.ts'

/** An account with 100 of `window` since January, in a namespace whose clock shows `now`. */
async function accountAt(
  now: string,
  window: string,
  grace = '1 hour',
  fields = {},
): Promise<[account: string, namespace: string]> {
  const namespace = await mintNamespace()
  await sql('update namespaces set late_arrival_grace = $2::interval where namespace_id = $1', [namespace, grace])
  await setClock(namespace, now)
  const account = mintAccount()
  await grant(account, { window, effective_start: '2031-01-31T09:00:00Z', ...fields }, namespace)
  return [account, namespace]
}

describe('a use of an earlier window', () => {
  it.each([
    // Closed from its end + the grace on, not before.
    ['calendar_month', '2031-04-01T00:55:00Z', '1 hour', '2031-03-31T23:00:00Z', false],
    ['calendar_month', '2031-04-01T01:00:00Z', '1 hour', '2031-03-31T23:00:00Z', true],
    ['calendar_month', '2031-04-01T01:00:00Z', '1 hour', '2031-04-01T00:00:00Z', false],
    ['calendar_month', '2031-04-01T00:00:01Z', '0', '2031-03-31T23:59:59.999Z', true],
    ['calendar_month', '2031-04-08T00:00:00Z', '8 days', '2031-03-01T00:00:00Z', false],
    ['calendar_month', '2031-04-09T00:00:01Z', '8 days', '2031-03-01T00:00:00Z', true],
    ['billing_cycle', '2031-04-30T09:59:00Z', '1 hour', '2031-04-30T08:59:59Z', false],
    ['billing_cycle', '2031-04-30T10:00:00Z', '1 hour', '2031-04-30T08:59:59Z', true],
    ['calendar_day', '2031-04-02T01:00:00Z', '1 hour', '2031-04-01T23:59:59Z', true],
    ['none', '2040-01-01T00:00:00Z', '1 hour', '2031-02-01T00:00:00Z', false],
    // A rolling window is billed, and so closed, by the calendar month.
    ['rolling_30d', '2031-04-01T01:00:00Z', '1 hour', '2031-03-31T23:59:59Z', true],
    ['rolling_30d', '2031-04-20T00:00:00Z', '1 hour', '2031-04-01T00:00:00Z', false],
  ])('%s at %s with a grace of %s, used at %s: late %s', async (window, now, grace, occurred_at, late) => {
    const [account, namespace] = await accountAt(now, window, grace)
    const answer = await meter(account, { quantity: 7, occurred_at }, namespace)
    expect(answer).toMatchObject({
      entry: { late, occurred_at: occurred_at.replace('.000Z', 'Z'), included_quantity: 7 },
    })
    const [row] = await sql<{ counted: string }>(
      `select case when l.counted_at = l.recorded_at then 'when recorded' when l.counted_at = l.occurred_at then 'when it occurred' end as counted
       from consumption_ledger l join accounts a using (account_id) where a.external_id = $1`,
      [account],
    )
    expect(row?.counted).toBe(late ? 'when recorded' : 'when it occurred')
    if (late) expect(await check(account, {}, namespace)).toMatchObject({ used: 7 })
  })

  it('of none closes when the entitlement ends, and counts with what is in force now', async () => {
    const [account, namespace] = await accountAt('2031-04-01T00:30:00Z', 'none', '1 hour', {
      effective_end: '2031-04-01T00:00:00Z',
    })
    await grant(account, { effective_start: '2031-04-01T00:00:00Z' }, namespace)
    const before = { quantity: 2, occurred_at: '2031-03-31T23:59:00Z' }
    expect(await meter(account, before, namespace)).toMatchObject({ entry: { late: false } })
    expect(await check(account, {}, namespace)).toMatchObject({ used: 0 })
    await setClock(namespace, '2031-04-01T01:00:00Z')
    expect(await meter(account, before, namespace)).toMatchObject({ entry: { late: true } })
    expect(await check(account, {}, namespace)).toMatchObject({ used: 2 })
  })

  it('a late entry under a limit that is used up is excess in the present window', async () => {
    const [account, namespace] = await accountAt('2031-04-10T00:00:00Z', 'calendar_month')
    await meter(account, { quantity: 98 }, namespace)
    expect(await meter(account, { quantity: 5, occurred_at: '2031-03-01T00:00:00Z' }, namespace)).toMatchObject({
      over_limit: true,
      entry: { late: true, included_quantity: 2, excess_quantity: 3 },
      state: { used: 103, remaining: 0 },
    })
  })

  it('one of its windows open, another closed: late', async () => {
    const [account, namespace] = await accountAt('2031-04-02T02:00:00Z', 'calendar_month')
    await grant(account, { window: 'calendar_day', effective_start: '2031-01-31T09:00:00Z' }, namespace)
    expect(await meter(account, { occurred_at: '2031-04-01T12:00:00Z' }, namespace)).toMatchObject({
      entry: { late: true },
    })
  })
})

describe('what nothing covered when it occurred counts with what covers it now', () => {
  it.each([
    // Late by the same rule: when the window that held it is closed.
    ['calendar_month', '2031-04-10T00:00:00Z', '2031-01-31T08:59:59Z', true],
    ['calendar_month', '2031-02-01T00:59:00Z', '2031-01-31T08:59:59Z', false],
    ['calendar_month', '2031-02-01T01:00:00Z', '2031-01-31T08:59:59Z', true],
    ['calendar_month', '2031-01-31T20:00:00Z', '2031-01-01T00:00:00Z', false],
    ['calendar_month', '2031-04-01T00:30:00Z', '2031-01-31T08:59:59Z', true],
    ['rolling_30d', '2031-04-10T00:00:00Z', '2031-01-31T08:59:59Z', true],
    ['billing_cycle', '2031-04-10T00:00:00Z', '2031-01-31T08:59:59Z', false],
    ['none', '2031-04-10T00:00:00Z', '2031-01-31T08:59:59Z', false],
  ])('%s at %s, used at %s: late %s', async (window, now, occurred_at, late) => {
    const [account, namespace] = await accountAt(now, window)
    const entry = { included_quantity: 3, excess_quantity: 0, occurred_at, late }
    const use = { account_id: account, resource: 'benchmark_runs', quantity: 3, occurred_at }
    expect(await meter(account, use, namespace)).toMatchObject({ entry, state: { limit: 100 } })
    const batch = { entries: [{ index: 0, ...keyed(), ...use }] }
    expect(await api('api_meter_batch', batch, token(namespace))).toMatchObject({ results: [{ entry }] })
  })
})
