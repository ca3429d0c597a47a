import { describe, expect, it } from 'vitest'
import {
  acquire,
  advanceClock,
  at,
  check,
  consume,
  grant,
  meter,
  ruleFor,
  setClock,
  textAt,
} from '../support/commands.ts'
import { type Answer, api, mintAccount, mintNamespace, token } from '../support/sql.ts'

const GRACE = { action: 'grace', grace_seconds: 3600 }

async function graceful(
  now: string,
  grants: Answer[],
  rule: Answer = GRACE,
): Promise<[account: string, namespace: string]> {
  const namespace = await mintNamespace()
  await setClock(namespace, now)
  const account = mintAccount()
  for (const fields of grants)
    await grant(account, { quantity: 10, effective_start: '2031-01-01T00:00:00Z', ...fields }, namespace)
  await ruleFor(account, rule, namespace)
  return [account, namespace]
}

/** `until` less the clock of the answer, in seconds. */
const secondsLeft = (answer: Answer) =>
  (Date.parse(textAt(answer, 'grace.until')) - Date.parse(textAt(answer, 'as_of'))) / 1000

describe('the clock', () => {
  it('is set by the entry that crosses the limit, and kept by those after it', async () => {
    const [account, namespace] = await graceful('2031-03-10T00:00:00Z', [{ window: 'calendar_month' }])
    expect(await check(account, { quantity: 11 }, namespace)).toMatchObject({
      reason: 'over_limit_grace',
      grace: { until: null },
    })
    const within = await consume(account, { quantity: 10 }, namespace)
    expect(within).toMatchObject({ outcome: 'allow', grace: { quantity_left: null, until: null } })
    const crossing = await consume(account, {}, namespace)
    expect(crossing).toMatchObject({ outcome: 'grace', reason: 'over_limit_grace', entry: { overage_quantity: 1 } })
    expect(secondsLeft(crossing)).toBe(3600)
    await advanceClock(namespace, 1800)
    const later = await consume(account, {}, namespace)
    expect(at(later, 'grace.until')).toBe(at(crossing, 'grace.until'))
    expect(await check(account, { quantity: 0 }, namespace)).toMatchObject({
      grace: { until: at(crossing, 'grace.until') },
    })
  })

  it('runs out to the millisecond, and metering then counts as excess', async () => {
    const [account, namespace] = await graceful('2031-03-10T00:00:00Z', [{ window: 'calendar_month' }])
    const crossing = await consume(account, { quantity: 11 }, namespace)
    await setClock(namespace, textAt(crossing, 'grace.until'))
    expect(await consume(account, {}, namespace)).toMatchObject({
      allowed: false,
      reason: 'grace_exhausted',
      grace: { quantity_left: 0 },
    })
    expect(await check(account, { quantity: 0 }, namespace)).toMatchObject({ allowed: true })
    expect(await meter(account, {}, namespace)).toMatchObject({ entry: { overage_quantity: 0, excess_quantity: 1 } })
  })

  it('is set by metering too, and shown by a check', async () => {
    const [account, namespace] = await graceful('2031-03-10T00:00:00Z', [{ window: 'calendar_month' }])
    await meter(account, { quantity: 12 }, namespace)
    const left = secondsLeft(await check(account, {}, namespace))
    expect(left).toBeGreaterThan(3590)
    expect(left).toBeLessThanOrEqual(3600)
  })

  it('ends with the window: the next one crosses anew', async () => {
    const [account, namespace] = await graceful('2031-03-31T23:50:00Z', [{ window: 'calendar_month' }])
    await consume(account, { quantity: 11 }, namespace)
    await setClock(namespace, '2031-04-01T02:00:00Z')
    expect(await check(account, { quantity: 11 }, namespace)).toMatchObject({
      reason: 'over_limit_grace',
      used: 0,
      grace: { until: null },
    })
    const crossing = await consume(account, { quantity: 11 }, namespace)
    expect(crossing).toMatchObject({ outcome: 'grace' })
    expect(secondsLeft(crossing)).toBe(3600)
  })

  it('used up in one window, it is whole in the next', async () => {
    const [account, namespace] = await graceful('2031-03-31T12:00:00Z', [{ window: 'calendar_day' }])
    await consume(account, { quantity: 11 }, namespace)
    await advanceClock(namespace, 3601)
    expect(await consume(account, {}, namespace)).toMatchObject({ reason: 'grace_exhausted' })
    await setClock(namespace, '2031-04-01T00:00:00Z')
    expect(await consume(account, { quantity: 11 }, namespace)).toMatchObject({ outcome: 'grace' })
  })

  it('ends with the earliest-ending of several windows', async () => {
    const [account, namespace] = await graceful('2031-03-10T23:30:00Z', [
      { window: 'calendar_day' },
      { window: 'calendar_month' },
    ])
    const crossing = await consume(account, { quantity: 21 }, namespace)
    expect(crossing).toMatchObject({ outcome: 'grace' })
    await setClock(namespace, '2031-03-11T00:00:00Z')
    // The day's 10 are back; the month's are used, and one over.
    expect(await check(account, { quantity: 11 }, namespace)).toMatchObject({
      reason: 'over_limit_grace',
      grace: { until: null },
    })
  })

  it.each(['calendar_month', 'calendar_day'])(
    'of a %s runs on when the use is under the limit again',
    async (window) => {
      const [account, namespace] = await graceful('2031-03-10T00:00:00Z', [{ window }])
      const crossing = await consume(account, { quantity: 11 }, namespace)
      const list = await api('api_entitlement_list', { account_id: account }, token(namespace))
      const id = { entitlement_id: at(list, 'data.0.entitlement_id') }
      await api('api_entitlement_patch', { ...id, quantity: 20 }, token(namespace))
      await advanceClock(namespace, 600)
      expect(await consume(account, { quantity: 8 }, namespace)).toMatchObject({ outcome: 'allow' })
      const again = await consume(account, { quantity: 2 }, namespace)
      expect(at(again, 'grace.until')).toBe(at(crossing, 'grace.until'))
    },
  )
})

