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

/**
 * Random lives of an account, told to the database only: whatever happened, its books agree, and what was closed stays as
 * it was. A failure prints its seed and path; `npm run test:histories` runs 1,000, MEC_BILLING_SEED chooses others.
 */
const RUNS = Number(process.env['MEC_BILLING_RUNS'] ?? 20)
const SEED = Number(process.env['MEC_BILLING_SEED'] ?? 20_261_122)
const START = '2031-01-30T20:00:00Z'
const RESOURCES = ['benchmark_runs', 'gpu_hours']

const resource = fc.constantFrom(...RESOURCES)
const quantity = fc.constantFrom(1, 2, 0.5, 0.000001, 7, 30, 30)
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
      window: fc.constantFrom(
        'calendar_month',
        'calendar_month',
        'calendar_day',
        'billing_cycle',
        'rolling_30d',
        'none',
      ),
      days: fc.constantFrom(null, null, 20),
      rollover_percent: fc.constantFrom(null, 50, 100),
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

/** So that each life sees windows closed, and what comes too late for them. */
const END = [
  { do: 'clock', seconds: 86_400 * 33 },
  { do: 'close' },
  { do: 'meter', resource: 'benchmark_runs', quantity: 7, hours: 900 },
  { do: 'reverse', nth: 0, quantity: null },
]

/** Denials and refusals are part of a history; anything else is a failure. */
const refusable = (call: Promise<Answer>): Promise<Answer> =>
  call.catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && /^ME4/.test(String(error.code))) return {}
    throw error
  })

async function plans(namespace: string): Promise<void> {
  for (const [plan_id, quantity, window, rollover] of [
    ['small', 5, 'calendar_month', {}],
    ['large', 20, 'calendar_month', { rollover_max_quantity: 4 }],
    ['unlimited', null, 'calendar_month', {}],
    ['cycle', 9, 'billing_cycle', { rollover_percent: 50 }],
  ] as const)
    await api(
      'api_plan_put',
      {
        plan_id,
        name: plan_id,
        entitlements: RESOURCES.map((resource) => ({
          resource,
          limit_kind: 'cumulative',
          quantity,
          window,
          ...rollover,
        })),
      },
      token(namespace),
    )
}

/** What a life consists of; a test in which one of them never happens tests less than it says. */
const VERBS = ['subscribe', 'change', 'cancel', 'grant', 'use', 'reverse', 'late use', 'rollover', 'close'] as const
type Verb = (typeof VERBS)[number]

