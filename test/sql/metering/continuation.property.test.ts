import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { audit } from '../../support/audit.ts'
import {
  accountId,
  acquire,
  advanceClock,
  endHold,
  grant,
  meter,
  reserve,
  reverse,
  ruleFor,
  setClock,
  textAt,
} from '../../support/commands.ts'
import { type Answer, api, type Json, mintAccount, mintNamespace, sql, token } from '../../support/sql.ts'

const START = '2031-03-30T22:00:00Z'
const RESOURCE = 'gpu_hours'

/** A world in which every consume decides from the start, and one in which it continues where it can. */
interface World {
  readonly namespace: string
  readonly account: string
  readonly id: string
  readonly subscription: string
  readonly forgets: boolean
  readonly entitlements: string[]
  readonly holds: Answer[]
  readonly entries: string[]
}

async function mint(forgets: boolean): Promise<World> {
  const namespace = await mintNamespace()
  await setClock(namespace, START)
  const account = mintAccount()
  const as = token(namespace)
  for (const [plan_id, quantity] of [
    ['small', 20],
    ['large', 60],
  ] as const) {
    const entitlements = [{ resource: RESOURCE, limit_kind: 'cumulative', quantity, window: 'calendar_month' }]
    await api('api_plan_put', { plan_id, name: plan_id, entitlements }, as)
  }
  const subscribed = await api(
    'api_subscription_create',
    { idempotency_key: 'subscribe', account_id: account, plan_id: 'small', start: '2031-03-01T00:00:00Z' },
    as,
  )
  return {
    namespace,
    account,
    id: await accountId(account, namespace),
    subscription: textAt(subscribed, 'subscription.subscription_id'),
    forgets,
    entitlements: [],
    holds: [],
    entries: [],
  }
}

interface Continuation {
  readonly stands: boolean
  readonly snapshot: Answer | null
  readonly verdicts: Json
  readonly recomputedVerdicts: Json
}

/** What stands, and what it would be if it were worked out anew, at its own moment. */
async function continuationOf({ namespace, id }: World): Promise<Continuation | undefined> {
  const [row] = await sql<{ [Field in keyof Continuation]: Continuation[Field] }>(
    `select coalesce((s.continuation).key_version = s.key_version and (s.continuation).config_version = n.config_version, false) as stands,
       (s.continuation).snapshot, (s.continuation).verdicts,
       fn_verdicts_json(l.limits, fn_verdicts(l.limits, false, least((s.continuation).room, 1e14), 'consume')) as "recomputedVerdicts"
     from namespaces n
     join accounts a using (namespace_id)
     join resource_state s using (account_id)
     cross join lateral (select ((s.continuation).snapshot ->> 'as_of')::timestamptz as at) w
     cross join lateral (
       select fn_limit_states((fn_entitlement_view(s.account_id, s.resource_type_code, (s.continuation).scope, a.timezone, w.at, w.at, false)).states,
         n.namespace_id, s.account_id, s.resource_type_code, w.at) as limits) l
     where n.namespace_id = $1 and s.account_id = $2 and s.resource_type_code = $3`,
    [namespace, id, RESOURCE],
  )
  return row
}

const scope = fc.constantFrom(null, null, 'us', 'us/a')
const quantity = fc.constantFrom(1, 2, 0.5, 0.000001, 3.25, 9)
const index = fc.nat({ max: 20 })

const consumeStep = fc.record({
  do: fc.constant('consume' as const),
  scope: fc.constantFrom(null, null, null, 'us', 'us/a'),
  quantity: fc.constantFrom(1, 0.5, 0.000001, 0.25, 2, 9),
  unit: fc.constantFrom(null, null, 'minute'),
  metadata: fc.constantFrom({}, {}, { job: 'a' }),
  again: fc.constantFrom(false, false, false, true),
})
const step = fc.oneof(
  { weight: 30, arbitrary: consumeStep },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('check' as const), scope }) },
  fc.record({
    do: fc.constant('meter' as const),
    scope,
    quantity,
    hours: fc.constantFrom(null, 1, 26, 800),
  }),
  fc.record({ do: fc.constant('reverse' as const), index }),
  fc.record({
    do: fc.constant('grant' as const),
    scope,
    quantity: fc.constantFrom(0, 10, null, null),
    limit_kind: fc.constantFrom('cumulative', 'cumulative', 'cumulative', 'time_access', 'concurrency'),
    window: fc.constantFrom('calendar_month', 'calendar_day', 'billing_cycle', 'rolling_24h', 'none'),
    priority: fc.constantFrom(1, 100),
    hours: fc.constantFrom(-24, 5),
    ends: fc.constantFrom(null, 30),
    rollover_max_quantity: fc.constantFrom(null, 4),
  }),
  fc.record({
    do: fc.constant('rule' as const),
    of: fc.constantFrom('account' as const, 'all' as const),
    action: fc.constantFrom('block', 'warn', 'grace', 'overage', 'overage'),
    warn_at_percent: fc.constantFrom(null, 50, 90),
    overage_cap: fc.constantFrom(null, 3),
    overage_multiplier: fc.constantFrom(null, 2, 0.5),
    grace_percent: fc.constantFrom(null, 50),
    grace_seconds: fc.constantFrom(null, 7200),
  }),
  fc.record({ do: fc.constant('revoke' as const), index }),
  fc.record({ do: fc.constant('patch' as const), index, quantity: fc.constantFrom(0, 5, 40, null) }),
  fc.record({ do: fc.constant('plan' as const), plan_id: fc.constantFrom('small', 'large') }),
  fc.record({ do: fc.constant('acquire' as const), holder: fc.constantFrom('ada', 'bob') }),
  fc.record({ do: fc.constant('reserve' as const), scope, quantity, ttl_seconds: fc.constantFrom(60, 86_400) }),
  fc.record({ do: fc.constant('commit' as const), index, quantity: fc.constantFrom(0, 0.5, 3) }),
  fc.record({ do: fc.constant('account' as const), status: fc.constantFrom('suspended', 'active', 'active') }),
  fc.record({ do: fc.constant('zone' as const), timezone: fc.constantFrom('UTC', 'Asia/Tokyo') }),
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom('clock' as const, 'passes' as const, 'passes' as const),
      seconds: fc.constantFrom(60, 3600, 90_000, 86_400 * 9, 86_400 * 31),
    }),
  },
)
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never

