import { describe, expect, it } from 'vitest'
import { audit } from '../../support/audit.ts'
import {
  accountId,
  advanceClock,
  assign,
  at,
  check,
  checkWhen,
  consume,
  endHold,
  grant,
  meter,
  numberAt,
  reserve,
  ruleFor,
  setClock,
  textAt,
} from '../../support/commands.ts'
import { type Answer, api, errorOf, mintAccount, mintNamespace, sql, sqlValue, token } from '../../support/sql.ts'

const resource = 'gpu_hours'

/** An account with `quantity` gpu_hours, in a namespace of its own whose clock shows `now`. */
async function holder(quantity: number | null = 10, fields: Answer = {}, now = '2031-03-10T12:00:00Z') {
  const namespace = await mintNamespace()
  await setClock(namespace, now)
  const account = mintAccount()
  const entitlement = await grant(account, { resource, quantity, window: 'calendar_month', ...fields }, namespace)
  return {
    namespace,
    account,
    entitlement: textAt(entitlement, 'entitlement_id'),
    hold: (more: Answer = {}) => reserve(account, more, namespace),
    commit: (held: Answer, more: Answer = {}) => endHold('commit', held, more, namespace),
    release: (held: Answer) => endHold('release', held, {}, namespace),
    use: (more: Answer = {}) => consume(account, { resource, ...more }, namespace),
    ask: (question: Answer = {}) => check(account, { resource, purpose: 'consume', ...question }, namespace),
    pass: (seconds: number) => advanceClock(namespace, seconds),
    rule: (rule: Answer) => ruleFor(account, { resource, ...rule }, namespace),
    get: async (held: Answer) =>
      at(
        await api(
          'api_reservation_get',
          { reservation_id: textAt(held, 'reservation.reservation_id') },
          token(namespace),
        ),
        'reservation',
      ),
  }
}

it.each([
  ['calendar_month', 1],
  ['billing_cycle', 1],
  // In the month that was held, which lies ahead.
  ['rolling_30d', 0],
])('committed after the test clock was cleared, it counts in the %s that it held', async (window, used) => {
  const { hold, commit, namespace } = await holder(10, { window, effective_start: '2026-01-05T00:00:00Z' })
  const held = await hold({ quantity: 2 })
  await api('api_test_clock_clear', {}, token(namespace))
  expect(await commit(held, { quantity: 1 })).toMatchObject({ state: { used, held: 0 } })
  expect(await audit(namespace)).toEqual({})
})

