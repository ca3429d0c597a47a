import { randomUUID } from 'node:crypto'
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
  grant,
  listAt,
  meter,
  numberAt,
  reserve,
  reverse,
  ruleFor,
  setClock,
  textAt,
  unassign,
} from '../../support/commands.ts'
import { type Answer, api, errorOf, mintAccount, mintNamespace, sql, token } from '../../support/sql.ts'

const entryOf = (answer: Answer): string => textAt(answer, 'entry.entry_id')

/** A namespace whose clock runs on from this moment. */
async function namespaceAt(now: string): Promise<string> {
  const namespace = await mintNamespace()
  await setClock(namespace, now)
  return namespace
}

/** What a reversal gave back, in the order of the original's draw. */
function drawnBy(entry: string): Promise<Answer[]> {
  return sql<Answer>(
    `select e.priority, a.included_quantity::float as included, a.overage_quantity::float as overage, a.excess_quantity::float as excess,
      a.billable_quantity::float as billable, a.overage_multiplier::float as multiplier
     from consumption_allocations a join entitlements e using (entitlement_id) where a.entry_id = $1 order by e.priority`,
    [entry],
  )
}

function countersOf(account: string, namespace: string): Promise<Answer[]> {
  return sql<Answer>(
    `select to_char(w.window_start at time zone 'UTC', 'YYYY-MM-DD') as "from", w.used::float as used, w.overage_quantity::float as overage,
      w.billable_quantity::float as billable, w.billable_amount::float as amount
     from entitlement_windows w join accounts a using (account_id)
     where a.external_id = $1 and a.namespace_id = $2 and w.used <> 0 order by w.window_start`,
    [account, namespace],
  )
}

