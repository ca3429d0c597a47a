import { describe, expect, inject, it } from 'vitest'
import {
  accountId,
  at,
  check,
  consume,
  grant,
  keyed,
  meter,
  numberAt,
  ruleFor,
  setClock,
} from '../../support/commands.ts'
import { withClient } from '../../support/scratch.ts'
import { type Answer, api, errorOf, mintAccount, mintNamespace, sql, sqlValue, token } from '../../support/sql.ts'

type Place = { account: string; namespace: string }

async function placeAt(now: string): Promise<Place> {
  const namespace = await mintNamespace()
  await setClock(namespace, now)
  return { namespace, account: mintAccount() }
}

const close = (namespace: string, most = 500) => sqlValue<Answer>('select fn_close_windows($1, $2)', [namespace, most])
const closed = async (namespace: string): Promise<number> => numberAt(await close(namespace), 'processed')

const windows = async ({ account, namespace }: Place) =>
  sql<{ window_end: string; used: string; frozen_at: Date | null }>(
    `select w.window_end::text, w.used, w.frozen_at from entitlement_windows w where account_id = $1 order by w.window_end`,
    [await accountId(account, namespace)],
  )

describe('a window is frozen', () => {
  it.each([
    ['calendar_month', '2031-04-01T00:00:00Z'],
    ['billing_cycle', '2031-04-30T09:00:00Z'],
    ['calendar_day', '2031-04-01T00:00:00Z'],
    ['rolling_30d', '2031-04-01T00:00:00Z'],
  ])('%s: from its end + the grace on, and not before', async (window, end) => {
    const day = 86_400_000
    const place = await placeAt(new Date(Date.parse(end) - day / 2).toISOString())
    await grant(place.account, { window, effective_start: '2031-01-31T09:00:00Z' }, place.namespace)
    await consume(place.account, { quantity: 3 }, place.namespace)
    await setClock(place.namespace, new Date(Date.parse(end) + 3_595_000).toISOString())
    expect(await closed(place.namespace)).toBe(0)
    await setClock(place.namespace, new Date(Date.parse(end) + 3_600_000).toISOString())
    expect(await closed(place.namespace)).toBe(1)
    expect(await windows(place)).toEqual([{ window_end: expect.any(String), used: '3', frozen_at: expect.any(Date) }])
  })

  it("the namespace's own grace counts", async () => {
    const place = await placeAt('2031-03-31T12:00:00Z')
    await sql("update namespaces set late_arrival_grace = '2 days' where namespace_id = $1", [place.namespace])
    await grant(place.account, { window: 'calendar_month', effective_start: '2031-01-01T00:00:00Z' }, place.namespace)
    await consume(place.account, {}, place.namespace)
    await setClock(place.namespace, '2031-04-02T23:59:50Z')
    expect(await closed(place.namespace)).toBe(0)
    await setClock(place.namespace, '2031-04-03T00:00:00Z')
    expect(await closed(place.namespace)).toBe(1)
  })

  it('none: when the entitlement ends', async () => {
    const place = await placeAt('2031-03-01T00:00:00Z')
    await grant(place.account, { effective_end: '2031-03-15T00:00:00Z' }, place.namespace)
    await grant(place.account, { quantity: 1 }, place.namespace)
    await consume(place.account, { quantity: 101 }, place.namespace)
    await setClock(place.namespace, '2031-03-15T00:59:50Z')
    expect(await closed(place.namespace)).toBe(0)
    await setClock(place.namespace, '2031-03-15T01:00:00Z')
    expect(await closed(place.namespace)).toBe(1)
    expect((await windows(place)).map(({ used, frozen_at }) => [used, frozen_at !== null])).toEqual(
      expect.arrayContaining([
        ['100', true],
        ['1', false],
      ]),
    )
  })

  it('none: when it is revoked; what comes late then counts with what is held now', async () => {
    const place = await placeAt('2031-03-01T00:00:00Z')
    const entitlement = await grant(place.account, {}, place.namespace)
    await consume(place.account, { quantity: 2 }, place.namespace)
    await setClock(place.namespace, '2031-03-10T00:00:00Z')
    await api('api_entitlement_revoke', { entitlement_id: at(entitlement, 'entitlement_id') }, token(place.namespace))
    const late = { occurred_at: '2031-03-09T00:00:00Z', quantity: 5 }
    expect(await meter(place.account, late, place.namespace)).toMatchObject({ entry: { late: false } })
    await setClock(place.namespace, '2031-03-10T01:00:05Z')
    await grant(place.account, {}, place.namespace)
    expect(await meter(place.account, late, place.namespace)).toMatchObject({
      entry: { late: true },
      state: { used: 5 },
    })
    expect(await closed(place.namespace)).toBe(1)
    expect((await windows(place)).map(({ used, frozen_at }) => [used, frozen_at !== null])).toEqual(
      expect.arrayContaining([
        ['7', true],
        ['5', false],
      ]),
    )
  })

  it('none, whose counter a second entitlement has: when the last of them ends', async () => {
    const place = await placeAt('2031-03-01T00:00:00Z')
    const entitlement = await grant(place.account, { effective_end: '2031-03-15T00:00:00Z' }, place.namespace)
    await consume(place.account, {}, place.namespace)
    await sql(
      `insert into entitlements (account_id, resource_type_code, limit_kind_code, quantity_allowed, effective_start, effective_end, bucket_id)
       select account_id, resource_type_code, limit_kind_code, 5, effective_end, '2031-04-01', bucket_id from entitlements where entitlement_id = $1`,
      [at(entitlement, 'entitlement_id')],
    )
    await setClock(place.namespace, '2031-03-20T00:00:00Z')
    expect(await closed(place.namespace)).toBe(0)
    await setClock(place.namespace, '2031-04-01T01:00:00Z')
    expect(await closed(place.namespace)).toBe(1)
  })

  it('not while a live hold draws on it, and from its end on', async () => {
    const place = await placeAt('2031-03-31T23:50:00Z')
    await grant(place.account, { window: 'calendar_month', effective_start: '2031-01-01T00:00:00Z' }, place.namespace)
    await consume(place.account, { quantity: 3 }, place.namespace)
    await api(
      'api_reservation_create',
      { ...keyed(), account_id: place.account, resource: 'benchmark_runs', quantity: 4, ttl_seconds: 10_800 },
      token(place.namespace),
    )
    await setClock(place.namespace, '2031-04-01T02:49:00Z')
    expect(await closed(place.namespace)).toBe(0)
    await setClock(place.namespace, '2031-04-01T02:50:05Z')
    expect(await closed(place.namespace)).toBe(1)
  })

  it('and one that nothing was used of has no row', async () => {
    const place = await placeAt('2031-03-31T12:00:00Z')
    await grant(place.account, { window: 'calendar_month' }, place.namespace)
    await setClock(place.namespace, '2031-08-01T12:00:00Z')
    expect(await closed(place.namespace)).toBe(0)
    expect(await windows(place)).toEqual([])
  })
})