describe('a hold', () => {
  it('counts as spent: the counts of its answer are those after it', async () => {
    const { hold, ask, use } = await holder()
    await use({ quantity: 3 })
    expect(await hold({ quantity: 4 })).toMatchObject({
      allowed: true,
      quantity: 4,
      limit: 10,
      used: 3,
      held: 4,
      remaining: 3,
      limits: [{ used: 3, held: 4, remaining: 3 }],
      reservation: { status: 'held', quantity: 4, ended_at: null, committed_quantity: null, entry_id: null },
      duplicate: false,
    })
    expect(await ask()).toMatchObject({ used: 3, held: 4, remaining: 3 })
    expect(await use({ quantity: 4 })).toMatchObject({ allowed: false, reason: 'limit_exceeded', held: 4 })
    expect(await use({ quantity: 3 })).toMatchObject({ allowed: true, remaining: 0 })
  })

  it('stands next to others, and warns as what is used does', async () => {
    const { hold, rule } = await holder()
    await rule({ action: 'block', warn_at_percent: 80 })
    expect(await hold({ quantity: 4 })).toMatchObject({ reason: 'within_limit', held: 4 })
    expect(await hold({ quantity: 4 })).toMatchObject({ reason: 'near_limit', held: 8 })
    expect(await hold({ quantity: 3 })).toMatchObject({ allowed: false, held: 8, reservation: null })
  })

  it('denied writes nothing and uses up no key', async () => {
    const { hold, account, namespace } = await holder()
    const id = await accountId(account, namespace)
    const state = () => sql('select s.*, s.xmin::text from resource_state s where account_id = $1', [id])
    const before = await state()
    const key = { idempotency_key: 'k' }
    expect(await hold({ ...key, quantity: 11 })).toMatchObject({ allowed: false, reservation: null, duplicate: false })
    expect(await state()).toEqual(before)
    expect(await sql('select 1 from entitlement_windows where account_id = $1', [id])).toEqual([])
    expect(await hold({ ...key, quantity: 9 })).toMatchObject({ allowed: true, duplicate: false })
  })

  it('of an account that was never seen is a denial', async () => {
    expect(await reserve(mintAccount())).toMatchObject({ allowed: false, reason: 'no_entitlement', reservation: null })
  })

  it('is what a consume would be: also for a resource that is held for concurrency only', async () => {
    const { hold } = await holder(5, { limit_kind: 'concurrency', window: null })
    expect(await hold()).toMatchObject({ allowed: false, reason: 'no_entitlement' })
  })

  it('may go over as far as the action permits, and cap and grace count what is held over', async () => {
    const { hold, use, rule, commit, account, namespace } = await holder(5)
    await rule({ action: 'overage', overage_cap: 4, overage_multiplier: 3 })
    const held = await hold({ quantity: 8 })
    expect(held).toMatchObject({ reason: 'over_limit_overage', overage: { quantity: 3, multiplier: 3 }, held: 8 })
    expect(await use({ quantity: 2 })).toMatchObject({ allowed: false, reason: 'overage_cap_reached' })
    expect(await use({ quantity: 1 })).toMatchObject({ allowed: true, entry: { overage_quantity: 1 } })
    expect(await commit(held, { quantity: 7 })).toMatchObject({
      entry: { included_quantity: 5, overage_quantity: 2, excess_quantity: 0 },
      state: { used: 8, held: 0 },
    })
    expect(
      await sql('select billable_quantity, billable_amount from entitlement_windows where account_id = $1', [
        await accountId(account, namespace),
      ]),
    ).toEqual([{ billable_quantity: '3', billable_amount: '9' }])
    await rule({ action: 'grace', grace_percent: 100 })
    expect(await hold({ quantity: 3 })).toMatchObject({ allowed: false, reason: 'grace_exhausted' })
    expect(await hold({ quantity: 2 })).toMatchObject({ reason: 'over_limit_grace' })
  })

  it('starts the grace clock when it crosses the limit', async () => {
    const { hold, rule, pass, ask } = await holder(5)
    await rule({ action: 'grace', grace_percent: null, grace_seconds: 600 })
    const held = await hold({ quantity: 7 })
    expect(at(held, 'grace.until')).toMatch(/^2031-03-10T12:10/)
    expect(await ask()).toMatchObject({ reason: 'over_limit_grace', grace: { until: at(held, 'grace.until') } })
    await pass(600)
    expect(await ask()).toMatchObject({ reason: 'grace_exhausted' })
  })

  it('of a suspended account is denied, while commit and release go on', async () => {
    const { hold, commit, release, account, namespace } = await holder()
    const [one, two] = [await hold(), await hold()]
    await sql("update accounts set status = 'suspended' where account_id = $1", [await accountId(account, namespace)])
    expect(await hold()).toMatchObject({ allowed: false, reason: 'account_suspended', reservation: null })
    expect(await commit(one)).toMatchObject({ reservation: { status: 'committed' } })
    expect(await release(two)).toMatchObject({ reservation: { status: 'released' } })
  })

  it('refuses what is no quantity, no time and no key', async () => {
    const { hold } = await holder()
    const rows = [
      [{ quantity: 0 }, 'quantity'],
      [{ quantity: -1 }, 'quantity'],
      [{ quantity: 0.0000001 }, 'quantity'],
      [{ ttl_seconds: 0 }, 'ttl_seconds'],
      [{ ttl_seconds: 86_401 }, 'ttl_seconds'],
      [{ ttl_seconds: null }, 'ttl_seconds'],
      [{ idempotency_key: '' }, 'idempotency_key'],
    ] as const
    for (const [fields, param] of rows)
      expect(await errorOf(hold(fields))).toMatchObject({ status: 400, code: 'invalid_parameter', param })
    expect(await errorOf(hold({ resource: 'unicorns' }))).toMatchObject({ code: 'unknown_resource' })
  })
})