describe('a reversal', () => {
  it('is an entry with a negative quantity that names what it reverses, and gives back', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await grant(account, { window: 'calendar_month' }, namespace)
    const used = await consume(account, { quantity: 5, scope: 'us' }, namespace)
    const answer = await reverse(entryOf(used), { quantity: 3, reason: 'ran twice', idempotency_key: 'r' }, namespace)
    expect(answer).toEqual({
      duplicate: false,
      state: { limit: 100, used: 2, held: 0, remaining: 98 },
      entry: {
        entry_id: expect.any(String),
        idempotency_key: 'r',
        account_id: account,
        resource: 'benchmark_runs',
        scope: 'us',
        quantity: -3,
        unit: 'count',
        original_quantity: -3,
        original_unit: 'count',
        occurred_at: at(used, 'entry.occurred_at'),
        recorded_at: expect.any(String),
        late: false,
        kind: 'reversal',
        reverses: entryOf(used),
        included_quantity: -3,
        overage_quantity: 0,
        excess_quantity: 0,
        metadata: { reason: 'ran twice' },
      },
    })
    expect(await check(account, {}, namespace)).toMatchObject({ used: 2, remaining: 98 })
    expect(await audit(namespace)).toEqual({})
  })

  it('takes all that is left when no quantity is given, and nothing after that', async () => {
    const account = mintAccount()
    await grant(account)
    const entry = entryOf(await meter(account, { quantity: 0.3 }))
    expect(await reverse(entry, { quantity: 0.1 })).toMatchObject({ entry: { quantity: -0.1 } })
    expect(await errorOf(reverse(entry, { quantity: 0.200001 }))).toMatchObject({
      status: 409,
      code: 'over_reversal',
      param: 'quantity',
    })
    expect(await reverse(entry)).toMatchObject({ entry: { quantity: -0.2 }, state: { used: 0 } })
    for (const fields of [{}, { quantity: 0.000001 }]) {
      expect(await errorOf(reverse(entry, fields))).toMatchObject({ status: 409, code: 'over_reversal' })
    }
    expect(await check(account)).toMatchObject({ used: 0 })
  })

  it.each([0, -1, 0.0000001])('of %d is refused', async (quantity) => {
    const account = mintAccount()
    const entry = entryOf(await meter(account, { quantity: 1 }))
    expect(await errorOf(reverse(entry, { quantity }))).toMatchObject({
      status: 400,
      code: 'invalid_parameter',
      param: 'quantity',
    })
  })

  it('of a reversal, or of what was given back, is refused', async () => {
    const account = mintAccount()
    await grant(account, { limit_kind: 'inventory' })
    const taken = entryOf(await meter(account, { quantity: 5 }))
    const given = entryOf(await meter(account, { quantity: -1 }))
    const reversal = entryOf(await reverse(taken, { quantity: 2 }))
    for (const entry of [given, reversal]) {
      expect(await errorOf(reverse(entry))).toMatchObject({ status: 409, code: 'not_reversible' })
    }
  })

  it('of an entry that is not there, or another namespace’s, is not found', async () => {
    const [ours, theirs] = [await mintNamespace(), await mintNamespace()]
    const entry = entryOf(await meter('same', {}, ours))
    for (const [id, namespace] of [
      [entry, theirs],
      [randomUUID(), ours],
    ] as const) {
      const missing = { status: 404, code: 'not_found', param: 'entry_id' }
      expect(await errorOf(reverse(id, {}, namespace))).toMatchObject(missing)
      expect(await errorOf(api('api_ledger_get', { entry_id: id }, token(namespace)))).toMatchObject(missing)
    }
  })

  it('is granted to a suspended account', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await grant(account, {}, namespace)
    const entry = entryOf(await consume(account, { quantity: 4 }, namespace))
    await sql("update accounts set status = 'suspended' where external_id = $1 and namespace_id = $2", [
      account,
      namespace,
    ])
    expect(await reverse(entry, {}, namespace)).toMatchObject({ state: { used: 0 } })
  })

  it('reads as it was answered, among the ledger too; what it reverses stays as it was', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    const used = await meter(account, { quantity: 5, metadata: { run: 7 } }, namespace)
    const { entry } = await reverse(entryOf(used), { reason: 'test' }, namespace)
    const get = (id: string) => api('api_ledger_get', { entry_id: id }, token(namespace))
    expect(await get(entryOf({ entry: entry ?? null }))).toEqual(entry)
    expect(await get(entryOf(used))).toEqual(used['entry'])
    const page = await api('api_ledger_list', { account_id: account }, token(namespace))
    expect(listAt(page, 'data')).toEqual([entry, used['entry']])
  })

  it('keeps its reason outside the ledger', async () => {
    const entry = entryOf(await reverse(entryOf(await meter(mintAccount())), { reason: 'Ada asked' }))
    expect(
      await sql(
        `select d.metadata, l.details_hash = digest(d.salt || convert_to(d.metadata::text, 'UTF8'), 'sha256') as hashed
         from consumption_ledger l join ledger_details d using (entry_id) where l.entry_id = $1`,
        [entry],
      ),
    ).toEqual([{ metadata: { reason: 'Ada asked' }, hashed: true }])
  })
})

describe('the same key', () => {
  it('and the same request: the first result again', async () => {
    const account = mintAccount()
    await grant(account)
    const entry = entryOf(await meter(account, { quantity: 5 }))
    const [some, rest] = [{ idempotency_key: 'some', quantity: 2 }, { idempotency_key: 'rest' }]
    const first = await reverse(entry, some)
    const second = await reverse(entry, rest)
    expect(await reverse(entry, { ...some, quantity: 2.0, reason: 'other words' })).toEqual({
      ...first,
      duplicate: true,
    })
    // All that was left then, though nothing is left now.
    expect(await reverse(entry, rest)).toEqual({ ...second, duplicate: true })
  })

  it('and another request is a conflict, before any other rule', async () => {
    const account = mintAccount()
    const [one, two] = [
      await meter(account, { quantity: 5, idempotency_key: 'metered' }),
      await meter(account, { quantity: 5 }),
    ]
    const reversal = await reverse(entryOf(one), { idempotency_key: 'k', quantity: 2 })
    const conflict = { status: 409, code: 'idempotency_conflict', param: 'idempotency_key' }
    for (const [entry, fields] of [
      [entryOf(one), { idempotency_key: 'k', quantity: 3 }],
      [entryOf(one), { idempotency_key: 'k' }],
      [entryOf(two), { idempotency_key: 'k', quantity: 2 }],
      [entryOf(one), { idempotency_key: 'k', quantity: 100 }],
      [entryOf(reversal), { idempotency_key: 'k', quantity: 2 }],
      [entryOf(one), { idempotency_key: 'metered', quantity: 2 }],
    ] as const) {
      expect(await errorOf(reverse(entry, fields))).toMatchObject(conflict)
    }
    expect(await errorOf(meter(account, { idempotency_key: 'k', quantity: 2 }))).toMatchObject(conflict)
  })

  it('is not used up by a refusal', async () => {
    const account = mintAccount()
    const entry = entryOf(await meter(account, { quantity: 5 }))
    expect(await errorOf(reverse(entry, { idempotency_key: 'k', quantity: 6 }))).toMatchObject({
      code: 'over_reversal',
    })
    expect(await reverse(entry, { idempotency_key: 'k', quantity: 5 })).toMatchObject({ duplicate: false })
  })
})

