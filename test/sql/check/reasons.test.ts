import { describe, expect, it } from 'vitest'
import { check, checkWhen, grant, meter, ruleFor, textAt } from '../../support/commands.ts'
import { api, mintAccount, sql, token } from '../../support/sql.ts'

const PAST = '2020-01-01T00:00:00Z'
const LONG_PAST = '2019-01-01T00:00:00Z'
const FUTURE = '2090-01-01T00:00:00Z'

type Ended = 'scheduled' | 'expired' | 'revoked'
/** Entitlements of benchmark_runs by how they are not in force, and the reason that is most useful to hear. */
const absences: [held: Ended[], reason: string][] = [
  [[], 'no_entitlement'],
  [['scheduled'], 'not_started'],
  [['expired'], 'expired'],
  [['revoked'], 'revoked'],
  [['expired', 'scheduled'], 'not_started'],
  [['revoked', 'scheduled'], 'not_started'],
  // Revoked just now, expired long ago: what ended last.
  [['expired', 'revoked'], 'revoked'],
]

async function hold(
  account: string,
  ended: Ended,
  limitKind = 'cumulative',
  scope: string | null = null,
): Promise<void> {
  const dates = {
    scheduled: { effective_start: FUTURE },
    expired: { effective_start: LONG_PAST, effective_end: PAST },
    revoked: {},
  }[ended]
  const entitlement = await grant(account, { limit_kind: limitKind, scope, ...dates })
  if (ended === 'revoked')
    await api('api_entitlement_revoke', { entitlement_id: textAt(entitlement, 'entitlement_id') })
}

describe('nothing in force', () => {
  it.each(absences)('%j: %s', async (held, reason) => {
    const account = mintAccount()
    for (const ended of held) await hold(account, ended)
    for (const quantity of [0, 1]) {
      expect(await check(account, { quantity })).toMatchObject({
        allowed: false,
        outcome: 'block',
        reason,
        quantity,
        limit: 0,
        used: 0,
        held: 0,
        remaining: 0,
        window: null,
        action: 'block',
        warn_at_percent: null,
        overage: { quantity: 0, multiplier: 1 },
        grace: null,
        limits: [],
      })
    }
  })

  it('an entitlement that expired after another was revoked gives expired', async () => {
    const account = mintAccount()
    await hold(account, 'revoked')
    await grant(account, { effective_start: LONG_PAST, effective_end: FUTURE })
    const decision = await checkWhen('2090-06-01T00:00:00Z', account)
    expect(decision).toMatchObject({ allowed: false, reason: 'expired' })
  })

  it('one revoked before its start is revoked, not still to come', async () => {
    const account = mintAccount()
    const entitlement = await grant(account, { effective_start: FUTURE })
    await api('api_entitlement_revoke', { entitlement_id: textAt(entitlement, 'entitlement_id') })
    expect(await check(account)).toMatchObject({ reason: 'revoked' })
  })

  it('counts neither other scopes nor other resources', async () => {
    const account = mintAccount()
    await hold(account, 'expired', 'cumulative', 'us')
    expect(await check(account, { scope: 'eu' })).toMatchObject({ reason: 'no_entitlement' })
    expect(await check(account, { scope: null })).toMatchObject({ reason: 'no_entitlement' })
    expect(await check(account, { scope: 'us/h100' })).toMatchObject({ reason: 'expired' })
    expect(await check(account, { resource: 'gpu_hours' })).toMatchObject({ reason: 'no_entitlement' })
  })

  it.each([
    ['any', 'revoked'],
    ['consume', 'expired'],
    ['lease', 'revoked'],
    ['assign', 'no_entitlement'],
  ] as const)('for %s looks at the kinds that could answer it: %s', async (purpose, reason) => {
    const account = mintAccount()
    await hold(account, 'expired', 'cumulative')
    await hold(account, 'revoked', 'concurrency')
    expect(await check(account, { purpose })).toMatchObject({ reason })
  })
})

describe('suspended', () => {
  const suspended = (account: string) =>
    sql("update accounts set status = 'suspended' where external_id = $1", [account])

  it.each(['any', 'consume', 'lease', 'assign'] as const)(
    'denies %s, whatever is held, also nothing asked',
    async (purpose) => {
      const account = mintAccount()
      for (const limitKind of ['cumulative', 'inventory', 'concurrency'])
        await grant(account, { limit_kind: limitKind })
      expect(await check(account, { purpose })).toMatchObject({ allowed: true })
      await suspended(account)
      for (const quantity of [0, 1]) {
        const decision = await check(account, { purpose, quantity })
        expect(decision).toMatchObject({ allowed: false, outcome: 'block', reason: 'account_suspended', limit: 100 })
      }
    },
  )

  it('is the reason also when nothing is held', async () => {
    const account = mintAccount()
    await hold(account, 'expired')
    await suspended(account)
    expect(await check(account)).toMatchObject({ reason: 'account_suspended', limits: [] })
  })

  it('goes on recording, and denies again after that', async () => {
    const account = mintAccount()
    await grant(account)
    await suspended(account)
    expect(await meter(account, { quantity: 3 })).toMatchObject({ entry: { included_quantity: 3 }, state: { used: 3 } })
    expect(await check(account)).toMatchObject({ reason: 'account_suspended', used: 3 })
  })
})

