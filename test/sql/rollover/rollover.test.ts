import { describe, expect, it } from 'vitest'
import { audit } from '../../support/audit.ts'
import {
  advanceClock,
  check,
  checkWhen,
  consume,
  grant,
  keyed,
  listAt,
  meter,
  numberAt,
  ruleFor,
  setClock,
  textAt,
} from '../../support/commands.ts'
import { type Answer, api, errorOf, mintAccount, mintNamespace, sql, sqlValue, token } from '../../support/sql.ts'

const MONTHLY = { window: 'calendar_month', quantity: 100, effective_start: '2031-01-01T00:00:00Z' }

async function world(now: string, fields: Answer = {}) {
  const namespace = await mintNamespace()
  await setClock(namespace, now)
  const account = mintAccount()
  const entitlement = await grant(account, { ...MONTHLY, rollover_percent: 100, ...fields }, namespace)
  return {
    namespace,
    account,
    id: textAt(entitlement, 'entitlement_id'),
    limit: async (at?: string) =>
      numberAt(await check(account, { quantity: 0, ...(at ? { at } : {}) }, namespace), 'limit'),
    use: (quantity: number) => consume(account, { quantity }, namespace),
    patch: (changes: Answer) =>
      api(
        'api_entitlement_patch',
        { entitlement_id: textAt(entitlement, 'entitlement_id'), ...changes },
        token(namespace),
      ),
  }
}