/** Denials and refusals are part of a history; anything else is a failure. */
const refusable = (call: Promise<Answer>): Promise<Answer> =>
  call.catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && /^ME4/.test(String(error.code))) return { refused: error.message }
    throw error
  })

async function decide(name: 'api_consume' | 'api_snapshot', world: World, fields: Answer): Promise<Answer> {
  if (world.forgets) await sql('update resource_state set continuation = null where account_id = $1', [world.id])
  return refusable(api(name, { account_id: world.account, resource: RESOURCE, ...fields }, token(world.namespace)))
}

async function consume(world: World, fields: Answer): Promise<Answer> {
  const answer = await decide('api_consume', world, fields)
  if (answer['entry']) world.entries.push(textAt(answer, 'entry.entry_id'))
  return answer
}

async function take(world: World, n: number, clock: number, step: Step): Promise<Json> {
  const { namespace, account, entitlements, holds, entries } = world
  const key = { idempotency_key: `${n}` }
  const as = token(namespace)
  const after = (hours: number) => new Date(clock + hours * 3_600_000).toISOString()
  const place = 'index' in step ? step.index : 0
  if (step.do === 'consume') {
    const { do: _, again, ...use } = step
    const answer = await consume(world, { ...use, ...key })
    return again ? [answer, await consume(world, { ...use, ...key })] : answer
  }
  if (step.do === 'check') return decide('api_snapshot', world, { scope: step.scope, at: null })
  if (step.do === 'meter') {
    const { do: _, hours, ...use } = step
    const when = hours === null ? {} : { occurred_at: after(-hours) }
    const metered = await refusable(meter(account, { resource: RESOURCE, ...use, ...when, ...key }, namespace))
    if (metered['entry']) entries.push(textAt(metered, 'entry.entry_id'))
  }
  const entry = entries[place % Math.max(entries.length, 1)]
  if (step.do === 'reverse' && entry) await refusable(reverse(entry, key, namespace))
  if (step.do === 'grant') {
    const { do: _, hours, ends, rollover_max_quantity, ...fields } = step
    const rolls = fields.limit_kind === 'cumulative' && /calendar|billing/.test(fields.window)
    const dates = { effective_start: after(hours), effective_end: ends === null ? null : after(ends) }
    const more = rolls ? { rollover_max_quantity } : {}
    const granted = await refusable(grant(account, { resource: RESOURCE, ...fields, ...dates, ...more }, namespace))
    if (granted['entitlement_id']) entitlements.push(textAt(granted, 'entitlement_id'))
  }
  if (step.do === 'rule') {
    const { do: _, of, ...fields } = step
    await refusable(ruleFor(of === 'account' ? account : null, { resource: RESOURCE, ...fields }, namespace))
  }
  const entitlement_id = entitlements[place % Math.max(entitlements.length, 1)]
  if (step.do === 'revoke' && entitlement_id) await refusable(api('api_entitlement_revoke', { entitlement_id }, as))
  if (step.do === 'patch' && entitlement_id)
    await refusable(api('api_entitlement_patch', { entitlement_id, quantity: step.quantity }, as))
  if (step.do === 'plan') {
    const { subscription: subscription_id } = world
    const change = { account_id: account, subscription_id, plan_id: step.plan_id, when: 'now' }
    await refusable(api('api_subscription_change', { ...change, ...key }, as))
  }
  if (step.do === 'acquire')
    await refusable(acquire(account, step.holder, { resource: RESOURCE, ttl_seconds: 5000 }, namespace))
  if (step.do === 'reserve') {
    const { do: _, ...hold } = step
    const reserved = await refusable(reserve(account, { ...hold, ...key }, namespace))
    if (reserved['reservation']) holds.push(reserved)
  }
  const hold = holds[place % Math.max(holds.length, 1)]
  if (step.do === 'commit' && hold)
    await refusable(endHold('commit', hold, { quantity: step.quantity, ...key }, namespace))
  if (step.do === 'account') await api('api_account_patch', { account_id: account, status: step.status }, as)
  if (step.do === 'zone') await api('api_account_patch', { account_id: account, timezone: step.timezone }, as)
  if (step.do === 'clock') await advanceClock(namespace, step.seconds)
  // As real time does: no version moves.
  if (step.do === 'passes')
    await sql('update namespaces set clock_offset = clock_offset + make_interval(secs => $2) where namespace_id = $1', [
      namespace,
      step.seconds,
    ])
  return null
}

