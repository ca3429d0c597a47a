import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { audit } from '../../support/audit.ts'
import { accountId, advanceClock, assign, at, check, consume, endHold, grant, reserve } from '../../support/commands.ts'
import { type Answer, mintAccount, mintNamespace, retried, sql, sqlValue } from '../../support/sql.ts'

const resource = 'gpu_hours'
const parallel = <Result>(count: number, work: (n: number) => Promise<Result>) =>
  Promise.all(Array.from({ length: count }, (_, n) => work(n)))

/** `ok`, or the code of the refusal. */
const outcome = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'ok',
    (error: unknown) => {
      if (!(error instanceof pg.DatabaseError) || !error.code?.startsWith('ME')) throw error
      return String(JSON.parse(error.detail ?? '{}').code)
    },
  )

async function holder(quantity: number) {
  const namespace = await mintNamespace()
  const account = mintAccount()
  await grant(account, { resource, quantity, window: 'calendar_month' }, namespace)
  return { namespace, account, id: await accountId(account, namespace) }
}

describe('one reservation', () => {
  it('is committed once, by whoever comes first of two, and of twenty', async () => {
    for (const clients of [2, 2, 2, 20]) {
      const { namespace, account, id } = await holder(10)
      const held = await reserve(account, { quantity: 4 }, namespace)
      const answers = await parallel(clients, () => retried(() => endHold('commit', held, { quantity: 3 }, namespace)))
      expect(answers.filter((answer) => !answer['duplicate'])).toHaveLength(1)
      expect(new Set(answers.map(({ duplicate: _, ...answer }) => JSON.stringify(answer))).size).toBe(1)
      expect(await sql('select quantity from consumption_ledger where account_id = $1', [id])).toEqual([
        { quantity: '3' },
      ])
    }
  })

  it('of two different commits one is recorded, the other refused', async () => {
    for (let round = 0; round < 5; round++) {
      const { namespace, account, id } = await holder(10)
      const held = await reserve(account, { quantity: 4 }, namespace)
      const outcomes = await parallel(2, (n) =>
        outcome(retried(() => endHold('commit', held, { quantity: n + 1 }, namespace))),
      )
      expect(outcomes.toSorted()).toEqual(['already_committed', 'ok'])
      expect(await sql('select 1 from consumption_ledger where account_id = $1', [id])).toHaveLength(1)
    }
  })

  it('is committed or released, not both', async () => {
    for (let round = 0; round < 5; round++) {
      const { namespace, account } = await holder(10)
      const held = await reserve(account, { quantity: 4 }, namespace)
      const outcomes = await Promise.all(
        (['commit', 'release'] as const).map((how) => outcome(retried(() => endHold(how, held, {}, namespace)))),
      )
      const isCommitted = outcomes[0] === 'ok'
      expect(outcomes).toEqual(isCommitted ? ['ok', 'already_committed'] : ['reservation_released', 'ok'])
      expect(await check(account, { resource }, namespace)).toMatchObject({ used: isCommitted ? 4 : 0, held: 0 })
    }
  })

  it('asked for 30 times at once with one key is held once', async () => {
    const { namespace, account } = await holder(100)
    const answers = await parallel(30, () =>
      retried(() => reserve(account, { idempotency_key: 'k', quantity: 3 }, namespace)),
    )
    expect(answers.filter((answer) => !answer['duplicate'])).toHaveLength(1)
    expect(new Set(answers.map((answer) => at(answer, 'reservation.reservation_id'))).size).toBe(1)
    expect(await check(account, { resource }, namespace)).toMatchObject({ held: 3 })
  })
})

it('40 holds of 3 at once under 50: exactly 16', async () => {
  const { namespace, account } = await holder(50)
  const answers = await parallel(40, () => retried(() => reserve(account, { quantity: 3 }, namespace)))
  expect(answers.filter((answer) => answer['allowed'])).toHaveLength(16)
  expect(await check(account, { resource, quantity: 0 }, namespace)).toMatchObject({ held: 48, remaining: 2 })
})