describe('what a window leaves unused', () => {
  it('is added to the limit of the next one', async () => {
    const { namespace, account, limit, use } = await world('2031-01-10T00:00:00Z')
    await use(40)
    await setClock(namespace, '2031-02-01T00:00:00Z')
    expect(await check(account, { quantity: 160 }, namespace)).toMatchObject({
      allowed: true,
      limit: 160,
      used: 0,
      remaining: 160,
    })
    expect(await use(160)).toMatchObject({ allowed: true, limit: 160, used: 160, remaining: 0 })
    expect(await use(0.000001)).toMatchObject({ allowed: false, reason: 'limit_exceeded' })
    await setClock(namespace, '2031-03-01T00:00:00Z')
    expect(await limit()).toBe(100)
  })

  it('never rolls twice: what had been rolled in lapses, and is used last', async () => {
    const { namespace, limit, use } = await world('2031-01-10T00:00:00Z')
    await setClock(namespace, '2031-02-10T00:00:00Z')
    expect(await limit()).toBe(200)
    await setClock(namespace, '2031-03-10T00:00:00Z')
    expect(await limit()).toBe(200)
    await use(30)
    await setClock(namespace, '2031-04-10T00:00:00Z')
    expect(await limit()).toBe(170)
    await use(130)
    await setClock(namespace, '2031-05-10T00:00:00Z')
    expect(await limit()).toBe(100)
  })

  it.each([
    [{ rollover_percent: 25 }, 115],
    [{ rollover_percent: 33.333333 }, 119.999999],
    [{ rollover_percent: 0 }, 100],
    [{ rollover_percent: null, rollover_max_quantity: 50 }, 150],
    [{ rollover_percent: null, rollover_max_quantity: 80 }, 160],
    [{ rollover_percent: 50, rollover_max_quantity: 20 }, 120],
    [{ rollover_percent: 50, rollover_max_quantity: 0 }, 100],
    [{ rollover_percent: null, rollover_max_quantity: null }, 100],
  ])('%j of 60 unused makes the limit %d', async (fields, expected) => {
    const { namespace, limit, use } = await world('2031-01-10T00:00:00Z', fields)
    await use(40)
    await setClock(namespace, '2031-02-10T00:00:00Z')
    expect(await limit()).toBe(expected)
  })

  it('is in the unit of the resource, as the limit is', async () => {
    const { namespace, account } = await world('2031-01-10T00:00:00Z', {
      resource: 'gpu_hours',
      unit: 'days',
      quantity: 2,
      rollover_max_quantity: 1,
    })
    await setClock(namespace, '2031-02-10T00:00:00Z')
    expect(await check(account, { resource: 'gpu_hours' }, namespace)).toMatchObject({ limit: 72 })
  })

  it.each([
    ['calendar_day', '2031-01-10T12:00:00Z', '2031-01-11T00:00:00Z', '2031-01-12T00:00:00Z'],
    ['calendar_week', '2031-01-10T12:00:00Z', '2031-01-13T00:00:00Z', '2031-01-20T00:00:00Z'],
    ['calendar_year', '2031-02-10T12:00:00Z', '2032-01-01T00:00:00Z', '2033-01-01T00:00:00Z'],
    ['billing_cycle', '2031-01-31T12:00:00Z', '2031-02-28T12:00:00Z', '2031-03-31T12:00:00Z'],
  ])('in a %s, too', async (window, first, second, third) => {
    const { namespace, limit, use } = await world(first, { window, effective_start: first })
    await use(40)
    await setClock(namespace, second)
    expect(await limit()).toBe(160)
    await setClock(namespace, third)
    expect(await limit()).toBe(200)
  })

  it('counts a use by when it occurred, until the window is closed, and never after', async () => {
    const { namespace, account, limit, use } = await world('2031-01-10T00:00:00Z')
    await use(40)
    await setClock(namespace, '2031-02-01T00:30:00Z')
    expect(await limit()).toBe(160)
    expect(await use(150)).toMatchObject({ allowed: true })
    const late = { occurred_at: '2031-01-31T23:00:00Z', quantity: 30 }
    expect(await meter(account, late, namespace)).toMatchObject({ entry: { late: false, included_quantity: 30 } })
    expect(await check(account, {}, namespace)).toMatchObject({
      limit: 130,
      used: 150,
      remaining: 0,
      allowed: false,
    })
    await setClock(namespace, '2031-02-01T01:00:00Z')
    expect(await meter(account, late, namespace)).toMatchObject({ entry: { late: true } })
    expect(await check(account, {}, namespace)).toMatchObject({ limit: 130, used: 180 })
  })

  it('moves no version by itself, and a late use moves it', async () => {
    const { namespace, account, use } = await world('2031-01-10T00:00:00Z')
    await use(40)
    const version = () =>
      sqlValue<string>(
        `select key_version from resource_state s join accounts a using (account_id) where a.external_id = $1`,
        [account],
      )
    await setClock(namespace, '2031-02-01T00:30:00Z')
    const before = await version()
    await check(account, {}, namespace)
    expect(await version()).toBe(before)
    await meter(account, { occurred_at: '2031-01-31T23:00:00Z', quantity: 30 }, namespace)
    expect(Number(await version())).toBeGreaterThan(Number(before))
  })

  it('is nothing of a first window, nor of one in which it was not in force', async () => {
    const first = await world('2031-02-10T00:00:00Z', { effective_start: '2031-02-05T00:00:00Z' })
    expect(await first.limit()).toBe(100)
    await setClock(first.namespace, '2031-03-10T00:00:00Z')
    expect(await first.limit()).toBe(200)

    const begins = await world('2031-01-10T00:00:00Z', { effective_start: '2031-02-01T00:00:00Z' })
    await setClock(begins.namespace, '2031-02-10T00:00:00Z')
    expect(await begins.limit()).toBe(100)
  })

  it('of an unlimited one is nothing', async () => {
    const { namespace, account, use } = await world('2031-01-10T00:00:00Z', { quantity: null })
    await use(40)
    await setClock(namespace, '2031-02-10T00:00:00Z')
    expect(await check(account, {}, namespace)).toMatchObject({ limit: null, used: 0, remaining: null })
  })

  it('adds up with entitlements that have none, and is drawn on in the same order', async () => {
    const { namespace, account, use } = await world('2031-01-10T00:00:00Z', { priority: 1 })
    await grant(account, { ...MONTHLY, quantity: 10, priority: 2 }, namespace)
    await setClock(namespace, '2031-02-10T00:00:00Z')
    expect(await use(205)).toMatchObject({ allowed: true, limit: 210, remaining: 5 })
    const drawn = await sql(
      `select included_quantity::int as q from consumption_allocations a join accounts using (account_id) where external_id = $1 order by 1`,
      [account],
    )
    expect(drawn).toEqual([{ q: 5 }, { q: 200 }])
  })

  it('counts in the warning, and what is over it is overage', async () => {
    const { namespace, account, use } = await world('2031-01-10T00:00:00Z')
    await ruleFor(account, { action: 'overage', warn_at_percent: 80 }, namespace)
    await setClock(namespace, '2031-02-10T00:00:00Z')
    expect(await use(159)).toMatchObject({ reason: 'within_limit' })
    expect(await use(1)).toMatchObject({ reason: 'near_limit' })
    expect(await use(50)).toMatchObject({
      reason: 'over_limit_overage',
      entry: { included_quantity: 40, overage_quantity: 10 },
    })
    expect(await audit(namespace)).toEqual({})
  })

  it('what is held in the window before counts as spent there', async () => {
    const { namespace, account, limit } = await world('2031-01-31T23:30:00Z')
    const reserve = { ...keyed(), account_id: account, resource: 'benchmark_runs', quantity: 70, ttl_seconds: 7200 }
    const held = await api('api_reservation_create', reserve, token(namespace))
    expect(held).toMatchObject({ allowed: true })
    await setClock(namespace, '2031-02-01T00:10:00Z')
    expect(await limit()).toBe(130)
    const id = { reservation_id: textAt(held, 'reservation.reservation_id') }
    await api('api_reservation_commit', { ...id, quantity: 20 }, token(namespace))
    expect(await limit()).toBe(180)
  })

  it('shows in the state of the entitlement', async () => {
    const { namespace, account, use } = await world('2031-01-10T00:00:00Z', { rollover_max_quantity: 50 })
    await use(40)
    await setClock(namespace, '2031-02-10T00:00:00Z')
    const list = await api('api_entitlement_list', { account_id: account }, token(namespace))
    expect(listAt(list, 'data')).toMatchObject([
      {
        quantity: 100,
        rollover_max_quantity: 50,
        rollover_percent: 100,
        state: { limit: 150, used: 0, remaining: 150, rollover_quantity: 50 },
      },
    ])
  })
})

