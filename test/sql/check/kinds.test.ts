import { describe, expect, it } from 'vitest'
import { acquire, check, grant, meter, ruleFor } from '../../support/commands.ts'
import { type Answer, mintAccount } from '../../support/sql.ts'

type Kind = 'cumulative' | 'inventory' | 'concurrency' | 'time_access'

async function accountWith(limits: Partial<Record<Kind, number>>): Promise<string> {
  const account = mintAccount()
  for (const [limitKind, quantity] of Object.entries(limits)) await grant(account, { limit_kind: limitKind, quantity })
  return account
}

/** What is granted of each kind, what is asked, and each kind asked with its reason; the first listed leads unless named. */
const questions: [
  held: Partial<Record<Kind, number>>,
  purpose: 'any' | 'consume' | 'lease' | 'assign',
  quantity: number,
  reason: string,
  limits: [Kind, string][],
][] = [
  // any: the quantity goes to the first of cumulative, inventory, concurrency; the others are asked for 1.
  [
    { cumulative: 10, concurrency: 2 },
    'any',
    10,
    'within_limit',
    [
      ['cumulative', 'within_limit'],
      ['concurrency', 'within_limit'],
    ],
  ],
  [
    { cumulative: 10, concurrency: 2 },
    'any',
    11,
    'limit_exceeded',
    [
      ['cumulative', 'limit_exceeded'],
      ['concurrency', 'within_limit'],
    ],
  ],
  [
    { cumulative: 10, concurrency: 0 },
    'any',
    10,
    'limit_exceeded',
    [
      ['cumulative', 'within_limit'],
      ['concurrency', 'limit_exceeded'],
    ],
  ],
  [
    { cumulative: 10, concurrency: 0 },
    'any',
    0,
    'within_limit',
    [
      ['cumulative', 'within_limit'],
      ['concurrency', 'within_limit'],
    ],
  ],
  [
    { inventory: 5, concurrency: 2 },
    'any',
    5,
    'within_limit',
    [
      ['inventory', 'within_limit'],
      ['concurrency', 'within_limit'],
    ],
  ],
  [
    { inventory: 5, concurrency: 2 },
    'any',
    6,
    'limit_exceeded',
    [
      ['inventory', 'limit_exceeded'],
      ['concurrency', 'within_limit'],
    ],
  ],
  [
    { cumulative: 10, inventory: 0 },
    'any',
    10,
    'limit_exceeded',
    [
      ['cumulative', 'within_limit'],
      ['inventory', 'limit_exceeded'],
    ],
  ],
  [
    { concurrency: 3, time_access: 1 },
    'any',
    3,
    'within_limit',
    [
      ['concurrency', 'within_limit'],
      ['time_access', 'within_limit'],
    ],
  ],
  [
    { concurrency: 3, time_access: 1 },
    'any',
    4,
    'limit_exceeded',
    [
      ['concurrency', 'limit_exceeded'],
      ['time_access', 'within_limit'],
    ],
  ],
  [{ time_access: 1 }, 'any', 99, 'within_limit', [['time_access', 'within_limit']]],
  // consume: draws on the first of cumulative, inventory, time access; time access admits the same.
  [{ cumulative: 10, inventory: 0, concurrency: 0 }, 'consume', 10, 'within_limit', [['cumulative', 'within_limit']]],
  [{ inventory: 5, concurrency: 0 }, 'consume', 6, 'limit_exceeded', [['inventory', 'limit_exceeded']]],
  [
    { cumulative: 10, time_access: 1 },
    'consume',
    10,
    'within_limit',
    [
      ['cumulative', 'within_limit'],
      ['time_access', 'within_limit'],
    ],
  ],
  [{ time_access: 1 }, 'consume', 7, 'within_limit', [['time_access', 'within_limit']]],
  [{ concurrency: 9 }, 'consume', 1, 'no_entitlement', []],
  // lease: concurrency only. assign: inventory only.
  [{ concurrency: 3, cumulative: 0 }, 'lease', 3, 'within_limit', [['concurrency', 'within_limit']]],
  [{ concurrency: 3, cumulative: 0 }, 'lease', 4, 'limit_exceeded', [['concurrency', 'limit_exceeded']]],
  [{ cumulative: 9, inventory: 9, time_access: 1 }, 'lease', 1, 'no_entitlement', []],
  [{ inventory: 3, cumulative: 0 }, 'assign', 3, 'within_limit', [['inventory', 'within_limit']]],
  [{ cumulative: 9, concurrency: 9, time_access: 1 }, 'assign', 1, 'no_entitlement', []],
]

describe('several kinds at once', () => {
  it.each(questions)('%j, for %s, %s: %s, %j', async (held, purpose, quantity, reason, limits) => {
    const account = await accountWith(held)
    const decision = await check(account, { purpose, quantity })
    const shown = (decision['limits'] as Answer[]).map((limit) => [limit['limit_kind'], limit['reason']])
    expect([decision['reason'], decision['quantity'], shown]).toEqual([reason, quantity, limits])
    const blocking = limits.find(([, why]) => why === reason)
    if (blocking) expect(decision['limit']).toBe(blocking[0] === 'time_access' ? null : held[blocking[0]])
  })
})

it('the worst outcome leads: allow < warn < grace < overage < block', async () => {
  const account = await accountWith({ cumulative: 1, inventory: 1, concurrency: 1 })
  await ruleFor(account, { limit_kind: 'cumulative', action: 'warn' })
  await ruleFor(account, { limit_kind: 'inventory', action: 'grace' })
  await ruleFor(account, { limit_kind: 'concurrency', action: 'overage' })
  await acquire(account, 'h', { resource: 'benchmark_runs' })
  expect(await check(account, { quantity: 2 })).toMatchObject({
    outcome: 'overage',
    limits: [{ outcome: 'warn' }, { outcome: 'allow' }, { outcome: 'overage' }],
  })
  await ruleFor(account, { limit_kind: 'inventory', action: 'block' })
  await ruleFor(account, { limit_kind: 'inventory', action: 'block', warn_at_percent: 1 })
  await ruleFor(account, { limit_kind: 'concurrency', action: 'grace' })
  expect(await check(account, { quantity: 2 })).toMatchObject({
    outcome: 'grace',
    limits: [{ outcome: 'warn' }, { outcome: 'warn' }, { outcome: 'grace' }],
  })
})

it('of equal outcomes the earlier kind leads', async () => {
  const account = await accountWith({ cumulative: 7, inventory: 0 })
  await meter(account, { quantity: 7 })
  expect(await check(account, { quantity: 1 })).toMatchObject({
    reason: 'limit_exceeded',
    limit: 7,
    limits: [{ outcome: 'block' }, { outcome: 'block' }],
  })
})