describe('its key', () => {
  it('gives the first result again, whatever became of it', async () => {
    const { hold, commit, pass } = await holder()
    const key = { idempotency_key: 'k', quantity: 4 }
    const first = await hold(key)
    expect(await hold(key)).toEqual({ ...first, duplicate: true })
    await commit(first)
    await pass(90_000)
    expect(await hold(key)).toEqual({ ...first, duplicate: true })
  })

  it('with another quantity, scope, resource or operation is a conflict', async () => {
    const { hold, use } = await holder()
    const key = { idempotency_key: 'k' }
    await hold(key)
    for (const other of [{ quantity: 2 }, { scope: 'us' }, { resource: 'benchmark_runs' }])
      expect(await errorOf(hold({ ...key, ...other }))).toMatchObject({ status: 409, code: 'idempotency_conflict' })
    expect(await errorOf(use(key))).toMatchObject({ code: 'idempotency_conflict' })
    await use({ idempotency_key: 'used' })
    expect(await errorOf(hold({ idempotency_key: 'used' }))).toMatchObject({ code: 'idempotency_conflict' })
  })
})

describe('a commit', () => {
  it('records all that was held, unless told', async () => {
    const { hold, commit, ask } = await holder()
    const held = await hold({ idempotency_key: 'job', quantity: 4, scope: 'us' })
    const committed = await commit(held, { metadata: { job: 'x' } })
    expect(committed).toMatchObject({
      reservation: { status: 'committed', quantity: 4, committed_quantity: 4 },
      entry: {
        idempotency_key: 'job',
        quantity: 4,
        scope: 'us',
        unit: 'hours',
        kind: 'usage',
        included_quantity: 4,
        late: false,
        metadata: { job: 'x' },
      },
      state: { limit: 10, used: 4, held: 0, remaining: 6 },
      duplicate: false,
    })
    expect(at(committed, 'reservation.entry_id')).toBe(at(committed, 'entry.entry_id'))
    expect(await ask()).toMatchObject({ used: 4, held: 0, remaining: 6 })
  })

  it('of less frees the rest', async () => {
    const { hold, commit, ask } = await holder()
    expect(await commit(await hold({ quantity: 8 }), { quantity: 2.5 })).toMatchObject({
      reservation: { quantity: 8, committed_quantity: 2.5 },
      entry: { quantity: 2.5 },
      state: { used: 2.5, held: 0, remaining: 7.5 },
    })
    expect(await ask()).toMatchObject({ used: 2.5, held: 0 })
  })

  it('of 0 frees the hold and records nothing', async () => {
    const { hold, commit, account, namespace } = await holder()
    const held = await hold({ quantity: 8 })
    const freed = {
      reservation: { status: 'committed', committed_quantity: 0, entry_id: null },
      entry: null,
      state: { used: 0, held: 0, remaining: 10 },
    }
    expect(await commit(held, { quantity: 0 })).toMatchObject({ ...freed, duplicate: false })
    expect(await commit(held, { quantity: 0 })).toMatchObject({ ...freed, duplicate: true })
    expect(await errorOf(commit(held))).toMatchObject({ code: 'already_committed' })
    expect(
      await sql('select 1 from consumption_ledger where account_id = $1', [await accountId(account, namespace)]),
    ).toEqual([])
  })

  it.each([
    ['block', null, { included_quantity: 10, overage_quantity: 0, excess_quantity: 5 }],
    ['warn', null, { included_quantity: 10, overage_quantity: 5, excess_quantity: 0 }],
    ['overage', 2, { included_quantity: 10, overage_quantity: 2, excess_quantity: 3 }],
  ])('of more than was held is recorded as metering would: %s, cap %s', async (action, overage_cap, split) => {
    const { hold, commit, use, rule } = await holder(12)
    await use({ quantity: 2 })
    const held = await hold({ quantity: 4 })
    await rule({ action, overage_cap })
    expect(await commit(held, { quantity: 15 })).toMatchObject({
      entry: { quantity: 15, ...split },
      state: { used: 17, held: 0, remaining: 0 },
    })
  })

  it('of more counts what others hold as spent', async () => {
    const { hold, commit } = await holder()
    const [held] = [await hold({ quantity: 4 }), await hold({ quantity: 5 })]
    expect(await commit(held, { quantity: 7 })).toMatchObject({
      entry: { included_quantity: 5, excess_quantity: 2 },
      state: { used: 7, held: 5, remaining: 0 },
    })
  })

  it('again and the same: the same answer; another: 409', async () => {
    const { hold, commit, use, pass, release } = await holder()
    const held = await hold({ quantity: 4 })
    const first = await commit(held, { quantity: 3, metadata: { a: 1 } })
    await use({ quantity: 5 })
    await pass(86_400)
    expect(await commit(held, { quantity: 3 })).toEqual({ ...first, duplicate: true })
    for (const other of [{}, { quantity: 4 }, { quantity: 0 }])
      expect(await errorOf(commit(held, other))).toMatchObject({ status: 409, code: 'already_committed' })
    expect(await errorOf(release(held))).toMatchObject({ status: 409, code: 'already_committed' })
    const whole = await hold({ quantity: 1 })
    const all = await commit(whole)
    expect(await commit(whole, { quantity: 1 })).toEqual({ ...all, duplicate: true })
  })

  it('refuses what is no quantity, and leaves the hold', async () => {
    const { hold, commit, ask } = await holder()
    const held = await hold({ quantity: 4 })
    for (const quantity of [-1, 0.0000001, 1e15])
      expect(await errorOf(commit(held, { quantity }))).toMatchObject({ status: 400, param: 'quantity' })
    expect(await ask()).toMatchObject({ used: 0, held: 4 })
  })

  it('draws on what was held, in draw order, across stacked entitlements', async () => {
    const { hold, commit, account, namespace } = await holder(3, { priority: 1 })
    await grant(account, { resource, quantity: 4, priority: 2 }, namespace)
    await ruleFor(account, { resource, action: 'overage', overage_multiplier: 2 }, namespace)
    const drawn = async (answer: Answer) =>
      sql(
        `select e.priority, a.included_quantity::float as included, a.overage_quantity::float as overage, a.billable_quantity::float as billable
         from consumption_allocations a join entitlements e using (entitlement_id) where entry_id = $1 order by 1`,
        [at(answer, 'entry.entry_id')],
      )
    expect(await drawn(await commit(await hold({ quantity: 8 }), { quantity: 2 }))).toEqual([
      { priority: 1, included: 2, overage: 0, billable: 0 },
    ])
    // One of the first is left, then the second, then what is over.
    expect(await drawn(await commit(await hold({ quantity: 7 }), { quantity: 9 }))).toEqual([
      { priority: 1, included: 1, overage: 0, billable: 0 },
      { priority: 2, included: 4, overage: 4, billable: 4 },
    ])
  })
})