describe('where no window ends it, falling back under the limit does', () => {
  it('rolling', async () => {
    const [account, namespace] = await graceful('2031-03-10T00:00:00Z', [{ window: 'rolling_24h' }])
    const first = await consume(account, { quantity: 11 }, namespace)
    await advanceClock(namespace, 1800)
    expect(at(await consume(account, {}, namespace), 'grace.until')).toBe(at(first, 'grace.until'))
    await setClock(namespace, '2031-03-11T00:10:00Z')
    expect(await check(account, { quantity: 10 }, namespace)).toMatchObject({
      reason: 'over_limit_grace',
      used: 1,
      grace: { until: null },
    })
    const second = await consume(account, { quantity: 10 }, namespace)
    expect(second).toMatchObject({ outcome: 'grace', used: 11 })
    expect(secondsLeft(second)).toBe(3600)
  })

  it('none', async () => {
    const [account, namespace] = await graceful('2031-03-10T00:00:00Z', [{}])
    const first = await consume(account, { quantity: 11 }, namespace)
    const list = await api('api_entitlement_list', { account_id: account }, token(namespace))
    await advanceClock(namespace, 1800)
    expect(at(await consume(account, {}, namespace), 'grace.until')).toBe(at(first, 'grace.until'))
    await api(
      'api_entitlement_patch',
      { entitlement_id: at(list, 'data.0.entitlement_id'), quantity: 20 },
      token(namespace),
    )
    const second = await consume(account, { quantity: 9 }, namespace)
    expect(second).toMatchObject({ outcome: 'grace', used: 21 })
    expect(secondsLeft(second)).toBe(3600)
  })

  it('inventory: given back, then taken again', async () => {
    const [account, namespace] = await graceful('2031-03-10T00:00:00Z', [{ limit_kind: 'inventory' }], {
      ...GRACE,
      limit_kind: 'inventory',
    })
    const first = await consume(account, { quantity: 11 }, namespace)
    expect(secondsLeft(first)).toBe(3600)
    await advanceClock(namespace, 1800)
    await meter(account, { quantity: -3 }, namespace)
    expect(await check(account, { quantity: 5 }, namespace)).toMatchObject({
      reason: 'over_limit_grace',
      grace: { until: null },
    })
    expect(secondsLeft(await consume(account, { quantity: 3 }, namespace))).toBe(3600)
  })

  it('inventory: past its time nothing more is taken until it is under again', async () => {
    const [account, namespace] = await graceful('2031-03-10T00:00:00Z', [{ limit_kind: 'inventory' }], {
      ...GRACE,
      limit_kind: 'inventory',
    })
    await consume(account, { quantity: 12 }, namespace)
    await advanceClock(namespace, 3601)
    expect(await consume(account, {}, namespace)).toMatchObject({ reason: 'grace_exhausted' })
    await meter(account, { quantity: -1 }, namespace)
    expect(await consume(account, {}, namespace)).toMatchObject({ reason: 'grace_exhausted' })
    await meter(account, { quantity: -1 }, namespace)
    expect(await consume(account, {}, namespace)).toMatchObject({ outcome: 'grace' })
  })

  it('concurrency: leases that expire end it', async () => {
    const fields = { limit_kind: 'concurrency', quantity: 1 }
    const [account, namespace] = await graceful('2031-03-10T00:00:00Z', [fields], {
      ...GRACE,
      limit_kind: 'concurrency',
    })
    const lease = { resource: 'benchmark_runs', ttl_seconds: 7200 }
    await acquire(account, 'a', lease, namespace)
    expect(secondsLeft(await acquire(account, 'b', lease, namespace))).toBe(3600)
    await advanceClock(namespace, 3600)
    expect(await acquire(account, 'c', lease, namespace)).toMatchObject({ reason: 'grace_exhausted' })
    await advanceClock(namespace, 3600)
    await acquire(account, 'a', lease, namespace)
    expect(secondsLeft(await acquire(account, 'b', lease, namespace))).toBe(3600)
  })
})

describe('percent and seconds together', () => {
  it('whichever is used up first', async () => {
    const [account, namespace] = await graceful('2031-03-10T00:00:00Z', [{ window: 'calendar_month' }], {
      ...GRACE,
      grace_percent: 20,
    })
    expect(await consume(account, { quantity: 11 }, namespace)).toMatchObject({ grace: { quantity_left: 1 } })
    expect(await check(account, { quantity: 2 }, namespace)).toMatchObject({
      reason: 'grace_exhausted',
      grace: { quantity_left: 0 },
    })
    expect(await check(account, { quantity: 1 }, namespace)).toMatchObject({
      reason: 'over_limit_grace',
      grace: { quantity_left: 0 },
    })
    await advanceClock(namespace, 3600)
    expect(await check(account, { quantity: 1 }, namespace)).toMatchObject({ reason: 'grace_exhausted' })
  })
})