describe('gives the same buckets back in reverse order', () => {
  async function stacked() {
    const namespace = await mintNamespace()
    const account = mintAccount()
    const ids = []
    for (const priority of [1, 2, 3]) {
      const granted = await grant(account, { quantity: 10, priority, window: 'calendar_month' }, namespace)
      ids.push(textAt(granted, 'entitlement_id'))
    }
    await ruleFor(account, { action: 'overage', overage_cap: 4, overage_multiplier: 7 }, namespace)
    // 10, 10 and 10 included, then 4 overage and 2 excess on the last.
    const entry = entryOf(await meter(account, { quantity: 36 }, namespace))
    return { namespace, account, entry, ids }
  }

  it('excess, then overage, then the included of the last drawn', async () => {
    const { namespace, account, entry } = await stacked()
    const steps: [number, Answer[]][] = [
      [1, [{ priority: 3, included: 0, overage: 0, excess: -1, billable: 0, multiplier: 7 }]],
      [3, [{ priority: 3, included: 0, overage: -2, excess: -1, billable: -2, multiplier: 7 }]],
      [5, [{ priority: 3, included: -3, overage: -2, excess: 0, billable: -2, multiplier: 7 }]],
      [
        20,
        [
          { priority: 1, included: -3, overage: 0, excess: 0, billable: 0, multiplier: 7 },
          { priority: 2, included: -10, overage: 0, excess: 0, billable: 0, multiplier: 7 },
          { priority: 3, included: -7, overage: 0, excess: 0, billable: 0, multiplier: 7 },
        ],
      ],
      [7, [{ priority: 1, included: -7, overage: 0, excess: 0, billable: 0, multiplier: 7 }]],
    ]
    let left = 36
    for (const [quantity, drawn] of steps) {
      left -= quantity
      const answer = await reverse(entry, { quantity }, namespace)
      expect(await drawnBy(entryOf(answer))).toEqual(drawn)
      expect(numberAt(answer, 'state.used')).toBe(left)
      expect(await audit(namespace)).toEqual({})
    }
    expect(await errorOf(reverse(entry, {}, namespace))).toMatchObject({ code: 'over_reversal' })
    expect(await countersOf(account, namespace)).toEqual([])
  })

  it('in the order in which it was drawn, whatever the priorities are now', async () => {
    const { namespace, entry, ids } = await stacked()
    for (const [n, entitlement_id] of ids.entries()) {
      await api('api_entitlement_patch', { entitlement_id, priority: 30 - n }, token(namespace))
    }
    expect(await drawnBy(entryOf(await reverse(entry, { quantity: 17 }, namespace)))).toMatchObject([
      { priority: 28, included: -10, overage: -4, excess: -2 },
      { priority: 29, included: -1 },
    ])
  })

  it('with the billing facts of the original, whatever the rule is now', async () => {
    const { namespace, account, entry } = await stacked()
    await ruleFor(account, { action: 'overage', overage_multiplier: 100 }, namespace)
    await meter(account, { quantity: 1 }, namespace)
    await reverse(entry, { quantity: 4 }, namespace)
    const amounts = (await countersOf(account, namespace)).map(({ billable, amount }) => ({ billable, amount }))
    // 4 at 7 of which 2 were given back, and 1 at 100.
    expect(amounts).toContainEqual({ billable: 3, amount: 2 * 7 + 100 })
  })

  it('of an unlimited entitlement that is billed by use, what was billed', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await grant(account, { quantity: null, window: 'calendar_month' }, namespace)
    await ruleFor(account, { action: 'overage', overage_multiplier: 3 }, namespace)
    const entry = entryOf(await consume(account, { quantity: 10 }, namespace))
    await reverse(entry, { quantity: 4 }, namespace)
    expect(await countersOf(account, namespace)).toMatchObject([{ used: 6, billable: 6, amount: 18 }])
    await reverse(entry, {}, namespace)
    expect(await countersOf(account, namespace)).toEqual([])
  })
})