describe('the windows that were held', () => {
  const drawnOn = (answer: Answer) =>
    sql<{ entitlement_id: string; window_end: string; quantity: number }>(
      `select entitlement_id, fn_rfc3339(window_end) as window_end, (included_quantity + overage_quantity + excess_quantity)::float as quantity
       from consumption_allocations a where entry_id = $1 order by a.window_end`,
      [at(answer, 'entry.entry_id')],
    )

  it('are drawn on when they are over: the entry occurs at their last instant', async () => {
    const { hold, commit, ask, pass, entitlement, account, namespace } = await holder(10, {}, '2031-03-31T23:00:00Z')
    const held = await hold({ quantity: 6, ttl_seconds: 86_400 })
    await pass(3 * 3600)
    expect(await ask()).toMatchObject({ used: 0, held: 0, remaining: 10, window: { start: '2031-04-01T00:00:00Z' } })
    const committed = await commit(held, { quantity: 8 })
    expect(committed).toMatchObject({
      entry: { occurred_at: '2031-03-31T23:59:59.999Z', late: false, included_quantity: 8, excess_quantity: 0 },
      state: { used: 8, held: 0, remaining: 2 },
    })
    expect(textAt(committed, 'entry.recorded_at')).toMatch(/^2031-04-01T02/)
    expect(await drawnOn(committed)).toEqual([
      { entitlement_id: entitlement, window_end: '2031-04-01T00:00:00Z', quantity: 8 },
    ])
    expect(await ask()).toMatchObject({ used: 0, held: 0, remaining: 10 })
    expect(await audit(namespace)).toEqual({})
    // Its own hold kept the window open; now it is closed.
    const late = await meter(account, { resource, occurred_at: '2031-03-31T23:30:00Z' }, namespace)
    expect(late).toMatchObject({ entry: { late: true } })
  })

  it('stay open to arrivals until the hold ends', async () => {
    const { hold, release, pass, account, namespace } = await holder(10, {}, '2031-03-31T23:00:00Z')
    const held = await hold({ quantity: 6, ttl_seconds: 6 * 3600 })
    const arrive = () => meter(account, { resource, occurred_at: '2031-03-31T23:30:00Z' }, namespace)
    await pass(5 * 3600)
    expect(await arrive()).toMatchObject({ entry: { late: false }, state: { used: 1, held: 6 } })
    await release(held)
    expect(await arrive()).toMatchObject({ entry: { late: true }, state: { used: 1, held: 0 } })
  })

  it('stay open to arrivals until the hold expires, to the second', async () => {
    const { hold, pass, account, namespace } = await holder(10, {}, '2031-03-31T23:00:00Z')
    const held = await hold({ quantity: 6, ttl_seconds: 6 * 3600 })
    await pass(6 * 3600 - 60)
    const arrive = () => meter(account, { resource, occurred_at: '2031-03-31T23:30:00Z' }, namespace)
    expect(await arrive()).toMatchObject({ entry: { late: false } })
    await setClock(namespace, textAt(held, 'reservation.expires_at'))
    expect(await arrive()).toMatchObject({ entry: { late: true } })
  })

  it('of several types: the entry occurs when all of them were running', async () => {
    const { hold, commit, pass, account, namespace } = await holder(2, { priority: 1, window: 'calendar_day' })
    await grant(account, { resource, quantity: 5, priority: 2, window: 'none' }, namespace)
    const held = await hold({ quantity: 4, ttl_seconds: 86_400 })
    await pass(20 * 3600)
    const committed = await commit(held)
    expect(committed).toMatchObject({ entry: { occurred_at: '2031-03-10T23:59:59.999Z', included_quantity: 4 } })
    expect((await drawnOn(committed)).map((row) => [row.window_end, row.quantity])).toEqual([
      ['2031-03-11T00:00:00Z', 2],
      [null, 2],
    ])
    expect(await audit(namespace)).toEqual({})
  })

  it('are drawn on when the entitlement has ended, what goes beyond is not permitted', async () => {
    const { hold, commit, entitlement, account, namespace } = await holder()
    await ruleFor(account, { resource, action: 'warn' }, namespace)
    const [one, two] = [await hold({ quantity: 6 }), await hold({ quantity: 4 })]
    await api('api_entitlement_revoke', { entitlement_id: entitlement }, token(namespace))
    const inside = await commit(one, { quantity: 5 })
    expect(inside).toMatchObject({ entry: { included_quantity: 5, overage_quantity: 0, excess_quantity: 0 } })
    expect(await drawnOn(inside)).toMatchObject([{ entitlement_id: entitlement, quantity: 5 }])
    const beyond = await commit(two, { quantity: 7 })
    expect(beyond).toMatchObject({ entry: { included_quantity: 4, excess_quantity: 3 }, state: { limit: 0, used: 0 } })
    expect(await drawnOn(beyond)).toMatchObject([{ entitlement_id: entitlement, quantity: 7 }])
    expect(await audit(namespace)).toEqual({})
  })

  it('keep their bounds when the account moves to another timezone', async () => {
    const { hold, ask, commit, account, namespace } = await holder(10, { window: 'calendar_day' })
    const held = await hold({ quantity: 6 })
    await sql("update accounts set timezone = 'Asia/Tokyo' where account_id = $1", [
      await accountId(account, namespace),
    ])
    expect(await ask()).toMatchObject({ held: 6, window: { end: '2031-03-11T00:00:00Z' } })
    expect(await commit(held)).toMatchObject({ state: { used: 6, held: 0 } })
    expect(await audit(namespace)).toEqual({})
  })

  it('rolling: held while it lives, used when it is committed', async () => {
    const { hold, commit, ask, pass, namespace } = await holder(
      10,
      { window: 'rolling_24h', effective_start: '2031-03-01T00:00:00Z' },
      '2031-03-31T23:00:00Z',
    )
    const held = await hold({ quantity: 6, ttl_seconds: 86_400 })
    await pass(2 * 3600)
    expect(await ask()).toMatchObject({ used: 0, held: 6, remaining: 4 })
    const committed = await commit(held, { quantity: 5 })
    expect(committed).toMatchObject({ state: { used: 5, held: 0, remaining: 5 } })
    // Billed by the month that was held.
    expect(await drawnOn(committed)).toMatchObject([{ window_end: '2031-04-01T00:00:00Z' }])
    expect(await ask()).toMatchObject({ used: 5, held: 0 })
    await pass(23 * 3600)
    expect(await ask()).toMatchObject({ used: 0, held: 0 })
    expect(await audit(namespace)).toEqual({})
  })
})