/** A month that is over, with use in it and in the next. */
async function twoMonths(): Promise<Place> {
  const place = await placeAt('2031-03-31T12:00:00Z')
  await grant(
    place.account,
    { window: 'calendar_month', quantity: 10, effective_start: '2031-01-01T00:00:00Z' },
    place.namespace,
  )
  await ruleFor(place.account, { action: 'overage', overage_multiplier: 2 }, place.namespace)
  await consume(place.account, { quantity: 12 }, place.namespace)
  await setClock(place.namespace, '2031-04-10T00:00:00Z')
  await consume(place.account, { quantity: 4 }, place.namespace)
  return place
}

describe('a frozen window', () => {
  it.each([
    ['update entitlement_windows set used = used + 1 where account_id = $1 and frozen_at is not null'],
    ['update entitlement_windows set billable_amount = 0 where account_id = $1 and frozen_at is not null'],
    ['update entitlement_windows set frozen_at = null where account_id = $1 and frozen_at is not null'],
    ['delete from entitlement_windows where account_id = $1 and frozen_at is not null'],
  ])('takes no change, not of its owner either: %s', async (statement) => {
    const place = await twoMonths()
    expect(await closed(place.namespace)).toBe(1)
    const before = await windows(place)
    expect(await errorOf(sql(statement, [await accountId(place.account, place.namespace)]))).toMatchObject({
      status: 409,
      code: 'window_closed',
    })
    expect(await windows(place)).toEqual(before)
  })

  it('takes no arrival: what occurred in it counts in the present one', async () => {
    const place = await twoMonths()
    await closed(place.namespace)
    const [march] = await windows(place)
    expect(await meter(place.account, { occurred_at: '2031-03-31T23:00:00Z' }, place.namespace)).toMatchObject({
      entry: { late: true },
      state: { used: 5 },
    })
    expect((await windows(place))[0]).toEqual(march)
  })

  it('of a time that the test clock went back from is open again', async () => {
    const place = await twoMonths()
    await setClock(place.namespace, '2031-06-01T00:00:00Z')
    expect(await closed(place.namespace)).toBe(2)
    await api('api_test_clock_clear', {}, token(place.namespace))
    await setClock(place.namespace, '2031-04-20T00:00:00Z')
    expect(await consume(place.account, { quantity: 1 }, place.namespace)).toMatchObject({ used: 5 })
    await setClock(place.namespace, '2031-06-02T00:00:00Z')
    expect(
      await errorOf(
        sql('update entitlement_windows set used = 0 where account_id = $1', [
          await accountId(place.account, place.namespace),
        ]),
      ),
    ).toMatchObject({ code: 'window_closed' })
  })
})