class Life {
  readonly place: Place
  /** What was seen closed, as the export has it, and as the tables do once the job has been there. */
  readonly closed = new Map<string, string>()
  readonly frozen = new Map<string, string>()
  readonly done: Record<Verb, number> = {
    subscribe: 0,
    change: 0,
    cancel: 0,
    grant: 0,
    use: 0,
    reverse: 0,
    'late use': 0,
    rollover: 0,
    close: 0,
  }
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
    if (what === 'consume') entries.push(this.#used(await consume(account, rest, namespace)))
    if (what === 'meter')
      entries.push(this.#used(await meter(account, { ...rest, occurred_at: days(-Number(hours) / 24) }, namespace)))
    if (what === 'reverse') {
      const entry = (pick(entries.filter((each) => each['entry']))?.['entry'] ?? null) as Answer | null
      if (entry) this.#did('reverse', await refusable(reverse(textAt(entry, 'entry_id'), rest, namespace)))
    }
    if (what === 'subscribe') {
      const subscribed = await api('api_subscription_create', { ...keyed(), account_id: account, ...rest }, as)
      subscriptions.push(this.#did('subscribe', subscribed))
    }
    const subscription = what === 'change' || what === 'cancel' ? pick(subscriptions) : undefined
    if (subscription) {
      const subscription_id = textAt(subscription, 'subscription.subscription_id')
      const request = { account_id: account, subscription_id, ...rest }
      this.#did(what as 'change' | 'cancel', await refusable(api(`api_subscription_${what}`, request, as)))
    }
    if (what === 'grant') {
      const window = String(args['window'])
      const percent = ['rolling_30d', 'none'].includes(window) ? null : (args['rollover_percent'] ?? null)
      const ends = after === null ? {} : { effective_end: days(after) }
      const granted = await grant(account, { ...rest, ...ends, rollover_percent: percent }, namespace)
      entitlements.push(this.#did('grant', granted))
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
    if (hold) this.#used(await refusable(endHold('commit', hold, rest, namespace)))
    if (what === 'zone') await refusable(api('api_account_patch', { account_id: account, ...rest }, as))
    if (what === 'close') this.done.close += await closeWindows(this.place)
    if (what === 'clock') {
      this.#clock += Number(args['seconds']) * 1000
      await advanceClock(namespace, Number(args['seconds']))
    }
  }

  #did(verb: Verb, answer: Answer): Answer {
    if (Object.keys(answer).length > 0) this.done[verb]++
    return answer
  }

  #used(answer: Answer): Answer {
    const entry = answer['entry']
    if (typeof entry === 'object' && entry !== null) {
      this.#did('use', answer)
      if ('late' in entry && entry['late'] === true) this.#did('late use', answer)
    }
    return answer
  }

  /** What was seen closed is there, to the byte; what is closed by now joins it. */
  async watch(): Promise<void> {
    const lines = (await exported(this.place, { format: 'jsonl' })).map(([line]) => line ?? '')
    const seen = new Map(lines.map((line) => [idOf(JSON.parse(line)), line]))
    expect(seen.size).toBe(lines.length)
    staysIn(seen, this.closed)
    const rows = await sqlValue<Record<string, string>>(FROZEN, [this.place.namespace])
    staysIn(new Map(Object.entries(rows)), this.frozen)
  }

  /** How many windows hold more of what was included than their own limit is: rolled over, and used. */
  async countRollovers(): Promise<void> {
    this.done.rollover = await sqlValue<number>(ROLLED_OVER, [this.place.namespace])
  }
}

function staysIn(seen: ReadonlyMap<string, string>, kept: Map<string, string>): void {
  for (const [id, text] of kept) expect(seen.get(id)).toBe(text)
  for (const [id, text] of seen) kept.set(id, text)
}

/** The rows of frozen windows and of their parts, by their keys. */
const FROZEN = `
  select coalesce(jsonb_object_agg(key, row), '{}') from (
    select concat_ws('/', w.account_id, w.resource_type_code, w.bucket_id, w.window_end) as key,
      concat(to_jsonb(w), (select jsonb_agg(to_jsonb(p) order by p.entitlement_id) from entitlement_window_parts p
        where (p.account_id, p.resource_type_code, p.bucket_id, p.window_end) = (w.account_id, w.resource_type_code, w.bucket_id, w.window_end))) as row
    from entitlement_windows w join accounts using (account_id) where namespace_id = $1 and w.frozen_at is not null) f`
const ROLLED_OVER = `
  select count(*)::int from entitlement_windows w join accounts using (account_id)
  where namespace_id = $1 and w.included_quantity > (select max(e.limit_quantity) from entitlements e
    where e.bucket_id = w.bucket_id having bool_or(e.rollover_limit > 0) and bool_and(e.limit_quantity is not null))`

const idOf = (item: Answer): string =>
  JSON.stringify([item['entitlement_id'], item['resource'], textAt(item, 'window.start')])

/** What the ledger, the allocations and the windows add up to, by resource. What drew on nothing has no allocations. */
const BOOKS = `
  with ledger as (
    select l.* from consumption_ledger l where l.namespace_id = $1
  ), allocations as (
    select a.resource_type_code as resource, a.included_quantity as included, a.overage_quantity as overage, a.excess_quantity as excess,
      a.billable_quantity as billable, a.billable_quantity * a.overage_multiplier as amount
    from ledger join consumption_allocations a using (entry_id)
    union all
    select l.resource_type_code, l.included_quantity, l.overage_quantity, l.excess_quantity, 0, 0
    from ledger l where not exists (select from consumption_allocations a where a.entry_id = l.entry_id)
  ), books as (
    select 'ledger' as book, resource_type_code as resource, included_quantity as included, overage_quantity as overage,
      excess_quantity as excess, null::numeric as billable, null::numeric as amount from ledger
    union all select 'allocations', * from allocations
    union all
    select 'windows', w.resource_type_code, w.included_quantity, w.overage_quantity, w.excess_quantity, w.billable_quantity, w.billable_amount
    from entitlement_windows w join accounts using (account_id) where namespace_id = $1
    union all
    select 'export', i ->> 'resource', (i ->> 'included_quantity')::numeric, (i ->> 'overage_quantity')::numeric,
      (i ->> 'excess_quantity')::numeric, (i ->> 'billable_quantity')::numeric, (i ->> 'billable_amount')::numeric
    from jsonb_array_elements($2) i)
  select jsonb_object_agg(book || ' ' || resource, sums) from (
    select book, resource, jsonb_build_array(trim_scale(sum(included)), trim_scale(sum(overage)), trim_scale(sum(excess)),
      trim_scale(sum(billable)), trim_scale(sum(amount))) as sums
    from (values ('ledger'), ('allocations'), ('windows'), ('export')) b (book)
    cross join unnest($3::text[]) r (resource) left join books using (book, resource) group by 1, 2) s`
const FIGURES = 5

/** Four books, one sum; the ledger does not know what is billed. A window that was only held counts as nothing. */
async function expectEqualBooks({ namespace }: Place, lines: readonly Answer[]): Promise<void> {
  const sums = await sqlValue<Answer>(BOOKS, [namespace, JSON.stringify(lines), RESOURCES])
  const sumsOf = (book: string) =>
    RESOURCES.map((resource) => (sums[`${book} ${resource}`] as (number | null)[]).map((sum) => sum ?? 0))
  const allocated = sumsOf('allocations')
  expect(allocated.every((figures) => figures.length === FIGURES)).toBe(true)
  expect(sumsOf('windows')).toEqual(allocated)
  expect(sumsOf('export')).toEqual(allocated)
  expect(sumsOf('ledger')).toEqual(allocated.map(([included, overage, excess]) => [included, overage, excess, 0, 0]))
}

it('after any history ledger = allocations = windows = export, and what was once closed never changes', async () => {
  let [closed, frozen, parts] = [0, 0, 0]
  const done = new Map<Verb, number>()
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 15, maxLength: 45 }), async (steps) => {
      const place = await placeAt(START)
      await plans(place.namespace)
      const life = new Life(place)
      await life.live({ do: 'subscribe', plan_id: 'small' })
      for (const each of [...steps, ...END]) {
        await life.live(each)
        await life.watch()
      }
      const rows = (status: string) => exported(place, { format: 'jsonl', status })
      const lines = [...(await rows('open')), ...(await rows('closed'))].map(([line]) => JSON.parse(line ?? ''))
      await expectEqualBooks(place, lines)
      await life.countRollovers()
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
      frozen += life.frozen.size
      for (const verb of VERBS) done.set(verb, (done.get(verb) ?? 0) + life.done[verb])
      parts += await sqlValue<number>(
        'select count(*)::int from entitlement_window_parts join accounts using (account_id) where namespace_id = $1',
        [place.namespace],
      )
    }),
    { seed: SEED, numRuns: RUNS },
  )
  // Else the test has stopped testing.
  expect(closed).toBeGreaterThan(RUNS)
  expect(frozen).toBeGreaterThan(RUNS)
  for (const verb of VERBS) expect(done.get(verb), verb).toBeGreaterThan(RUNS / 20)
  expect(parts).toBeGreaterThan(RUNS / 3)
}, 1_200_000)