describe('a release', () => {
  it('frees the hold; again it is the same; a commit is then 410', async () => {
    const { hold, release, commit, ask, pass, get } = await holder()
    const held = await hold({ quantity: 6 })
    const released = await release(held)
    expect(released).toMatchObject({ reservation: { status: 'released', ended_at: expect.any(String) } })
    expect(await ask()).toMatchObject({ used: 0, held: 0, remaining: 10 })
    await pass(7200)
    expect(await release(held)).toEqual(released)
    expect(await get(held)).toEqual(released['reservation'])
    expect(await errorOf(commit(held))).toMatchObject({ status: 410, code: 'reservation_released', param: null })
    expect(await errorOf(commit(held, { quantity: 0 }))).toMatchObject({ code: 'reservation_released' })
  })
})

describe('expiry', () => {
  it.each([false, true])('frees the hold to the second; the job (run: %s) changes no answer', async (withJob) => {
    const { hold, ask, use, commit, release, get, account, namespace } = await holder()
    const held = await hold({ quantity: 6, ttl_seconds: 60 })
    const end = Date.parse(textAt(held, 'reservation.expires_at'))
    expect(end - Date.parse(textAt(held, 'reservation.reserved_at'))).toBe(60_000)
    const heldAt = (ms: number) => checkWhen(new Date(ms).toISOString(), account, { resource }, namespace)
    expect(await heldAt(end - 1)).toMatchObject({ held: 6, remaining: 4 })
    expect(await heldAt(end)).toMatchObject({ held: 0, remaining: 10 })
    await setClock(namespace, new Date(end).toISOString())
    const job = async () => sqlValue<Answer>('select fn_expire_reservations($1)', [namespace])
    if (withJob) {
      expect(await job()).toEqual({ job: 'expire_reservations', processed: 1, more: false })
      expect(await job()).toEqual({ job: 'expire_reservations', processed: 0, more: false })
    }
    expect(await ask({ quantity: 10 })).toMatchObject({ allowed: true, held: 0, remaining: 10 })
    expect(await get(held)).toMatchObject({ status: 'expired', ended_at: at(held, 'reservation.expires_at') })
    expect(await errorOf(commit(held))).toMatchObject({ status: 410, code: 'reservation_expired' })
    const released = { reservation: { status: 'expired', ended_at: at(held, 'reservation.expires_at') } }
    expect(await release(held)).toMatchObject(released)
    expect(await release(held)).toMatchObject(released)
    expect(await use({ quantity: 10 })).toMatchObject({ allowed: true, remaining: 0 })
  })

  it('is recorded in bounded runs, never of those that are alive', async () => {
    const { hold, pass, namespace, ask } = await holder()
    for (let n = 0; n < 3; n++) await hold({ ttl_seconds: 60 })
    await hold({ ttl_seconds: 600, quantity: 2 })
    await pass(61)
    await reserve(mintAccount())
    const job = () => sqlValue<Answer>('select fn_expire_reservations($1, 2)', [namespace])
    const runs = [await job(), await job(), await job()]
    expect(runs.reduce((sum, run) => sum + numberAt(run, 'processed'), 0)).toBe(3)
    expect(runs.at(-1)).toMatchObject({ processed: 0, more: false })
    expect(await ask()).toMatchObject({ held: 2 })
  })
})