it.each([[false], [true]])(
  'an entitlement of none whose window is closed is not made longer; frozen or not: %s',
  async (frozen) => {
    const place = await placeAt('2031-03-01T00:00:00Z')
    const entitlement = await grant(place.account, { effective_end: '2031-03-15T00:00:00Z' }, place.namespace)
    await consume(place.account, {}, place.namespace)
    const patch = (effective_end: string) =>
      api(
        'api_entitlement_patch',
        { entitlement_id: at(entitlement, 'entitlement_id'), effective_end },
        token(place.namespace),
      )
    await setClock(place.namespace, '2031-03-15T00:30:00Z')
    expect(await patch('2031-03-16T00:00:00Z')).toMatchObject({ status: 'active' })
    await setClock(place.namespace, '2031-03-16T01:00:00Z')
    if (frozen) await closed(place.namespace)
    expect(await errorOf(patch('2031-09-01T00:00:00Z'))).toMatchObject({ status: 409, code: 'window_closed' })
  },
)

describe('the job', () => {
  it('changes no answer: run late, twice, at once', async () => {
    const place = await twoMonths()
    const answers = async () => {
      const { as_of: _, ...decision } = await check(place.account, {}, place.namespace)
      const earlier = await check(place.account, { at: '2031-03-31T13:00:00Z' }, place.namespace)
      const fields = { account_id: place.account, resource: 'benchmark_runs' }
      const { as_of: __, ...snapshot } = await api('api_snapshot', fields, token(place.namespace))
      const held = await api('api_entitlement_list', { account_id: place.account }, token(place.namespace))
      return [decision, earlier, snapshot, held]
    }
    const before = await answers()
    const reports = await Promise.all(Array.from({ length: 6 }, () => close(place.namespace)))
    expect(reports.reduce((sum, report) => sum + numberAt(report, 'processed'), 0)).toBe(1)
    expect(await answers()).toEqual(before)
    expect(await closed(place.namespace)).toBe(0)
    expect(await answers()).toEqual(before)
  })

  it('takes the lock of the resource, and waits for nobody', async () => {
    const place = await twoMonths()
    await withClient(inject('ownerUrl'), async (client) => {
      await client.query('begin')
      await client.query('select fn_lock_resource($1, $2, false)', [
        await accountId(place.account, place.namespace),
        'benchmark_runs',
      ])
      expect(await closed(place.namespace)).toBe(0)
      await client.query('commit')
    })
    expect(await closed(place.namespace)).toBe(1)
  })

  it('does a bounded part, goes on where it stopped, and begins anew', async () => {
    const place = await twoMonths()
    for (const account of [mintAccount(), mintAccount()]) {
      await grant(account, { window: 'calendar_day' }, place.namespace)
      await consume(account, {}, place.namespace)
    }
    await setClock(place.namespace, '2031-04-12T00:00:00Z')
    const reports = [await close(place.namespace, 1), await close(place.namespace, 1), await close(place.namespace, 1)]
    expect(reports.map((report) => [report['processed'], report['more']])).toEqual([
      [1, true],
      [1, true],
      [1, false],
    ])
    await setClock(place.namespace, '2031-05-12T00:00:00Z')
    expect(await close(place.namespace)).toMatchObject({ processed: 1, more: false })
  })

  it("leaves other namespaces alone when it is one's own", async () => {
    const [ours, theirs] = [await twoMonths(), await twoMonths()]
    expect(await closed(ours.namespace)).toBe(1)
    expect((await windows(theirs)).map(({ frozen_at }) => frozen_at)).toEqual([null, null])
  })
})
