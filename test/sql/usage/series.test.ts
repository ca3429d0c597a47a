import { describe, expect, it } from 'vitest'
import { grant, meter, reverse, ruleFor, setClock, textAt } from '../../support/commands.ts'
import { type Answer, api, errorOf, mintAccount, mintNamespace, sql, token } from '../../support/sql.ts'

type Period = { start: string; end: string; quantity: number; overage_quantity: number }
type Asked = { granularity: 'hour' | 'day' | 'month'; from: string; to: string; timezone?: string; resource?: string }

/** A namespace whose clock runs on from this moment, and in which everything may be reported at any time. */
async function namespaceAt(now: string, grace = '10 years'): Promise<string> {
  const namespace = await mintNamespace()
  await sql('update namespaces set late_arrival_grace = $2::interval where namespace_id = $1', [namespace, grace])
  await setClock(namespace, now)
  return namespace
}

async function usage(account: string, asked: Asked, namespace: string): Promise<Period[]> {
  const { data } = await api(
    'api_usage',
    { account_id: account, resource: 'benchmark_runs', ...asked },
    token(namespace),
  )
  return data as Period[]
}

/** Those with something in them: start and quantities. */
const filled = (periods: readonly Period[]) =>
  periods
    .filter(({ quantity, overage_quantity }) => quantity !== 0 || overage_quantity !== 0)
    .map(({ start, quantity, overage_quantity }) =>
      overage_quantity === 0 ? [start, quantity] : [start, quantity, overage_quantity],
    )

const hoursOf = ({ start, end }: Period): number => (Date.parse(end) - Date.parse(start)) / 3_600_000

/** One follows on another, from `from` to `to`. */
function expectSeamless(periods: readonly Period[], { from, to }: { from: string; to: string }): void {
  expect(Date.parse(periods[0]?.start ?? '')).toBe(Date.parse(from))
  expect(Date.parse(periods.at(-1)?.end ?? '')).toBe(Date.parse(to))
  for (const [n, period] of periods.slice(1).entries()) expect(period.start).toBe(periods[n]?.end)
}

async function accountWith(
  namespace: string,
  uses: readonly (readonly [occurred_at: string, quantity: number, fields?: Answer])[],
): Promise<{ account: string; entries: string[] }> {
  const account = mintAccount()
  await grant(account, { window: 'calendar_month', effective_start: '2030-01-01T00:00:00Z' }, namespace)
  const entries = []
  for (const [occurred_at, quantity, fields] of uses) {
    entries.push(textAt(await meter(account, { occurred_at, quantity, ...fields }, namespace), 'entry.entry_id'))
  }
  return { account, entries }
}

