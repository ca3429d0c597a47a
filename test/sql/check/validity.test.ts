import fc from 'fast-check'
import { expect, it } from 'vitest'
import { accountId, acquire, checkWhen, grant, meter, ruleFor, setClock } from '../../support/commands.ts'
import { type Answer, api, mintAccount, mintNamespace, sqlValue } from '../../support/sql.ts'

/**
 * What a snapshot promises while nobody writes: until `valid_until` time alone takes nothing away, so an allow stands;
 * until `improves_at` it gives nothing either, so a block stands.
 */
const NOW = Date.parse('2031-03-20T10:00:00Z')
const MINUTE = 60_000
const minutes = fc.oneof(fc.constantFrom(1, 14, 15, 16, 59, 60, 61, 1440, 43_200), fc.integer({ min: 1, max: 90_000 }))
const instant = (offset: number) => new Date(NOW + offset).toISOString()

const world = fc.record({
  grants: fc.array(
    fc.record({
      limit_kind: fc.constantFrom('cumulative', 'cumulative', 'concurrency', 'time_access'),
      quantity: fc.constantFrom(0, 2, 5),
      scope: fc.constantFrom(null, null, 'us'),
      window: fc.constantFrom('calendar_month', 'calendar_day', 'billing_cycle', 'rolling_30d', 'rolling_24h', 'none'),
      starts: fc.oneof(fc.constant(-90_000), fc.constant(-90_000), minutes),
      ends: fc.option(minutes),
    }),
    { minLength: 1, maxLength: 4 },
  ),
  uses: fc.array(
    fc.record({
      quantity: fc.constantFrom(1, 2),
      ago: fc.constantFrom(-4, -1, 0, 1, 16, 61, 1430, 43_190),
      scope: fc.constantFrom(null, 'us'),
    }),
    { maxLength: 4 },
  ),
  leases: fc.array(fc.constantFrom(60, 3600, 86_400), { maxLength: 3 }),
  rule: fc.option(
    fc.record({
      action: fc.constantFrom('grace', 'overage', 'warn'),
      grace_seconds: fc.constantFrom(null, 600, 86_400),
      overage_cap: fc.constantFrom(null, 1),
      warn_at_percent: fc.constantFrom(null, 50),
    }),
  ),
})

it('an allow stands until valid_until, a block until improves_at', async () => {
  const namespace = await mintNamespace()
  await setClock(namespace, instant(0))
  await fc.assert(
    fc.asyncProperty(
      world,
      fc.array(minutes, { minLength: 3, maxLength: 6 }),
      async ({ grants, uses, leases, rule }, later) => {
        const account = mintAccount()
        for (const { starts, ends, ...fields } of grants) {
          const effective_start = instant(starts * MINUTE)
          const effective_end = ends === null ? null : instant((Math.max(starts, 0) + ends) * MINUTE)
          await grant(account, { ...fields, effective_start, effective_end }, namespace)
        }
        if (rule)
          for (const limit_kind of ['cumulative', 'concurrency'])
            await ruleFor(account, { ...rule, limit_kind }, namespace)
        for (const { ago, ...fields } of uses)
          await meter(account, { ...fields, occurred_at: instant(-ago * MINUTE) }, namespace)
        for (const [n, ttl_seconds] of leases.entries())
          await acquire(account, `h${n}`, { resource: 'benchmark_runs', ttl_seconds }, namespace)

        // A moment later than all that, in the namespace's own time.
        const taken = await sqlValue<string>(`select fn_rfc3339(fn_now($1))`, [namespace])
        const id = await accountId(account, namespace)
        for (const scope of [null, 'us']) {
          const snapshot = await sqlValue<Answer>(
            `select fn_snapshot(n, $2, 'benchmark_runs', $3, $4::timestamptz) from namespaces n where namespace_id = $1`,
            [namespace, id, scope, taken],
          )
          const bound = (name: string) =>
            typeof snapshot[name] === 'string' ? Date.parse(String(snapshot[name])) : Number.POSITIVE_INFINITY
          const [validUntil, improvesAt] = [bound('valid_until'), bound('improves_at')]
          expect(validUntil).toBeGreaterThan(Date.parse(taken))
          expect(improvesAt).toBeGreaterThan(Date.parse(taken))
          // The last moment of each promise, too.
          const moments = [...later.map((offset) => NOW + offset * MINUTE), validUntil - 1, improvesAt - 1]
          for (const moment of moments.filter((each) => each < validUntil && each > Date.parse(taken))) {
            for (const [quantity, purpose] of [
              [1, 'any'],
              [0, 'any'],
              [3, 'consume'],
              [1, 'lease'],
            ] as const) {
              const question = { scope, quantity, purpose }
              const before = await checkWhen(taken, account, question, namespace)
              const after = await checkWhen(new Date(moment).toISOString(), account, question, namespace)
              const promised = before['allowed'] ? true : moment < improvesAt ? false : undefined
              if (promised !== undefined) {
                expect({ question, at: moment, snapshot, allowed: after['allowed'] }).toMatchObject({
                  allowed: promised,
                })
              }
            }
          }
        }
      },
    ),
    { seed: 20261121, numRuns: 25 },
  )
})

it('a snapshot says what it is a snapshot of', async () => {
  const namespace = await mintNamespace()
  const account = mintAccount()
  await grant(account, {}, namespace)
  const snapshot = await api(
    'api_snapshot',
    { account_id: account, resource: 'benchmark_runs', scope: 'us' },
    { type: 'jwt', namespace, scopes: ['check'] },
  )
  expect(snapshot).toMatchObject({
    namespace,
    account_id: await accountId(account, namespace),
    suspended: false,
    key_version: 1,
    config_version: 1,
  })
})