it('50 clients consume, reserve, commit and release: never past the limit, counters = ledger + holds', async () => {
  const limit = 60
  const { namespace, account, id } = await holder(limit)
  const seen: Answer[] = []
  const watch = (answer: Answer) => {
    seen.push(answer)
    return answer
  }
  const held = await parallel(50, async (n) => {
    const mine: number[] = []
    for (let round = 0; round < 4; round++) {
      const quantity = 1 + ((n + round) % 3)
      if ((n + round) % 3 === 0) {
        watch(
          await retried(() => consume(account, { idempotency_key: `c${n}-${round}`, resource, quantity }, namespace)),
        )
        continue
      }
      const key = { idempotency_key: `r${n}-${round}`, quantity }
      const reserved = watch(await retried(() => reserve(account, key, namespace)))
      if (!reserved['allowed']) continue
      const end = (n + 2 * round) % 4
      if (end === 0) await retried(() => endHold('release', reserved, {}, namespace))
      else if (end === 1) await retried(() => endHold('commit', reserved, { quantity: quantity - 1 }, namespace))
      else if (end === 2) await retried(() => endHold('commit', reserved, {}, namespace))
      else mine.push(quantity)
    }
    return mine.reduce((sum, quantity) => sum + quantity, 0)
  })
  for (const { used, held: holds } of seen) expect(Number(used) + Number(holds)).toBeLessThanOrEqual(limit)
  const recorded = Number(await sqlValue('select sum(quantity) from consumption_ledger where account_id = $1', [id]))
  const counted = Number(await sqlValue('select sum(used) from entitlement_windows where account_id = $1', [id]))
  const stillHeld = held.reduce((sum, quantity) => sum + quantity, 0)
  expect(recorded).toBe(counted)
  expect(recorded + stillHeld).toBeLessThanOrEqual(limit)
  expect(stillHeld).toBeGreaterThan(0)
  expect(await check(account, { resource, quantity: 0 }, namespace)).toMatchObject({
    used: recorded,
    held: stillHeld,
    remaining: limit - recorded - stillHeld,
  })
  expect(await audit(namespace)).toEqual({})
})

it('two expiries at once give back once, beside holds and commits', async () => {
  const { namespace, account, id } = await holder(100)
  await parallel(10, () => retried(() => reserve(account, { quantity: 5, ttl_seconds: 60 }, namespace)))
  await advanceClock(namespace, 60)
  const runs = await parallel(2, () => sqlValue<Answer>('select fn_expire_reservations($1)', [namespace]))
  // One may find the other at work there, and leave it that.
  expect(runs.reduce((sum, run) => sum + Number(run['processed']), 0)).toBe(10)
  expect(await check(account, { resource, quantity: 0 }, namespace)).toMatchObject({ held: 0, remaining: 100 })
  await parallel(20, async (n) => {
    if (n % 4 === 0) return sql('select fn_expire_reservations($1)', [namespace])
    const held = await retried(() => reserve(account, { quantity: 1, ttl_seconds: 3600 }, namespace))
    return retried(() => endHold(n % 2 ? 'commit' : 'release', held, {}, namespace))
  })
  expect(await check(account, { resource, quantity: 0 }, namespace)).toMatchObject({ used: 10, held: 0 })
  expect(
    await sql('select end_status, count(*)::int from reservations where account_id = $1 group by 1 order by 1', [id]),
  ).toEqual([
    { end_status: 'committed', count: 10 },
    { end_status: 'expired', count: 10 },
    { end_status: 'released', count: 5 },
  ])
  expect(await audit(namespace)).toEqual({})
})

describe('items', () => {
  it('7 assignments at once at 5 give 5', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await grant(account, { resource: 'named_users', limit_kind: 'inventory', quantity: 5 }, namespace)
    const answers = await parallel(7, (n) => retried(() => assign(account, `user-${n}`, {}, namespace)))
    expect(answers.filter((answer) => answer['allowed'])).toHaveLength(5)
    expect(await sql('select 1 from inventory_items where namespace_id = $1', [namespace])).toHaveLength(5)
    expect(await audit(namespace)).toEqual({})
  })

  it('one item assigned 20 times at once counts once', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await grant(account, { resource: 'named_users', limit_kind: 'inventory', quantity: 5 }, namespace)
    const answers = await parallel(20, () => retried(() => assign(account, 'ada', {}, namespace)))
    expect(answers.filter((answer) => !answer['duplicate'])).toHaveLength(1)
    expect(new Set(answers.map(({ duplicate: _, ...answer }) => JSON.stringify(answer))).size).toBe(1)
    expect(await audit(namespace)).toEqual({})
  })
})