describe('usage', () => {
  it('by day: every day, used or not, start inclusive and end exclusive', async () => {
    const namespace = await namespaceAt('2031-03-10T00:00:00Z')
    const { account } = await accountWith(namespace, [
      ['2031-02-27T23:59:59.999Z', 1],
      ['2031-02-28T00:00:00Z', 0.1],
      ['2031-02-28T23:59:59.999Z', 0.2],
      ['2031-03-02T12:00:00Z', 4],
      ['2031-03-03T00:00:00Z', 8],
    ])
    const asked = { from: '2031-02-28T00:00:00Z', to: '2031-03-03T00:00:00Z' }
    expect(await usage(account, { granularity: 'day', ...asked }, namespace)).toEqual([
      { start: '2031-02-28T00:00:00Z', end: '2031-03-01T00:00:00Z', quantity: 0.3, overage_quantity: 0 },
      { start: '2031-03-01T00:00:00Z', end: '2031-03-02T00:00:00Z', quantity: 0, overage_quantity: 0 },
      { start: '2031-03-02T00:00:00Z', end: '2031-03-03T00:00:00Z', quantity: 4, overage_quantity: 0 },
    ])
    expect(await usage(account, { granularity: 'month', ...asked }, namespace)).toEqual([
      { start: '2031-02-28T00:00:00Z', end: '2031-03-01T00:00:00Z', quantity: 0.3, overage_quantity: 0 },
      { start: '2031-03-01T00:00:00Z', end: '2031-03-03T00:00:00Z', quantity: 4, overage_quantity: 0 },
    ])
    const hours = await usage(account, { granularity: 'hour', ...asked }, namespace)
    expect(hours).toHaveLength(72)
    expect(filled(hours)).toEqual([
      ['2031-02-28T00:00:00Z', 0.1],
      ['2031-02-28T23:00:00Z', 0.2],
      ['2031-03-02T12:00:00Z', 4],
    ])
    for (const granularity of ['hour', 'day', 'month'] as const)
      expectSeamless(await usage(account, { granularity, ...asked }, namespace), asked)
  })

  it('by the account’s timezone unless another is asked for', async () => {
    const namespace = await namespaceAt('2031-02-10T00:00:00Z')
    const { account } = await accountWith(namespace, [
      ['2031-02-01T22:59:59Z', 1],
      ['2031-02-01T23:00:00Z', 2],
      ['2031-02-02T00:00:00Z', 4],
    ])
    await sql("update accounts set timezone = 'Europe/Berlin' where external_id = $1", [account])
    const asked = { granularity: 'day', from: '2031-01-31T23:00:00Z', to: '2031-02-02T23:00:00Z' } as const
    expect(filled(await usage(account, asked, namespace))).toEqual([
      ['2031-01-31T23:00:00Z', 1],
      ['2031-02-01T23:00:00Z', 6],
    ])
    expect(filled(await usage(account, { ...asked, timezone: 'UTC' }, namespace))).toEqual([
      ['2031-02-01T00:00:00Z', 3],
      ['2031-02-02T00:00:00Z', 4],
    ])
  })

  it('of one account and one resource, of all scopes and kinds', async () => {
    const namespace = await namespaceAt('2031-02-10T00:00:00Z')
    const on = { occurred_at: '2031-02-03T12:00:00Z' }
    const { account } = await accountWith(namespace, [[on.occurred_at, 1, { scope: 'us' }]])
    await grant(account, { scope: 'eu', effective_start: '2030-01-01T00:00:00Z' }, namespace)
    await meter(account, { ...on, quantity: 2, scope: 'eu/h100' }, namespace)
    await meter(account, { ...on, quantity: 64, resource: 'gpu_hours' }, namespace)
    await meter(mintAccount(), { ...on, quantity: 128 }, namespace)
    const stock = { resource: 'server_configs' }
    const since = { effective_start: '2030-01-01T00:00:00Z' }
    await grant(account, { ...stock, ...since, limit_kind: 'inventory' }, namespace)
    await meter(account, { ...on, ...stock, quantity: 9 }, namespace)
    await meter(account, { ...on, ...stock, quantity: -2 }, namespace)
    const asked = { granularity: 'month', from: '2031-02-01T00:00:00Z', to: '2031-03-01T00:00:00Z' } as const
    const sumOf = async (resource: string) => filled(await usage(account, { ...asked, resource }, namespace))
    expect(await sumOf('benchmark_runs')).toEqual([['2031-02-01T00:00:00Z', 3]])
    expect(await sumOf('gpu_hours')).toEqual([['2031-02-01T00:00:00Z', 64]])
    expect(await sumOf('server_configs')).toEqual([['2031-02-01T00:00:00Z', 7]])
    expect(await sumOf('ai_models')).toEqual([])
    expect(await usage('nobody', asked, namespace)).toHaveLength(1)
  })

  it('with its overage, net of reversals', async () => {
    const namespace = await namespaceAt('2031-02-10T00:00:00Z')
    const { account } = await accountWith(namespace, [['2031-02-01T00:00:00Z', 98]])
    await ruleFor(account, { action: 'overage' }, namespace)
    const use = await meter(account, { occurred_at: '2031-02-03T12:00:00Z', quantity: 7 }, namespace)
    const asked = { granularity: 'day', from: '2031-02-01T00:00:00Z', to: '2031-02-11T00:00:00Z' } as const
    expect(filled(await usage(account, asked, namespace)).at(-1)).toEqual(['2031-02-03T00:00:00Z', 7, 5])
    await reverse(textAt(use, 'entry.entry_id'), { quantity: 3 }, namespace)
    expect(filled(await usage(account, asked, namespace)).at(-1)).toEqual(['2031-02-03T00:00:00Z', 4, 2])
    await reverse(textAt(use, 'entry.entry_id'), {}, namespace)
    expect(filled(await usage(account, asked, namespace))).toEqual([['2031-02-01T00:00:00Z', 98]])
  })

  it('by when it occurred, however late it was recorded or wherever it counts', async () => {
    const namespace = await namespaceAt('2031-04-10T00:00:00Z', '1 hour')
    const { account, entries } = await accountWith(namespace, [
      ['2031-03-03T12:07:00Z', 5],
      ['2031-04-03T12:07:00Z', 3],
      // Before anything was granted: it counts now.
      ['2029-12-31T23:59:59Z', 2],
    ])
    const batch = { entries: [{ index: 0, idempotency_key: 'b', account_id: account, resource: 'benchmark_runs' }] }
    const [first] = batch.entries
    await api(
      'api_meter_batch',
      {
        entries: [
          { ...first, quantity: 20, occurred_at: '2031-03-03T12:08:00Z' },
          { ...first, idempotency_key: 'c', quantity: 40 },
        ],
      },
      token(namespace),
    )
    const asked = { granularity: 'month', from: '2029-12-01T00:00:00Z', to: '2031-05-01T00:00:00Z' } as const
    expect(filled(await usage(account, asked, namespace))).toEqual([
      ['2029-12-01T00:00:00Z', 2],
      ['2031-03-01T00:00:00Z', 25],
      ['2031-04-01T00:00:00Z', 43],
    ])
    // A reversal of what counted late counts there too, and occurred when that did.
    await reverse(entries[0] ?? '', { quantity: 1 }, namespace)
    expect(filled(await usage(account, asked, namespace))[1]).toEqual(['2031-03-01T00:00:00Z', 24])
    const day = { granularity: 'day', from: '2031-03-03T12:00:00Z', to: '2031-03-03T12:15:00Z' } as const
    expect(filled(await usage(account, day, namespace))).toEqual([['2031-03-03T12:00:00Z', 24]])
  })

  it('a late reversal is of the day on which it was recorded', async () => {
    const namespace = await namespaceAt('2031-03-31T12:00:00Z', '1 hour')
    const { account, entries } = await accountWith(namespace, [['2031-03-30T12:00:00Z', 5]])
    await setClock(namespace, '2031-04-10T12:00:00Z')
    await reverse(entries[0] ?? '', { quantity: 2 }, namespace)
    const asked = { granularity: 'month', from: '2031-03-01T00:00:00Z', to: '2031-05-01T00:00:00Z' } as const
    expect(filled(await usage(account, asked, namespace))).toEqual([
      ['2031-03-01T00:00:00Z', 5],
      ['2031-04-01T00:00:00Z', -2],
    ])
  })

  it('from and to fall anywhere: the first and the last are cut off there, to the instant', async () => {
    const namespace = await namespaceAt('2031-03-10T00:00:00Z')
    const { account } = await accountWith(namespace, [
      ['2031-02-02T10:07:59.999Z', 1],
      ['2031-02-02T10:08:00Z', 2],
      ['2031-02-02T10:14:59.999Z', 4],
      ['2031-02-02T23:59:59.999Z', 8],
      ['2031-02-04T10:37:59.999Z', 16],
      ['2031-02-04T10:38:00Z', 32],
    ])
    const asked = { from: '2031-02-02T10:08:00Z', to: '2031-02-04T10:38:00Z' }
    const days = await usage(account, { granularity: 'day', ...asked }, namespace)
    expectSeamless(days, asked)
    expect(days.map(({ quantity }) => quantity)).toEqual([14, 0, 16])
    const hours = await usage(account, { granularity: 'hour', ...asked }, namespace)
    expectSeamless(hours, asked)
    expect(filled(hours)).toEqual([
      ['2031-02-02T10:08:00Z', 6],
      ['2031-02-02T23:00:00Z', 8],
      ['2031-02-04T10:00:00Z', 16],
    ])
    for (const [from, to, quantity] of [
      ['2031-02-02T10:07:59.999Z', '2031-02-02T10:08:00Z', 1],
      ['2031-02-02T10:08:00.001Z', '2031-02-02T10:14:59.999Z', 0],
      ['2031-02-02T10:08:00Z', '2031-02-02T10:15:00Z', 6],
      ['2031-02-02T10:00:00Z', '2031-02-02T10:14:59.999Z', 3],
      ['2031-02-02T10:01:00Z', '2031-02-02T10:29:00Z', 7],
    ] as const)
      expect((await usage(account, { granularity: 'hour', from, to }, namespace))[0]?.quantity).toBe(quantity)
  })
})