describe('a stock', () => {
  it('is held as it is owned: from scope to scope, and items are denied meanwhile', async () => {
    const { hold, commit, ask, account, namespace } = await holder(3, { limit_kind: 'inventory', window: null })
    const held = await hold({ quantity: 2, scope: 'us' })
    expect(held).toMatchObject({ used: 0, held: 2, remaining: 1, window: null })
    expect(await ask({ purpose: 'assign' })).toMatchObject({ used: 0, held: 2, remaining: 1 })
    expect(await assign(account, 'a', { resource }, namespace)).toMatchObject({ allowed: true, used: 1, held: 2 })
    expect(await assign(account, 'b', { resource }, namespace)).toMatchObject({ allowed: false, held: 2 })
    expect(await hold()).toMatchObject({ allowed: false, reason: 'limit_exceeded' })
    expect(await commit(held, { quantity: 1 })).toMatchObject({
      entry: { quantity: 1, included_quantity: 1, scope: 'us' },
      state: { limit: 3, used: 2, held: 0, remaining: 1 },
    })
    expect(await audit(namespace)).toEqual({})
  })

  it('more than was held is over what others own and hold', async () => {
    const { hold, commit, use } = await holder(5, { limit_kind: 'inventory', window: null })
    await use({ quantity: 1 })
    const held = await hold({ quantity: 2 })
    await hold({ quantity: 1 })
    expect(await commit(held, { quantity: 4 })).toMatchObject({
      entry: { included_quantity: 3, excess_quantity: 1 },
      state: { used: 5, held: 1, remaining: 0 },
    })
  })

  it('held under an entitlement that has ended is owned under the next', async () => {
    const { hold, commit, ask, entitlement, account, namespace } = await holder(5, {
      limit_kind: 'inventory',
      window: null,
    })
    const held = await hold({ quantity: 4 })
    await api('api_entitlement_revoke', { entitlement_id: entitlement }, token(namespace))
    await grant(account, { resource, quantity: 6, limit_kind: 'inventory' }, namespace)
    expect(await ask()).toMatchObject({ limit: 6, used: 0, held: 4, remaining: 2 })
    expect(await commit(held)).toMatchObject({ state: { limit: 6, used: 4, held: 0 } })
  })
})

