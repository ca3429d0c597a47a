import fc from 'fast-check'
import { expect, it } from 'vitest'
import { audit } from '../../support/audit.ts'
import {
  advanceClock,
  consume,
  endHold,
  grant,
  keyed,
  meter,
  reserve,
  reverse,
  ruleFor,
  textAt,
} from '../../support/commands.ts'
import { type Answer, api, sqlValue, token } from '../../support/sql.ts'
import { closeWindows, exported, items, type Place, placeAt } from './place.ts'

const RUNS = Number(process.env['MEC_BILLING_RUNS'] ?? 60)
const SEED = Number(process.env['MEC_BILLING_SEED'] ?? 20_261_122)
const START = '2031-01-30T20:00:00Z'
const RESOURCES = ['benchmark_runs', 'gpu_hours']

const resource = fc.constantFrom(...RESOURCES)
const quantity = fc.constantFrom(1, 2, 0.5, 0.000001, 7, 30)
const nth = fc.nat({ max: 20 })
const plan_id = fc.constantFrom('small', 'large', 'unlimited', 'cycle')
const when = fc.constantFrom('now', 'now', 'period_end')

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('consume' as const), resource, quantity }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('meter' as const),
      resource,
      quantity,
      hours: fc.constantFrom(0, 0, 1, 30, 500, 900),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('reverse' as const), nth, quantity: fc.constantFrom(null, 0.5, 1) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('subscribe' as const), plan_id }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('change' as const), nth, plan_id, when }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel' as const), nth, when }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('grant' as const),
      resource,
      quantity: fc.constantFrom(0, 3, 10, null),
      window: fc.constantFrom('calendar_month', 'calendar_day', 'billing_cycle', 'rolling_30d', 'none'),
      days: fc.constantFrom(null, null, 20),
      rollover_percent: fc.constantFrom(null, 50),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('revoke' as const), nth }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('end' as const), nth, days: fc.constantFrom(-3, 1, 40) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('rule' as const),
      resource,
      action: fc.constantFrom('overage', 'overage', 'warn', 'block'),
      overage_multiplier: fc.constantFrom(null, 2, 0.333333, 10),
      overage_cap: fc.constantFrom(null, null, 5),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('hold' as const), resource, quantity }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('commit' as const), nth, quantity: fc.constantFrom(null, 0, 0.5, 40) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('zone' as const), timezone: fc.constantFrom('UTC', 'Asia/Tokyo') }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('clock' as const),
      seconds: fc.constantFrom(600, 7200, 90_000, 86_400 * 9, 86_400 * 33),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('close' as const) }) },
)

/** Denials and refusals are part of a history; anything else is a failure. */
const refusable = (call: Promise<Answer>): Promise<Answer> =>
  call.catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && /^ME4/.test(String(error.code))) return {}
    throw error
  })

async function plans(namespace: string): Promise<void> {
  for (const [plan_id, quantity, window] of [
    ['small', 5, 'calendar_month'],
    ['large', 20, 'calendar_month'],
    ['unlimited', null, 'calendar_month'],
    ['cycle', 9, 'billing_cycle'],
  ] as const)
    await api(
      'api_plan_put',
      {
        plan_id,
        name: plan_id,
        entitlements: RESOURCES.map((resource) => ({ resource, limit_kind: 'cumulative', quantity, window })),
      },
      token(namespace),
    )
}

