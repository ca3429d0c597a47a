import { describe, expect, it } from 'vitest'
import {
  acquire,
  advanceClock,
  at,
  check,
  checkWhen,
  consume,
  endHold,
  grant,
  meter,
  reserve,
  reverse,
  ruleFor,
  setClock,
  textAt,
} from '../support/commands.ts'
import { type Answer, api, mintAccount, mintNamespace, sql, token } from '../support/sql.ts'

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

describe('each window has its own', () => {
  const DAY = { action: 'grace', grace_seconds: 86_400 }
  const MINUTE = { action: 'grace', grace_seconds: 60 }
  const month = [{ window: 'calendar_month' }]

  it('a check for an earlier window goes by the clock of that, whatever came after', async () => {
    const [account, namespace] = await graceful('2031-03-10T00:00:00Z', month, DAY)
    await meter(account, { quantity: 12 }, namespace)
    await setClock(namespace, '2031-03-20T00:00:00Z')
    await meter(account, { quantity: 1 }, namespace)
    const asked = ['2031-03-09T00:00:00Z', '2031-03-10T06:00:00Z', '2031-03-12T00:00:00Z', '2031-03-20T00:00:00Z']
    const answers = () => Promise.all(asked.map((at) => check(account, { at }, namespace)))
    const before = await answers()
    expect(before.map(({ reason }) => reason)).toEqual([
      'within_limit',
      'over_limit_grace',
      'grace_exhausted',
      'grace_exhausted',
    ])
    expect(before.map((answer) => typeof at(answer, 'grace.until'))).toEqual(['object', 'string', 'string', 'string'])
    await setClock(namespace, '2031-04-05T00:00:00Z')
    // Within the limit; then April is exceeded, too.
    for (const quantity of [1, 12]) {
      await meter(account, { quantity }, namespace)
      expect(await answers()).toEqual(before)
    }
    expect(await check(account, {}, namespace)).toMatchObject({ reason: 'over_limit_grace', used: 13 })
    expect(await check(account, { at: '2031-05-02T00:00:00Z', quantity: 11 }, namespace)).toMatchObject({
      reason: 'over_limit_grace',
      grace: { until: null },
    })
  })

  it('also when what was over was taken back since', async () => {
    const [account, namespace] = await graceful('2031-03-10T00:00:00Z', month, DAY)
    const over = await meter(account, { quantity: 12 }, namespace)
    await setClock(namespace, '2031-03-12T00:00:00Z')
    await reverse(textAt(over, 'entry.entry_id'), { quantity: 5 }, namespace)
    const asked = { at: '2031-03-12T06:00:00Z', quantity: 4 }
    const before = await checkWhen('2031-03-12T07:00:00Z', account, asked, namespace)
    expect(before).toMatchObject({ reason: 'grace_exhausted', used: 7 })
    await setClock(namespace, '2031-04-05T00:00:00Z')
    await meter(account, { quantity: 12 }, namespace)
    expect(await check(account, asked, namespace)).toEqual(before)
  })

  it('none: as it was before a reversal ended it, and before it began again', async () => {
    const [account, namespace] = await graceful('2031-03-10T00:00:00Z', [{}], DAY)
    const over = await meter(account, { quantity: 12 }, namespace)
    await setClock(namespace, '2031-03-14T00:00:00Z')
    const asked = ['2031-03-10T06:00:00Z', '2031-03-12T00:00:00Z']
    const answers = (now: string) =>
      Promise.all(asked.map((instant) => checkWhen(now, account, { at: instant }, namespace)))
    const before = await answers('2031-03-14T00:00:00Z')
    expect(before).toMatchObject([{ reason: 'over_limit_grace' }, { reason: 'grace_exhausted' }])
    await reverse(textAt(over, 'entry.entry_id'), { quantity: 5 }, namespace)
    expect(await answers('2031-03-15T00:00:00Z')).toEqual(before)
    expect(await check(account, {}, namespace)).toMatchObject({ reason: 'within_limit', grace: { until: null } })
    await setClock(namespace, '2031-03-16T00:00:00Z')
    const again = await meter(account, { quantity: 8 }, namespace)
    await setClock(namespace, '2031-03-20T00:00:00Z')
    await reverse(textAt(again, 'entry.entry_id'), { quantity: 8 }, namespace)
    expect(await answers('2031-03-20T00:00:00Z')).toEqual(before)
    // The second time counts from the second crossing.
    expect(await check(account, { at: '2031-03-16T12:00:00Z' }, namespace)).toMatchObject({
      reason: 'over_limit_grace',
      used: 15,
    })
    expect(await check(account, { at: '2031-03-17T12:00:00Z' }, namespace)).toMatchObject({ reason: 'grace_exhausted' })
  })

  it('what comes late into a window whose grace is used up is excess, alone and in a batch', async () => {
    const [account, namespace] = await graceful('2031-03-10T00:00:00Z', month, DAY)
    await meter(account, { quantity: 12 }, namespace)
    await setClock(namespace, '2031-03-31T12:00:00Z')
    expect(await meter(account, {}, namespace)).toMatchObject({ entry: { overage_quantity: 0, excess_quantity: 1 } })
    await setClock(namespace, '2031-04-01T00:30:00Z')
    const occurred_at = '2031-03-31T12:00:00Z'
    const split = { entry: { late: false, overage_quantity: 0, excess_quantity: 1 } }
    expect(await meter(account, { occurred_at }, namespace)).toMatchObject(split)
    // Whatever has become of the new window meanwhile.
    await meter(account, { quantity: 12 }, namespace)
    expect(await meter(account, { occurred_at }, namespace)).toMatchObject(split)
    const entries = ['one', 'two'].map((idempotency_key) => ({
      account_id: account,
      resource: 'benchmark_runs',
      quantity: 1,
      idempotency_key,
      occurred_at,
    }))
    await api('api_meter_batch', { entries }, token(namespace))
    expect(
      await sql(
        `select overage_quantity::float, excess_quantity::float from consumption_ledger
         where namespace_id = $1 and idempotency_key in ('one', 'two')`,
        [namespace],
      ),
    ).toEqual([
      { overage_quantity: 0, excess_quantity: 1 },
      { overage_quantity: 0, excess_quantity: 1 },
    ])
    expect(await check(account, {}, namespace)).toMatchObject({ reason: 'over_limit_grace', used: 12 })
  })

  it('the first that comes late over a limit starts the clock of its own window', async () => {
    const [account, namespace] = await graceful('2031-03-10T00:00:00Z', month, MINUTE)
    await sql("update namespaces set late_arrival_grace = '30 days' where namespace_id = $1", [namespace])
    await setClock(namespace, '2031-04-10T00:00:00Z')
    await meter(account, { quantity: 12 }, namespace)
    await setClock(namespace, '2031-04-11T00:00:00Z')
    const exhausted = await check(account, {}, namespace)
    expect(exhausted).toMatchObject({ reason: 'grace_exhausted' })
    const late = { occurred_at: '2031-03-20T00:00:00Z' }
    expect(await meter(account, { ...late, quantity: 11 }, namespace)).toMatchObject({
      entry: { included_quantity: 10, overage_quantity: 1, excess_quantity: 0 },
    })
    expect(at(await check(account, {}, namespace), 'grace.until')).toBe(at(exhausted, 'grace.until'))
    await advanceClock(namespace, 61)
    expect(await meter(account, late, namespace)).toMatchObject({ entry: { overage_quantity: 0, excess_quantity: 1 } })
  })

  it('what is dated ahead into the next window starts that one with it', async () => {
    const [account, namespace] = await graceful('2031-03-31T23:57:00Z', month, MINUTE)
    await meter(account, { quantity: 11, occurred_at: '2031-04-01T00:01:00Z' }, namespace)
    await setClock(namespace, '2031-03-31T23:59:00Z')
    expect(await check(account, { quantity: 11 }, namespace)).toMatchObject({
      reason: 'over_limit_grace',
      used: 0,
      grace: { until: null },
    })
    expect(await consume(account, { quantity: 11 }, namespace)).toMatchObject({ outcome: 'grace' })
    await setClock(namespace, '2031-04-01T00:00:30Z')
    const until = { grace: { until: '2031-04-01T00:01:00Z' } }
    expect(await check(account, {}, namespace)).toMatchObject({ reason: 'over_limit_grace', used: 11, ...until })
    expect(await consume(account, {}, namespace)).toMatchObject({ outcome: 'grace', ...until })
    await setClock(namespace, '2031-04-01T00:01:00Z')
    expect(await consume(account, {}, namespace)).toMatchObject({ reason: 'grace_exhausted', ...until })
  })
})