it('time access admits a hold of any size, which holds nothing', async () => {
  const { hold, commit, ask } = await holder(null, { limit_kind: 'time_access', window: null })
  const held = await hold({ quantity: 50 })
  expect(held).toMatchObject({ allowed: true, limit: null, held: 0, remaining: null, reservation: { status: 'held' } })
  expect(await ask()).toMatchObject({ held: 0 })
  expect(await commit(held, { quantity: 70 })).toMatchObject({ entry: { included_quantity: 70 } })
})

it('unlimited: held, used, and billed as pay as you go', async () => {
  const { hold, commit, rule, account, namespace } = await holder(null)
  await rule({ action: 'overage', overage_multiplier: 2.5 })
  const held = await hold({ quantity: 50 })
  expect(held).toMatchObject({ limit: null, held: 50, remaining: null })
  await commit(held, { quantity: 60 })
  expect(
    await sql('select billable_quantity, billable_amount from entitlement_windows where account_id = $1', [
      await accountId(account, namespace),
    ]),
  ).toEqual([{ billable_quantity: '60', billable_amount: '150.0' }])
})

it('a hold in one scope counts in those that cover it', async () => {
  const { hold, ask, account, namespace } = await holder(10)
  await grant(account, { resource, quantity: 2, scope: 'us' }, namespace)
  await hold({ quantity: 3, scope: 'us/h100' })
  expect(await ask({ scope: 'us' })).toMatchObject({ limit: 12, held: 3, remaining: 9 })
  expect(await ask()).toMatchObject({ limit: 10, held: 1, remaining: 9 })
})

