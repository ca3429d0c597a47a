import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Snapshot } from '../../../functions/core/snapshot.ts'
import { decideFromSnapshot } from '../../../functions/core/verdict.ts'
import { accountId, acquire, grant, meter, ruleFor } from '../../support/commands.ts'
import { type Answer, mintAccount, sql } from '../../support/sql.ts'

/**
 * The edge picks a band of the snapshot, SQL decides by itself: the same statement asks for both, so that they are of
 * one moment. Whatever is held, used, asked and ruled, they say the same.
 */
const quantity = fc.constantFrom(0, 0.000001, 0.1, 1, 3, 10, 33.333333)
const limitKind = fc.constantFrom('cumulative', 'inventory', 'concurrency', 'time_access')
const world = fc.record({
  grants: fc.array(
    fc.record({
      limit_kind: limitKind,
      quantity: fc.option(quantity),
      scope: fc.constantFrom(null, null, 'us', 'eu'),
      window: fc.constantFrom('none', 'calendar_month', 'rolling_30d'),
      effective_start: fc.constantFrom('2020-01-01T00:00:00Z', '2020-01-01T00:00:00Z', '2090-01-01T00:00:00Z'),
    }),
    { maxLength: 5 },
  ),
  rules: fc.array(
    fc.record({
      limit_kind: limitKind,
      action: fc.constantFrom('block', 'warn', 'grace', 'overage'),
      warn_at_percent: fc.constantFrom(null, 0.001, 33.3333333, 80, 100),
      overage_multiplier: fc.constantFrom(null, 0, 2.5),
      overage_cap: fc.constantFrom(null, 0, 2, 100),
      grace_percent: fc.constantFrom(null, 0, 33.3333333, 100),
      grace_seconds: fc.constantFrom(null, 0, 3600),
      on_error: fc.constantFrom('allow', 'deny'),
    }),
    { maxLength: 4 },
  ),
  uses: fc.array(fc.record({ quantity: fc.constantFrom(0.1, 1, 2, 12), scope: fc.constantFrom(null, 'us') }), {
    maxLength: 3,
  }),
  seats: fc.nat({ max: 2 }),
  suspended: fc.constantFrom(false, false, false, true),
})

const questions = fc.array(
  fc.record({
    quantity: fc.oneof(
      quantity,
      fc.integer({ min: 0, max: 40_000_000 }).map((millionths) => millionths / 1e6),
    ),
    purpose: fc.constantFrom('any', 'consume', 'lease', 'assign'),
    scope: fc.constantFrom(null, 'us', 'us/h100', 'eu'),
  }),
  { minLength: 4, maxLength: 8 },
)

it('the edge and SQL answer alike', async () => {
  await fc.assert(
    fc.asyncProperty(world, questions, async ({ grants, rules, uses, seats, suspended }, asked) => {
      const account = mintAccount()
      for (const fields of grants) await grant(account, fields)
      for (const fields of rules) await ruleFor(account, fields)
      for (const fields of uses) await meter(account, fields)
      for (let seat = 0; seat < seats; seat++) await acquire(account, `holder-${seat}`, { resource: 'benchmark_runs' })
      if (suspended) await sql("update accounts set status = 'suspended' where external_id = $1", [account])
      const id = await accountId(account)
      for (const { quantity: q, purpose, scope } of asked) {
        const [row] = await sql<{ snapshot: Snapshot; decision: Answer }>(
          `select fn_snapshot(n, $1, 'benchmark_runs', $2, fn_now('default', statement_timestamp())) as snapshot,
             fn_decide(n, $1, 'benchmark_runs', $2, fn_now('default', statement_timestamp()), null, $3, $4) as decision
           from namespaces n where n.namespace_id = 'default'`,
          [id, scope, q, purpose],
        )
        if (!row) throw new Error('no row')
        const edge = decideFromSnapshot(row.snapshot, {
          account_id: account,
          resource: 'benchmark_runs',
          scope,
          quantity: q,
          purpose,
        })
        const { as_of: _, ...decision } = row.decision
        expect(edge).toEqual({ ...decision, account_id: account })
      }
    }),
    { seed: 20261121, numRuns: 60 },
  )
})
