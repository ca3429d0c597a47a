import { describe, expect, it } from 'vitest'
import { check, grant, keyed, ruleFor, textAt } from '../../support/commands.ts'
import { type Answer, api, mintAccount, mintNamespace, token } from '../../support/sql.ts'

/** Which of these rules decides for an account that holds plan-a; each warns at its own percentage, which tells them apart. */
const precedence: [
  rules: { account?: 'own' | 'other'; plan?: string; limit_kind?: string; resource?: string }[],
  wins: number | null,
][] = [
  [[], null],
  [[{}], 0],
  [[{}, {}], 1],
  [[{}, { plan: 'plan-a' }], 1],
  [[{ plan: 'plan-a' }, {}], 0],
  [[{ plan: 'plan-a' }, { plan: 'plan-a' }], 1],
  [[{ plan: 'plan-b' }], null],
  [[{}, { plan: 'plan-b' }], 0],
  [[{ account: 'own' }, { plan: 'plan-a' }, {}], 0],
  [[{}, { plan: 'plan-a' }, { account: 'own' }], 2],
  [[{ account: 'own' }, { account: 'own' }], 1],
  [[{ account: 'other' }, {}], 1],
  [[{ account: 'other' }], null],
  [[{ account: 'own', plan: 'plan-a' }, { account: 'own' }], 0],
  [[{ account: 'own', plan: 'plan-b' }, {}], 1],
  [[{ limit_kind: 'inventory' }], null],
  [[{ resource: 'gpu_hours' }], null],
]

describe('the most specific rule wins, among equals the newest', () => {
  it.each(precedence)('%j: number %s', async (rules, wins) => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    for (const plan of ['plan-a', 'plan-b']) {
      await api(
        'api_plan_put',
        {
          plan_id: plan,
          name: plan,
          entitlements: [{ resource: 'benchmark_runs', limit_kind: 'cumulative', quantity: 5 }],
        },
        token(namespace),
      )
    }
    await api('api_subscription_create', { ...keyed(), account_id: account, plan_id: 'plan-a' }, token(namespace))
    for (const [n, { account: whose, plan, ...fields }] of rules.entries()) {
      const accountOf = { own: account, other: mintAccount(), none: null }[whose ?? 'none']
      const rule = { plan_id: plan ?? null, action: 'warn', warn_at_percent: n + 1, ...fields }
      await ruleFor(accountOf, rule, namespace)
    }
    expect(await check(account, {}, namespace)).toMatchObject({
      warn_at_percent: wins === null ? null : wins + 1,
      action: wins === null ? 'block' : 'warn',
    })
  })
})

it('a rule that was deleted or changed decides no more', async () => {
  const account = mintAccount()
  await grant(account, { quantity: 1 })
  await ruleFor(account, { action: 'warn' })
  const newest = await ruleFor(account, { action: 'overage', overage_multiplier: 3 })
  const over = () => check(account, { quantity: 2 })
  expect(await over()).toMatchObject({ reason: 'over_limit_overage', overage: { quantity: 1, multiplier: 3 } })
  await api('api_rule_patch', { rule_id: textAt(newest, 'rule_id'), action: 'grace', grace_percent: 0 })
  expect(await over()).toMatchObject({ reason: 'grace_exhausted', overage: { multiplier: 3 } })
  await api('api_rule_delete', { rule_id: textAt(newest, 'rule_id') })
  expect(await over()).toMatchObject({ reason: 'over_limit_warned', overage: { multiplier: 1 } })
})

it('on_error of the deciding rule goes with the snapshot, kind by kind', async () => {
  const account = mintAccount()
  const snapshot = (): Promise<Answer> => api('api_snapshot', { account_id: account, resource: 'benchmark_runs' })
  expect(await snapshot()).toMatchObject({ kinds: [] })
  await grant(account)
  await grant(account, { limit_kind: 'concurrency' })
  const [counted, seats] = [{ limit_kind: 'cumulative' }, { limit_kind: 'concurrency' }]
  const deny = { on_error: 'deny' }
  const allow = { on_error: 'allow' }
  expect(await snapshot()).toMatchObject({
    kinds: [
      { ...counted, ...deny },
      { ...seats, ...deny },
    ],
  })
  await ruleFor(account, { action: 'block', limit_kind: 'concurrency', on_error: 'allow' })
  expect(await snapshot()).toMatchObject({
    kinds: [
      { ...counted, ...deny },
      { ...seats, ...allow },
    ],
  })
  await ruleFor(account, { action: 'block', on_error: 'allow' })
  expect(await snapshot()).toMatchObject({
    kinds: [
      { ...counted, ...allow },
      { ...seats, ...allow },
    ],
  })
})