it('each step moves the version of its key', async () => {
  const { hold, commit, release, account, namespace } = await holder()
  const id = await accountId(account, namespace)
  const version = async () =>
    Number(await sqlValue('select key_version from resource_state where account_id = $1', [id]))
  const start = await version()
  const [one, two] = [await hold(), await hold()]
  expect(await version()).toBe(start + 2)
  await commit(one)
  await commit(one)
  await release(two)
  await release(two)
  expect(await version()).toBe(start + 4)
})

it('a snapshot with a hold improves when the hold ends', async () => {
  const { hold, account, namespace } = await holder()
  const [soon] = [await hold({ ttl_seconds: 60, quantity: 2 }), await hold({ ttl_seconds: 600, quantity: 2 })]
  const snapshot = await api('api_snapshot', { account_id: account, resource }, token(namespace))
  expect(snapshot).toMatchObject({
    improves_at: at(soon, 'reservation.expires_at'),
    kinds: [{ held: '4000000', remaining: '6000000' }],
  })
})

describe('in SQL', () => {
  it('fn_reserve, fn_commit_reservation, fn_release_reservation', async () => {
    const account = mintAccount()
    await grant(account, { resource, quantity: 5 })
    const id = await accountId(account)
    const [granted] = await sql<Answer>(`select * from fn_reserve('k1', $1, 'gpu_hours', 3, 60)`, [id])
    expect(granted).toMatchObject({
      granted: true,
      reservation_id: expect.any(String),
      reason: 'within_limit',
      quantity_limit: '5',
      used: '0',
      held: '3',
      remaining: '2',
    })
    expect(
      await sql(`select granted, reservation_id, reason from fn_reserve('k2', $1, 'gpu_hours', 3, 60)`, [id]),
    ).toEqual([{ granted: false, reservation_id: null, reason: 'limit_exceeded' }])
    const reservation = granted?.['reservation_id']
    const entry = await sqlValue('select fn_commit_reservation($1, 2)', [reservation])
    expect(await sql('select quantity from consumption_ledger where entry_id = $1', [entry])).toEqual([
      { quantity: '2' },
    ])
    expect(await errorOf(sql('select fn_release_reservation($1)', [reservation]))).toMatchObject({
      code: 'already_committed',
    })
    const other = await sqlValue(`select reservation_id from fn_reserve('k3', $1, 'gpu_hours', 1, 60, 'us')`, [id])
    expect(await sqlValue('select fn_release_reservation($1)', [other])).toBe(true)
    expect(await sqlValue('select fn_release_reservation($1)', [other])).toBe(true)
    expect(await sqlValue('select fn_release_reservation(gen_random_uuid())')).toBe(false)
    expect(await errorOf(sql('select fn_commit_reservation(gen_random_uuid())'))).toMatchObject({ status: 404 })
    for (const [wrong, param] of [
      [`'k4', $1, 'gpu_hours', 1, 0`, 'ttl_seconds'],
      [`E'a\\nb', $1, 'gpu_hours', 1, 60`, 'idempotency_key'],
      [`'k4', $1, 'gpu_hours', 1, 60, 'us//x'`, 'scope'],
      [`'k4', $1, 'gpu_hours', 'NaN', 60`, 'quantity'],
    ])
      expect(await errorOf(sql(`select * from fn_reserve(${wrong})`, [id]))).toMatchObject({ status: 400, param })
    expect(await errorOf(sql(`select fn_commit_reservation($1, 1, '[]')`, [reservation]))).toMatchObject({
      param: 'metadata',
    })
  })
})

it('one of another namespace does not exist', async () => {
  const { hold } = await holder()
  const held = await hold()
  const stranger = await mintNamespace()
  for (const how of ['commit', 'release'] as const)
    expect(await errorOf(endHold(how, held, {}, stranger))).toMatchObject({
      status: 404,
      code: 'not_found',
      param: 'reservation_id',
    })
})