describe('counts when the original does', () => {
  it('in the earlier window, as long as that is open', async () => {
    const namespace = await namespaceAt('2031-03-31T23:00:00Z')
    const account = mintAccount()
    await grant(account, { window: 'calendar_month', effective_start: '2031-01-01T00:00:00Z' }, namespace)
    const entry = entryOf(await consume(account, { quantity: 8 }, namespace))
    await setClock(namespace, '2031-04-01T00:59:00Z')
    await consume(account, { quantity: 2 }, namespace)
    const answer = await reverse(entry, { quantity: 5 }, namespace)
    expect(answer).toMatchObject({ entry: { late: false }, state: { used: 2 } })
    expect(textAt(answer, 'entry.occurred_at')).toMatch(/^2031-03-31T23:00/)
    expect(await countersOf(account, namespace)).toMatchObject([
      { from: '2031-03-01', used: 3 },
      { from: '2031-04-01', used: 2 },
    ])
    expect(await audit(namespace)).toEqual({})
  })

  it('closed: now, late, in the present window of the same bucket, which may become a credit', async () => {
    const namespace = await namespaceAt('2031-03-31T23:00:00Z')
    const account = mintAccount()
    await grant(account, { window: 'calendar_month', quantity: 10, effective_start: '2031-01-01T00:00:00Z' }, namespace)
    await ruleFor(account, { action: 'overage', overage_cap: 5, overage_multiplier: 2 }, namespace)
    const entry = entryOf(await consume(account, { quantity: 14 }, namespace))
    await setClock(namespace, '2031-04-01T01:00:00Z')
    await consume(account, { quantity: 2 }, namespace)
    const answer = await reverse(entry, { quantity: 12 }, namespace)
    expect(answer).toMatchObject({
      entry: { late: true, included_quantity: -8, overage_quantity: -4, reverses: entry },
      state: { limit: 10, used: 0, remaining: 10 },
    })
    expect(textAt(answer, 'entry.occurred_at')).toBe(textAt(answer, 'entry.recorded_at'))
    expect(await countersOf(account, namespace)).toEqual([
      { from: '2031-03-01', used: 14, overage: 4, billable: 4, amount: 8 },
      { from: '2031-04-01', used: -10, overage: -4, billable: -4, amount: -8 },
    ])
    // Decisions take a credit for nothing used: no headroom beyond the limit, no overage beyond the cap.
    expect(await check(account, { quantity: 10 }, namespace)).toMatchObject({ used: 0, remaining: 10 })
    expect(await check(account, { quantity: 15 }, namespace)).toMatchObject({ reason: 'over_limit_overage' })
    expect(await check(account, { quantity: 16 }, namespace)).toMatchObject({ reason: 'overage_cap_reached' })
    expect(await audit(namespace)).toEqual({})
  })

  it.each([
    ['none', '2031-05-01'],
    ['calendar_month', '2031-05-01'],
    ['billing_cycle', '2031-05-10'],
    ['rolling_30d', '2031-05-01'],
  ])('%s, closed with its entitlement: a credit of the window that would be the present one', async (window, from) => {
    const namespace = await namespaceAt('2031-03-15T00:00:00Z')
    const account = mintAccount()
    const dates = { effective_start: '2031-03-10T00:00:00Z', effective_end: '2031-04-01T00:00:00Z' }
    await grant(account, { window, ...dates }, namespace)
    const entry = entryOf(await consume(account, { quantity: 5 }, namespace))
    await setClock(namespace, '2031-05-19T00:00:00Z')
    expect(await reverse(entry, { quantity: 2 }, namespace)).toMatchObject({
      entry: { late: true },
      state: { limit: 0, used: 0 },
    })
    await reverse(entry, { quantity: 1 }, namespace)
    expect(await countersOf(account, namespace)).toMatchObject([{ used: 5 }, { from, used: -3 }])
    expect(await audit(namespace)).toEqual({})
  })

  it('of a late entry, where that counted', async () => {
    const namespace = await namespaceAt('2031-04-10T00:00:00Z')
    const account = mintAccount()
    await grant(account, { window: 'calendar_month', effective_start: '2031-01-01T00:00:00Z' }, namespace)
    const late = await meter(account, { quantity: 5, occurred_at: '2031-03-10T00:00:00Z' }, namespace)
    expect(await reverse(entryOf(late), {}, namespace)).toMatchObject({
      entry: { late: true, occurred_at: '2031-03-10T00:00:00Z' },
      state: { used: 0 },
    })
    expect(await countersOf(account, namespace)).toEqual([])
    expect(await audit(namespace)).toEqual({})
  })

  it('of several windows one is closed: all of it counts now', async () => {
    const namespace = await namespaceAt('2031-04-01T12:00:00Z')
    const account = mintAccount()
    const since = { effective_start: '2031-01-01T00:00:00Z' }
    await grant(account, { window: 'calendar_day', quantity: 3, priority: 1, ...since }, namespace)
    await grant(account, { window: 'calendar_month', priority: 2, ...since }, namespace)
    const entry = entryOf(await consume(account, { quantity: 5 }, namespace))
    await setClock(namespace, '2031-04-02T01:00:00Z')
    // The last drawn is the month, which is open.
    expect(await reverse(entry, { quantity: 1 }, namespace)).toMatchObject({ entry: { late: false } })
    expect(await reverse(entry, {}, namespace)).toMatchObject({ entry: { late: true } })
    expect(await countersOf(account, namespace)).toMatchObject([
      { from: '2031-04-01', used: 3 },
      { from: '2031-04-02', used: -3 },
    ])
    expect(await audit(namespace)).toEqual({})
  })

  it('in a rolling window it leaves with the original, and a late one narrows it when it leaves', async () => {
    const namespace = await namespaceAt('2031-03-20T10:00:00.000Z')
    const account = mintAccount()
    await grant(account, { window: 'rolling_30d', effective_start: '2031-01-01T00:00:00Z' }, namespace)
    const entry = entryOf(await meter(account, { quantity: 9, occurred_at: '2031-03-20T10:00:00Z' }, namespace))
    expect(await reverse(entry, { quantity: 2 }, namespace)).toMatchObject({ state: { used: 7 } })
    const usedAt = async (now: string) => (await checkWhen(now, account, {}, namespace))['used']
    expect(await usedAt('2031-04-19T09:59:59.999Z')).toBe(7)
    expect(await usedAt('2031-04-19T10:00:00Z')).toBe(0)
    await setClock(namespace, '2031-04-10T00:00:00Z')
    const late = await reverse(entry, { quantity: 3 }, namespace)
    expect(late).toMatchObject({ entry: { late: true }, state: { used: 4 } })
    await meter(account, { quantity: 5 }, namespace)
    // The original has left, the credit has not; then that leaves as well.
    expect(await usedAt('2031-04-19T10:00:00Z')).toBe(2)
    await setClock(namespace, '2031-04-20T00:00:00Z')
    const snapshot = await api('api_snapshot', { account_id: account, resource: 'benchmark_runs' }, token(namespace))
    const leaves = Date.parse(textAt(late, 'entry.recorded_at')) + 30 * 86_400_000
    expect(Date.parse(textAt(snapshot, 'valid_until'))).toBeLessThanOrEqual(leaves)
    expect(await usedAt(new Date(leaves).toISOString())).toBe(5)
    expect(await audit(namespace)).toEqual({})
  })

  it('asked for a past moment, it counts from when it was recorded', async () => {
    const namespace = await namespaceAt('2031-03-10T10:00:00Z')
    const account = mintAccount()
    await grant(account, { window: 'calendar_month', effective_start: '2031-03-01T00:00:00Z' }, namespace)
    const entry = entryOf(await consume(account, { quantity: 5 }, namespace))
    await setClock(namespace, '2031-03-12T10:00:00Z')
    await reverse(entry, { quantity: 2 }, namespace)
    const usedAt = async (moment: string) => (await check(account, { at: moment }, namespace))['used']
    expect(await usedAt('2031-03-11T00:00:00Z')).toBe(5)
    expect(await usedAt('2031-03-12T10:00:01Z')).toBe(3)
    expect(await usedAt('2031-03-31T00:00:00Z')).toBe(3)
  })
})