class Life {
  readonly place: Place
  readonly closed = new Map<string, string>()
  #clock = Date.parse(START)
  readonly #made: Record<'entries' | 'subscriptions' | 'entitlements' | 'holds', Answer[]> = {
    entries: [],
    subscriptions: [],
    entitlements: [],
    holds: [],
  }

  constructor(place: Place) {
    this.place = place
  }

  async live({ do: what, ...fields }: { do: string } & Record<string, unknown>): Promise<void> {
    const { account, namespace } = this.place
    const as = token(namespace)
    const args = fields as Answer
    const pick = (of: Answer[]) => of[Number(args['nth']) % Math.max(of.length, 1)]
    const days = (n: unknown) => new Date(this.#clock + Number(n) * 86_400_000).toISOString()
    const { entries, subscriptions, entitlements, holds } = this.#made
    const { nth: _, days: after = null, hours = 0, ...rest } = args
    if (what === 'consume') entries.push(await refusable(consume(account, rest, namespace)))
    if (what === 'meter')
      entries.push(await meter(account, { ...rest, occurred_at: days(-Number(hours) / 24) }, namespace))
    if (what === 'reverse') {
      const entry = (pick(entries.filter((each) => each['entry']))?.['entry'] ?? null) as Answer | null
      if (entry) await refusable(reverse(textAt(entry, 'entry_id'), rest, namespace))
    }
    if (what === 'subscribe')
      subscriptions.push(await api('api_subscription_create', { ...keyed(), account_id: account, ...rest }, as))
    const subscription = what === 'change' || what === 'cancel' ? pick(subscriptions) : undefined
    if (subscription) {
      const subscription_id = textAt(subscription, 'subscription.subscription_id')
      await refusable(api(`api_subscription_${what}`, { account_id: account, subscription_id, ...rest }, as))
    }
    if (what === 'grant') {
      const window = String(args['window'])
      const percent = window.startsWith('calendar') ? (args['rollover_percent'] ?? null) : null
      const ends = after === null ? {} : { effective_end: days(after) }
      entitlements.push(await grant(account, { ...rest, ...ends, rollover_percent: percent }, namespace))
    }
    const entitlement = what === 'revoke' || what === 'end' ? pick(entitlements) : undefined
    if (entitlement) {
      const entitlement_id = textAt(entitlement, 'entitlement_id')
      const change = what === 'end' ? { effective_end: days(after) } : {}
      await refusable(api(`api_entitlement_${what === 'end' ? 'patch' : 'revoke'}`, { entitlement_id, ...change }, as))
    }
    if (what === 'rule') await ruleFor(account, rest, namespace)
    if (what === 'hold') holds.push(await reserve(account, { ...rest, ttl_seconds: 80_000 }, namespace))
    const hold = what === 'commit' ? pick(holds.filter((each) => each['reservation'])) : undefined
    if (hold) await refusable(endHold('commit', hold, rest, namespace))
    if (what === 'zone') await refusable(api('api_account_patch', { account_id: account, ...rest }, as))
    if (what === 'close') await closeWindows(this.place)
    if (what === 'clock') {
      this.#clock += Number(args['seconds']) * 1000
      await advanceClock(namespace, Number(args['seconds']))
    }
  }

  /** What was seen closed is there, to the byte; what is closed by now joins it. */
  async watch(): Promise<void> {
    const lines = (await exported(this.place, { format: 'jsonl' })).map(([line]) => line ?? '')
    const seen = new Map(lines.map((line) => [idOf(JSON.parse(line)), line]))
    expect(seen.size).toBe(lines.length)
    for (const [id, line] of this.closed) expect(seen.get(id)).toBe(line)
    for (const [id, line] of seen) this.closed.set(id, line)
  }
}

const idOf = (item: Answer): string =>
  JSON.stringify([item['entitlement_id'], item['resource'], textAt(item, 'window.start')])

const SUMS = `
  select jsonb_object_agg(resource, sums) from (
    select resource, jsonb_build_array(trim_scale(sum(included)), trim_scale(sum(overage)), trim_scale(sum(excess)),
      trim_scale(sum(billable)), trim_scale(sum(amount))) as sums from`
const FIGURES = ['included_quantity', 'overage_quantity', 'excess_quantity', 'billable_quantity', 'billable_amount']

function sumsOf(listed: Answer[]): Promise<Answer> {
  const [included, overage, excess, billable, amount] = FIGURES.map((name) => `(i ->> '${name}')::numeric`)
  return sqlValue<Answer>(
    `${SUMS} (select i ->> 'resource' as resource, ${included} as included, ${overage} as overage, ${excess} as excess,
      ${billable} as billable, ${amount} as amount from jsonb_array_elements($1) i) i group by 1) s`,
    [JSON.stringify(listed)],
  )
}

it('after any history ledger = allocations = windows = export, and what was once closed never changes', async () => {
  let [closed, parts] = [0, 0]
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 15, maxLength: 45 }), async (steps) => {
      const place = await placeAt(START)
      await plans(place.namespace)
      const life = new Life(place)
      await life.live({ do: 'subscribe', plan_id: 'small' })
      for (const each of steps) {
        await life.live(each)
        await life.watch()
      }
      const ledger = await sqlValue<Answer>(
        `${SUMS} (select l.resource_type_code as resource, l.included_quantity as included, l.overage_quantity as overage,
          l.excess_quantity as excess, coalesce(a.billable, 0) as billable, coalesce(a.amount, 0) as amount
          from consumption_ledger l left join (
            select entry_id, sum(billable_quantity) as billable, sum(billable_quantity * overage_multiplier) as amount
            from consumption_allocations group by 1) a using (entry_id)
          where namespace_id = $1) l group by 1) s`,
        [place.namespace],
      )
      const rows = (status: string) => exported(place, { format: 'jsonl', status })
      const lines = [...(await rows('open')), ...(await rows('closed'))].map(([line]) => JSON.parse(line ?? ''))
      expect(await sumsOf(lines)).toEqual(ledger)
      const listed: Answer[] = []
      for (let cursor: string | null = null; ; ) {
        const page: Answer = await api('api_billing_windows', { limit: 3, cursor }, token(place.namespace))
        listed.push(...(page['data'] as Answer[]))
        cursor = page['next_cursor'] as string | null
        if (cursor === null) break
      }
      expect(listed.map((item) => JSON.stringify(item)).sort()).toEqual(
        lines.map((item) => JSON.stringify(item)).sort(),
      )
      expect(await items(place, { limit: 1 })).toEqual(listed.slice(0, 1))
      expect(await audit(place.namespace)).toEqual({})
      closed += life.closed.size
      parts += await sqlValue<number>(
        'select count(*)::int from entitlement_window_parts join accounts using (account_id) where namespace_id = $1',
        [place.namespace],
      )
    }),
    { seed: SEED, numRuns: RUNS },
  )
  // Else the test has stopped testing.
  expect(closed).toBeGreaterThan(RUNS)
  expect(parts).toBeGreaterThan(RUNS / 3)
}, 600_000)