describe('started by a hold', () => {
  const resource = 'gpu_hours'
  const NOW = '2031-03-10T12:00:00Z'

  async function holder() {
    const [account, namespace] = await graceful(NOW, [{ resource, window: 'calendar_month' }], {
      action: 'grace',
      resource,
      grace_seconds: 60,
    })
    return {
      hold: (quantity: number, ttl_seconds = 3600) => reserve(account, { quantity, ttl_seconds }, namespace),
      end: (how: 'commit' | 'release', held: Answer, fields: Answer = {}) => endHold(how, held, fields, namespace),
      use: (quantity: number) => consume(account, { resource, quantity }, namespace),
      ask: (quantity: number, at?: string) =>
        check(account, { resource, quantity, ...(at === undefined ? {} : { at }) }, namespace),
      pass: (seconds: number) => advanceClock(namespace, seconds),
    }
  }

  it.each(['released', 'expired', 'committed for less'])('that was %s, it has not begun', async (end) => {
    const world = await holder()
    const held = await world.hold(12, end === 'expired' ? 30 : 3600)
    expect(held).toMatchObject({ reason: 'over_limit_grace' })
    await world.pass(25)
    if (end === 'released') await world.end('release', held)
    if (end === 'committed for less') await world.end('commit', held, { quantity: 1 })
    await world.pass(100)
    const used = end === 'committed for less' ? 1 : 0
    expect(await world.ask(11)).toMatchObject({ reason: 'over_limit_grace', used, held: 0, grace: { until: null } })
    const crossing = await world.use(11)
    expect(crossing).toMatchObject({ outcome: 'grace', used: used + 11 })
    expect(secondsLeft(crossing)).toBe(60)
    await world.pass(60)
    expect(await world.use(1)).toMatchObject({ reason: 'grace_exhausted' })
    // While it was held, it had.
    expect(await world.ask(1, '2031-03-10T12:00:20Z')).toMatchObject({
      reason: 'over_limit_grace',
      held: 12,
      grace: { until: at(held, 'grace.until') },
    })
  })

  it('and kept by the use that it was committed for', async () => {
    const world = await holder()
    const held = await world.hold(12)
    await world.pass(30)
    await world.end('commit', held, { quantity: 11 })
    expect(at(await world.ask(1), 'grace.until')).toBe(at(held, 'grace.until'))
    await world.pass(30)
    expect(await world.use(1)).toMatchObject({ reason: 'grace_exhausted' })
  })

  it('that is gone, counts from the first use or hold that went over besides', async () => {
    const world = await holder()
    const first = await world.hold(12)
    await world.pass(20)
    const second = await world.hold(1)
    await world.pass(10)
    expect(await world.use(1)).toMatchObject({ outcome: 'grace', grace: { until: at(first, 'grace.until') } })
    await world.end('release', first)
    const until = Date.parse(textAt(await world.ask(1), 'grace.until'))
    expect(until).toBeGreaterThanOrEqual(Date.parse(textAt(first, 'grace.until')) + 20_000)
    expect(until).toBeLessThan(Date.parse(textAt(first, 'grace.until')) + 25_000)
    await world.end('release', second)
    expect(Date.parse(textAt(await world.ask(1), 'grace.until'))).toBeGreaterThanOrEqual(until + 10_000)
  })
})