describe('what hangs on the count', () => {
  it('the version moves, and not by a refusal or a duplicate', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await grant(account, {}, namespace)
    const entry = entryOf(await consume(account, { quantity: 5 }, namespace))
    const version = async () =>
      (await api('api_snapshot', { account_id: account, resource: 'benchmark_runs' }, token(namespace)))['key_version']
    const before = Number(await version())
    await reverse(entry, { quantity: 2, idempotency_key: 'k' }, namespace)
    expect(await version()).toBe(before + 1)
    await reverse(entry, { quantity: 2, idempotency_key: 'k' }, namespace)
    await errorOf(reverse(entry, { quantity: 4 }, namespace))
    expect(await version()).toBe(before + 1)
  })

  it.each([
    // A window's clock runs to its end; any other ends with the fall under the limit.
    ['none', 'within_limit', null],
    ['calendar_month', 'within_limit', 'kept'],
  ] as const)('the grace clock of %s', async (window, reason, until) => {
    const namespace = await namespaceAt('2031-03-10T00:00:00Z')
    const account = mintAccount()
    await grant(account, { window, quantity: 10, effective_start: '2031-03-01T00:00:00Z' }, namespace)
    await ruleFor(account, { action: 'grace', grace_seconds: 3600 }, namespace)
    const over = await consume(account, { quantity: 12 }, namespace)
    expect(over).toMatchObject({ reason: 'over_limit_grace' })
    await advanceClock(namespace, 1800)
    await reverse(entryOf(over), { quantity: 5 }, namespace)
    const decision = await check(account, {}, namespace)
    expect(decision).toMatchObject({ reason, used: 7 })
    if (until === null) expect(at(decision, 'grace.until')).toBeNull()
    else expect(at(decision, 'grace.until')).toBe(textAt(over, 'grace.until'))
  })

  it('overage given back may be used again under the cap', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await grant(account, { quantity: 10 }, namespace)
    await ruleFor(account, { action: 'overage', overage_cap: 5 }, namespace)
    const entry = entryOf(await consume(account, { quantity: 15 }, namespace))
    expect(await consume(account, { quantity: 1 }, namespace)).toMatchObject({ reason: 'overage_cap_reached' })
    await reverse(entry, { quantity: 2 }, namespace)
    expect(await consume(account, { quantity: 2 }, namespace)).toMatchObject({ reason: 'over_limit_overage' })
    expect(await consume(account, { quantity: 1 }, namespace)).toMatchObject({ reason: 'overage_cap_reached' })
  })
})