describe('once, whoever asks first', () => {
  it('parallel first uses of a window never use more than the limit and what was rolled over', async () => {
    const { namespace, account, use } = await world('2031-01-10T00:00:00Z')
    await use(95)
    await setClock(namespace, '2031-02-10T00:00:00Z')
    const answers = await Promise.all(Array.from({ length: 30 }, () => use(7)))
    expect(answers.filter(({ allowed }) => allowed === true)).toHaveLength(15)
    expect(await check(account, { quantity: 0 }, namespace)).toMatchObject({ limit: 105, used: 105 })
    expect(await audit(namespace)).toEqual({})
  })
})

describe('frozen at the close', () => {
  it('a quantity changed later changes what later windows roll over, not what this one did', async () => {
    const { namespace, limit, use, patch } = await world('2031-01-10T00:00:00Z')
    await use(40)
    await setClock(namespace, '2031-02-10T00:00:00Z')
    await patch({ quantity: 1000 })
    expect(await limit()).toBe(1060)
    await patch({ quantity: 10 })
    expect(await limit()).toBe(70)
    await setClock(namespace, '2031-03-10T00:00:00Z')
    expect(await limit()).toBe(20)
    await patch({ quantity: 300 })
    await setClock(namespace, '2031-04-10T00:00:00Z')
    expect(await limit()).toBe(600)
  })

  it('so do its terms; given up altogether it is gone at once', async () => {
    const { namespace, limit, use, patch } = await world('2031-01-10T00:00:00Z')
    await use(40)
    await setClock(namespace, '2031-02-10T00:00:00Z')
    await patch({ rollover_percent: 10, rollover_max_quantity: 5 })
    expect(await limit()).toBe(160)
    await setClock(namespace, '2031-03-10T00:00:00Z')
    expect(await limit()).toBe(105)
    await patch({ rollover_percent: null, rollover_max_quantity: null })
    expect(await limit()).toBe(100)
    await patch({ rollover_percent: 50 })
    expect(await limit()).toBe(105)
    await setClock(namespace, '2031-04-10T00:00:00Z')
    expect(await limit()).toBe(150)
  })

  it('given anew, it begins with the window in which it was given', async () => {
    const { namespace, limit, patch } = await world('2031-01-10T00:00:00Z', { rollover_percent: null })
    await setClock(namespace, '2031-02-10T00:00:00Z')
    await patch({ rollover_percent: 100 })
    expect(await limit()).toBe(100)
    await setClock(namespace, '2031-03-10T00:00:00Z')
    expect(await limit()).toBe(200)
  })

  it('a reversal in a closed window gives nothing more to roll over', async () => {
    const { namespace, account, limit, use } = await world('2031-01-10T00:00:00Z')
    const used = await use(40)
    await setClock(namespace, '2031-02-01T00:30:00Z')
    const reverse = { entry_id: textAt(used, 'entry.entry_id'), account_id: account }
    await api('api_ledger_reverse', { ...keyed(), ...reverse, quantity: 10 }, token(namespace))
    expect(await limit()).toBe(170)
    await setClock(namespace, '2031-02-01T01:00:00Z')
    await api('api_ledger_reverse', { ...keyed(), ...reverse, quantity: 10 }, token(namespace))
    expect(await limit()).toBe(170)
    expect(await limit('2031-02-01T00:15:00Z')).toBe(160)
  })

  it('patched to a window that has no next, or to more than all, is refused', async () => {
    const { namespace, account } = await world('2031-01-10T00:00:00Z')
    const none = await grant(account, { quantity: 5 }, namespace)
    const patch = { entitlement_id: textAt(none, 'entitlement_id'), rollover_percent: 10 }
    expect(await errorOf(api('api_entitlement_patch', patch, token(namespace)))).toMatchObject({
      status: 400,
      param: 'rollover_percent',
    })
  })
})

describe('at another time', () => {
  it('a check says what it was and what it will be', async () => {
    const { namespace, account, limit, use } = await world('2031-01-10T00:00:00Z')
    await use(40)
    await setClock(namespace, '2031-03-10T00:00:00Z')
    await use(250).then((answer) => expect(answer).toMatchObject({ allowed: false, limit: 200 }))
    expect(await limit('2031-01-20T00:00:00Z')).toBe(100)
    expect(await limit('2031-02-20T00:00:00Z')).toBe(160)
    expect(await limit('2031-04-20T00:00:00Z')).toBe(200)
    const now = '2031-03-10T00:00:01Z'
    expect(await checkWhen(now, account, { at: now }, namespace)).toEqual(await checkWhen(now, account, {}, namespace))
  })

  it('a new timezone moves the edges, not what was left', async () => {
    const { namespace, account, limit, use } = await world('2031-01-10T00:00:00Z')
    await use(40)
    await sql("update accounts set timezone = 'America/Los_Angeles' where external_id = $1", [account])
    await setClock(namespace, '2031-02-20T00:00:00Z')
    expect(await limit()).toBe(160)
    await use(30)
    await advanceClock(namespace, 20 * 86_400)
    expect(await limit()).toBe(170)
  })
})