describe('the clocks of a timezone', () => {
  it.each([
    ['Europe/Berlin', '2031-03-30', '2031-03-29T23:00:00Z', '2031-03-30T22:00:00Z', 23],
    ['Europe/Berlin', '2031-10-26', '2031-10-25T22:00:00Z', '2031-10-26T23:00:00Z', 25],
    ['America/New_York', '2031-11-02', '2031-11-02T04:00:00Z', '2031-11-03T05:00:00Z', 25],
    ['Asia/Kathmandu', '2031-05-01', '2031-04-30T18:15:00Z', '2031-05-01T18:15:00Z', 24],
    ['Asia/Kolkata', '2031-05-01', '2031-04-30T18:30:00Z', '2031-05-01T18:30:00Z', 24],
    ['Australia/Lord_Howe', '2031-04-06', '2031-04-05T13:00:00Z', '2031-04-06T13:30:00Z', 24.5],
    ['UTC', '2031-05-01', '2031-05-01T00:00:00Z', '2031-05-02T00:00:00Z', 24],
  ])('%s, %s has the hours it has', async (timezone, _day, from, to, hours) => {
    const namespace = await namespaceAt('2031-12-31T00:00:00Z')
    const before = new Date(Date.parse(from) - 1).toISOString()
    const last = new Date(Date.parse(to) - 1).toISOString()
    const { account } = await accountWith(namespace, [
      [before, 1],
      [from, 2],
      [last, 4],
      [to, 8],
    ])
    const around = {
      from: new Date(Date.parse(from) - 36 * 3_600_000).toISOString(),
      to: new Date(Date.parse(to) + 36 * 3_600_000).toISOString(),
    }
    const days = await usage(account, { granularity: 'day', timezone, ...around }, namespace)
    expectSeamless(days, around)
    const day = days.find(({ start }) => start === from)
    expect(day).toMatchObject({ end: to, quantity: 6 })
    if (day) expect(hoursOf(day)).toBe(hours)
    expect(days.map(({ quantity }) => quantity).filter((quantity) => quantity > 0)).toEqual([1, 6, 8])

    const byHour = await usage(account, { granularity: 'hour', timezone, from, to }, namespace)
    expectSeamless(byHour, { from, to })
    expect(byHour).toHaveLength(Math.floor(hours))
    expect(filled(byHour).map(([, quantity]) => quantity)).toEqual([2, 4])
    // Where the clock is moved by half an hour, the hour that is repeated in part is the longer.
    expect(byHour.map(hoursOf).filter((each) => each !== 1)).toEqual(hours % 1 === 0 ? [] : [1.5])
  })

  it('months begin on the local 1st', async () => {
    const namespace = await namespaceAt('2031-12-31T00:00:00Z')
    const { account } = await accountWith(namespace, [
      ['2031-02-28T13:29:59Z', 1],
      ['2031-02-28T13:30:00Z', 2],
    ])
    const asked = {
      granularity: 'month',
      timezone: 'Australia/Adelaide',
      from: '2031-01-31T13:30:00Z',
      to: '2031-03-31T13:30:00Z',
    } as const
    expect(await usage(account, asked, namespace)).toEqual([
      { start: '2031-01-31T13:30:00Z', end: '2031-02-28T13:30:00Z', quantity: 1, overage_quantity: 0 },
      { start: '2031-02-28T13:30:00Z', end: '2031-03-31T13:30:00Z', quantity: 2, overage_quantity: 0 },
    ])
  })
})