const OWN = /^(account_id|namespace|entry_id|as_of|occurred_at|recorded_at|clock_offset_ms|improves_at)$/

/** Without what is each world's own: its ids, and its clock below the minute, in which no step moves it. */
function comparable(value: Json): Json {
  if (Array.isArray(value)) return value.map(comparable)
  if (typeof value === 'string') return value.replace(/^(\d{4}-\d\d-\d\dT\d\d:\d\d):\d\d(?:\.\d+)?Z$/, '$1')
  if (value === null || typeof value !== 'object') return value
  const entries = Object.entries(value).filter(([name]) => !OWN.test(name))
  return Object.fromEntries(entries.map(([name, field]) => [name, comparable(field ?? null)]))
}

/** What was written: entries, what they drew on, counters, keys. */
async function written({ id }: World): Promise<unknown> {
  return {
    ledger: await sql(
      `select l.idempotency_key, l.entry_kind, l.limit_kind_code, l.resource_scope, l.quantity::float, l.original_quantity::float, l.original_unit_code,
         l.is_late, l.occurred_at = l.recorded_at as at_once, l.counted_at = l.occurred_at as counted_then, l.included_quantity::float,
         l.overage_quantity::float, l.excess_quantity::float, l.details_hash is not null as with_details, d.metadata,
         a.window_start, a.window_end, a.included_quantity::float as drawn, a.billable_quantity::float, a.overage_multiplier::float, a.draw_order,
         e.plan_id, e.window_type_code, e.priority
       from consumption_ledger l left join ledger_details d using (entry_id) left join consumption_allocations a using (entry_id)
       left join entitlements e using (entitlement_id) where l.account_id = $1 order by l.entry_id, a.draw_order`,
      [id],
    ),
    windows: await sql(
      `select w.window_start, w.window_end, e.priority, e.plan_id, e.window_type_code, w.used::float, w.included_quantity::float, w.overage_quantity::float, w.billable_quantity::float,
         w.billable_amount::float
       from entitlement_windows w left join entitlements e on e.entitlement_id = w.bucket_id where w.account_id = $1 order by 2, 1, 3, 4, 5, 6`,
      [id],
    ),
    parts: await sql(
      `select window_end, included_quantity::float, billable_quantity::float, billable_amount::float from entitlement_window_parts
       where account_id = $1 order by 1, 2`,
      [id],
    ),
    rollups: await sql(
      `select day, sum(quantity)::float as quantity, sum(overage_quantity)::float as overage from usage_rollups where account_id = $1 group by 1 order by 1`,
      [id],
    ),
    keys: await sql(
      `select idempotency_key, operation, result ->> 'quantity' as quantity, result -> 'verdicts' as verdicts from idempotency_keys
       where account_id = $1 order by 1`,
      [id],
    ),
    orphans: await sql(
      'select entry_id from ledger_details where entry_id not in (select entry_id from consumption_ledger)',
    ),
  }
}

describe('what continues where the last consume left off', () => {
  it('answers and writes what deciding from the start would, in any history, and leaves what recomputing would give', async () => {
    let continued = 0
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 8, maxLength: 40 }), async (steps) => {
        const [continuing, forgetting] = [await mint(false), await mint(true)]
        let clock = Date.parse(START)
        let stood = false
        for (const [n, each] of steps.entries()) {
          const answers = await Promise.all([continuing, forgetting].map((world) => take(world, n, clock, each)))
          const [mine, theirs] = answers.map((answer) => comparable(answer))
          expect(mine).toEqual(theirs)
          if (each.do === 'clock' || each.do === 'passes') clock += each.seconds * 1000
          const left = await continuationOf(continuing)
          if (each.do === 'consume' && left?.stands) {
            expect(left.verdicts).toEqual(left.recomputedVerdicts)
            if (stood) continued += 1
          }
          stood = left?.stands ?? false
        }
        expect(await audit(continuing.namespace)).toEqual({})
        expect(await written(continuing)).toEqual(await written(forgetting))
      }),
      { seed: 20261122, numRuns: 20, endOnFailure: true },
    )
    // Else this has tested nothing.
    expect(continued).toBeGreaterThan(20)
  })
})