describe('every limit kind and action', () => {
  const over: [action: string, outcome: string, reason: string][] = [
    ['block', 'block', 'limit_exceeded'],
    ['warn', 'warn', 'over_limit_warned'],
    ['grace', 'grace', 'over_limit_grace'],
    ['overage', 'overage', 'over_limit_overage'],
  ]
  const kinds = [
    ['cumulative', 'consume'],
    ['inventory', 'assign'],
    ['concurrency', 'lease'],
  ] as const

  it.each(kinds.flatMap(([limitKind, purpose]) => over.map((row) => [limitKind, purpose, ...row] as const)))(
    '%s for %s under %s: %s, %s',
    async (limitKind, purpose, action, outcome, reason) => {
      const account = mintAccount()
      await grant(account, { limit_kind: limitKind, quantity: 2 })
      await ruleFor(account, { limit_kind: limitKind, action, warn_at_percent: 100 })
      const asked = { resource: 'benchmark_runs', purpose }
      expect(await check(account, { ...asked, quantity: 1 })).toMatchObject({
        outcome: 'allow',
        reason: 'within_limit',
      })
      expect(await check(account, { ...asked, quantity: 2 })).toMatchObject({ outcome: 'warn', reason: 'near_limit' })
      const decision = await check(account, { ...asked, quantity: 3 })
      expect(decision).toMatchObject({ outcome, reason, action, overage: { quantity: 1, multiplier: 1 } })
      expect(decision['grace']).toEqual(action === 'grace' ? { quantity_left: null, until: null } : null)
      expect(decision).toMatchObject({ limits: [{ limit_kind: limitKind, outcome, reason }] })
    },
  )

  it.each(kinds)('%s: for %s, overage past its cap and grace past its bound', async (limitKind, purpose) => {
    const account = mintAccount()
    await grant(account, { limit_kind: limitKind, quantity: 10 })
    await ruleFor(account, { limit_kind: limitKind, action: 'overage', overage_cap: 2 })
    expect(await check(account, { purpose, quantity: 12 })).toMatchObject({ reason: 'over_limit_overage' })
    expect(await check(account, { purpose, quantity: 13 })).toMatchObject({ reason: 'overage_cap_reached' })
    await ruleFor(account, { limit_kind: limitKind, action: 'grace', grace_percent: 10 })
    expect(await check(account, { purpose, quantity: 11 })).toMatchObject({
      reason: 'over_limit_grace',
      grace: { quantity_left: 0, until: null },
    })
    expect(await check(account, { purpose, quantity: 12 })).toMatchObject({ reason: 'grace_exhausted' })
  })

  it('time access only admits, whatever the quantity and the rule', async () => {
    const account = mintAccount()
    await grant(account, { limit_kind: 'time_access', quantity: 3 })
    await ruleFor(account, { limit_kind: 'time_access', action: 'block', warn_at_percent: 1 })
    expect(await check(account, { quantity: 1_000_000 })).toMatchObject({
      outcome: 'allow',
      reason: 'within_limit',
      limit: null,
      remaining: null,
      window: null,
    })
  })
})

it('refuses a resource that the namespace does not know, and a quantity or scope that is none', async () => {
  const call = sql("select * from fn_check_entitlement('00000000-0000-4000-8000-000000000001', 'nothing_such')")
  await expect(call).rejects.toMatchObject({ code: 'ME400', detail: expect.stringContaining('unknown_resource') })
  for (const [quantity, scope, param] of [
    ['-1', null, 'quantity'],
    [null, null, 'quantity'],
    ['NaN', null, 'quantity'],
    ['Infinity', null, 'quantity'],
    ['0.0000001', null, 'quantity'],
    ['1000000000000000', null, 'quantity'],
    ['1234567890.123456', null, 'quantity'],
    ['1', 'us//x', 'scope'],
  ]) {
    const refused = sql(
      "select * from fn_check_entitlement('00000000-0000-4000-8000-000000000001', 'gpu_hours', $2, $1)",
      [quantity, scope],
    )
    await expect(refused).rejects.toMatchObject({ code: 'ME400', detail: expect.stringContaining(`"${param}"`) })
  }
  await expect(
    api('api_snapshot', { account_id: 'x', resource: 'nothing_such' }, token('default')),
  ).rejects.toMatchObject({
    code: 'ME400',
  })
})