describe('against the sum of the ledger', () => {
  it.each(['hour', 'day', 'month'] as const)('by %s, in zones of every sort', async (granularity) => {
    const namespace = await namespaceAt('2031-11-30T00:00:00Z', '30 days')
    const account = mintAccount()
    await grant(account, { quantity: 40, window: 'calendar_day', effective_start: '2031-10-10T00:00:00Z' }, namespace)
    await ruleFor(account, { action: 'overage' }, namespace)
    const start = Date.parse('2031-10-02T00:00:00Z')
    const entries = Array.from({ length: 300 }, (_, n) => ({
      index: n,
      idempotency_key: `k${n}`,
      account_id: account,
      resource: 'benchmark_runs',
      quantity: (n % 17) + 1,
      occurred_at: new Date(start + ((n * 16_061_803 * 97) % (58 * 86_400_000))).toISOString(),
    }))
    const { results } = await api('api_meter_batch', { entries }, token(namespace))
    for (const result of (results as Answer[]).filter((_, n) => n % 9 === 0))
      await reverse(textAt(result, 'entry.entry_id'), { quantity: 1 }, namespace)
    for (const [timezone, from, to] of [
      ['UTC', '2031-10-20T00:00:00Z', '2031-11-30T00:00:00Z'],
      ['Europe/Berlin', '2031-10-20T10:01:02.345Z', '2031-11-30T01:00:00Z'],
      ['Asia/Kathmandu', '2031-10-02T00:00:00Z', '2031-11-05T10:59:59.999Z'],
    ] as const) {
      const periods = await usage(account, { granularity, timezone, from, to }, namespace)
      expectSeamless(periods, { from, to })
      const expected = await sql<{ quantity: number; overage: number }>(
        `select coalesce(sum(l.quantity), 0)::float as quantity, coalesce(sum(l.overage_quantity), 0)::float as overage
         from jsonb_array_elements($2::jsonb) with ordinality p (period, n)
         left join consumption_ledger l on l.account_id = (select account_id from accounts where external_id = $1)
           and l.occurred_at >= (period ->> 'start')::timestamptz and l.occurred_at < (period ->> 'end')::timestamptz
         group by n order by n`,
        [account, JSON.stringify(periods)],
      )
      expect(periods.map(({ quantity, overage_quantity }) => ({ quantity, overage: overage_quantity }))).toEqual(
        expected,
      )
      expect(filled(periods).length).toBeGreaterThan(0)
    }
  })
})