it('of what a reservation committed gives back what that drew', async () => {
  const namespace = await mintNamespace()
  const account = mintAccount()
  for (const priority of [1, 2]) await grant(account, { quantity: 10, priority }, namespace)
  const held = await reserve(account, { resource: 'benchmark_runs', quantity: 15 }, namespace)
  const committed = await api(
    'api_reservation_commit',
    { reservation_id: textAt(held, 'reservation.reservation_id'), quantity: 14 },
    token(namespace),
  )
  const answer = await reverse(entryOf(committed), { quantity: 6 }, namespace)
  expect(await drawnBy(entryOf(answer))).toMatchObject([
    { priority: 1, included: -2 },
    { priority: 2, included: -4 },
  ])
  expect(answer).toMatchObject({ state: { used: 8, held: 0, remaining: 12 } })
  expect(await audit(namespace)).toEqual({})
})

describe('of a stock', () => {
  it('takes off what is owned, never below zero', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await grant(account, { limit_kind: 'inventory', quantity: 10 }, namespace)
    const entry = entryOf(await meter(account, { quantity: 6 }, namespace))
    await meter(account, { quantity: -4 }, namespace)
    expect(await errorOf(reverse(entry, { quantity: 3 }, namespace))).toMatchObject({
      status: 409,
      code: 'negative_balance',
      param: 'quantity',
    })
    expect(await errorOf(reverse(entry, {}, namespace))).toMatchObject({ code: 'negative_balance' })
    expect(await reverse(entry, { quantity: 2 }, namespace)).toMatchObject({ state: { limit: 10, used: 0 } })
    expect(await audit(namespace)).toEqual({})
  })

  it('nor below the number of items assigned; their own entries are released instead', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    const resource = 'benchmark_runs'
    await grant(account, { limit_kind: 'inventory', quantity: 10 }, namespace)
    const entry = entryOf(await meter(account, { quantity: 3 }, namespace))
    const own = []
    for (const item of ['laptop-1', 'laptop-2']) {
      own.push(textAt(await assign(account, item, { resource }, namespace), 'item.entry_id'))
    }
    await meter(account, { quantity: -2 }, namespace)
    expect(await errorOf(reverse(entry, { quantity: 2 }, namespace))).toMatchObject({ code: 'negative_balance' })
    expect(await reverse(entry, { quantity: 1 }, namespace)).toMatchObject({ state: { used: 2 } })
    await unassign(account, 'laptop-1', { resource }, namespace)
    for (const id of own) {
      expect(await errorOf(reverse(id, {}, namespace))).toMatchObject({ status: 409, code: 'not_reversible' })
    }
    const [released] = await sql<{ entry_id: string }>(
      `select entry_id from consumption_ledger where account_id = $1 and entry_kind = 'release'`,
      [await accountId(account, namespace)],
    )
    expect(await errorOf(reverse(released?.entry_id ?? '', {}, namespace))).toMatchObject({ code: 'not_reversible' })
    expect(await audit(namespace)).toEqual({})
  })

  it('of what nothing was entitled to', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    const entry = entryOf(await meter(account, { quantity: 3 }, namespace))
    expect(await reverse(entry, { quantity: 2 }, namespace)).toMatchObject({
      entry: { quantity: -2, included_quantity: 0, excess_quantity: -2 },
      state: { limit: 0, used: 0 },
    })
    expect(await audit(namespace)).toEqual({})
  })

  it('of time access: the record only', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await grant(account, { limit_kind: 'time_access', quantity: null }, namespace)
    const entry = entryOf(await consume(account, { quantity: 3 }, namespace))
    expect(await reverse(entry, {}, namespace)).toMatchObject({ entry: { quantity: -3, included_quantity: -3 } })
    expect(await audit(namespace)).toEqual({})
  })
})

describe('many at once', () => {
  it('of one entry never give back more than it had', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await grant(account, { window: 'calendar_month' }, namespace)
    const entry = entryOf(await consume(account, { quantity: 10 }, namespace))
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, () =>
        reverse(entry, { quantity: 1 }, namespace).then(
          () => 'given back',
          (error: { code?: string }) => error.code ?? String(error),
        ),
      ),
    )
    expect(outcomes.toSorted()).toEqual([...Array(10).fill('ME409'), ...Array(10).fill('given back')])
    expect(await check(account, {}, namespace)).toMatchObject({ used: 0 })
    expect(await audit(namespace)).toEqual({})
  })

  it('with one key are one', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await grant(account, {}, namespace)
    const entry = entryOf(await consume(account, { quantity: 10 }, namespace))
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => reverse(entry, { quantity: 3, idempotency_key: 'k' }, namespace)),
    )
    expect(answers.filter((answer) => !answer['duplicate'])).toHaveLength(1)
    expect(new Set(answers.map(entryOf)).size).toBe(1)
    expect(await check(account, {}, namespace)).toMatchObject({ used: 7 })
  })
})