describe('how much may be asked for', () => {
  const year = { from: '2032-01-01T00:00:00Z', to: '2033-01-01T00:00:00Z' }
  it('a leap year by day, a month by hour, eighty years by month', async () => {
    const namespace = await mintNamespace()
    const count = async (asked: Asked) => (await usage('a', asked, namespace)).length
    expect(await count({ granularity: 'day', ...year })).toBe(366)
    expect(await count({ granularity: 'hour', from: '2031-03-01T00:00:00Z', to: '2031-04-01T00:00:00Z' })).toBe(744)
    expect(await count({ granularity: 'month', from: '1970-01-01T00:00:00Z', to: '2050-01-01T00:00:00Z' })).toBe(960)
  })

  it.each([
    [{ granularity: 'hour', from: '2032-01-01T00:00:00Z', to: '2032-02-11T16:00:00Z' }, 1000],
    [{ granularity: 'hour', from: '2032-01-01T00:00:00Z', to: '2032-02-11T16:00:01Z' }, null],
    [{ granularity: 'hour', from: '1970-01-01T00:00:00Z', to: '9999-01-01T00:00:00Z' }, null],
    [{ granularity: 'day', from: '2032-01-01T12:00:00Z', to: '2034-09-26T13:00:00Z' }, 1000],
    [{ granularity: 'day', from: '2032-01-01T00:00:00Z', to: '2034-09-27T00:00:01Z' }, null],
    [{ granularity: 'month', from: '1970-01-01T00:00:00Z', to: '9999-01-01T00:00:00Z' }, null],
  ] as const)('%j: %j', async (asked, count) => {
    const namespace = await mintNamespace()
    if (count !== null) expect(await usage('a', asked, namespace)).toHaveLength(count)
    else
      expect(await errorOf(usage('a', asked, namespace))).toMatchObject({
        status: 400,
        code: 'invalid_parameter',
        param: 'to',
      })
  })

  it.each([
    [{ ...year, to: year.from }, 'to'],
    [{ ...year, to: '2031-01-01T00:00:00Z' }, 'to'],
    ...['Europe/Atlantis', 'CEST', 'FOO5', '+02:00', '<x>-3', '', 'Europe/', 'europe/../berlin'].map(
      (timezone) => [{ ...year, timezone }, 'timezone'] as const,
    ),
  ] as const)('%j is refused: %s', async (fields, param) => {
    const error = await errorOf(usage('a', { granularity: 'day', ...fields }, 'default'))
    expect(error).toMatchObject({ status: 400, code: 'invalid_parameter', param })
  })

  it('of an unknown resource nothing', async () => {
    expect(await errorOf(usage('a', { granularity: 'day', ...year, resource: 'unicorns' }, 'default'))).toMatchObject({
      code: 'unknown_resource',
      param: 'resource',
    })
  })
})
