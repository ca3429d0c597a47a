import fc from 'fast-check'
import type { Kind, WindowType } from './auditor.ts'
import type { When } from './subscriptions.ts'

/** What may happen to an account, at random. Quantities are as on the wire. */

const START = '2031-01-31T06:00:00Z'
/** So late that what occurred half an hour ago is before it. */
const JUST_STARTED = '2031-03-31T20:50:00Z'
/** Three hours before the end of a day, a month, and a month clamped to thirty days. */
export const NOW = '2031-03-31T21:00:00Z'

export interface RolloverFields {
  readonly rollover_percent: number | null
  readonly rollover_max_quantity: number | null
}

/** What a plan grants: benchmark runs. */
export interface TemplateFields extends RolloverFields {
  readonly scope: string | null
  readonly quantity: number | null
  readonly window: WindowType
  readonly priority: number
}

export interface GrantFields extends RolloverFields {
  readonly kind: Kind
  readonly scope: string | null
  readonly quantity: number | null
  readonly window: WindowType
  readonly priority: number
  readonly start: string
  readonly end: string | null
}

export interface RuleFields {
  readonly kind: Kind
  readonly action: 'block' | 'warn' | 'grace' | 'overage'
  readonly warn_at_percent: number | null
  readonly overage_cap: number | null
  readonly grace_percent: number | null
}

export type Command =
  | { readonly do: 'consume'; readonly scope: string | null; readonly quantity: number }
  | {
      readonly do: 'meter'
      readonly scope: string | null
      readonly quantity: number
      readonly minutesAgo: number | null
    }
  | { readonly do: 'batch'; readonly scope: string | null; readonly quantities: readonly number[] }
  | { readonly do: 'again' }
  | { readonly do: 'subscribe'; readonly plan: number }
  | { readonly do: 'change'; readonly nth: number; readonly plan: number; readonly when: When }
  | { readonly do: 'cancel'; readonly nth: number; readonly when: When }
  | { readonly do: 'close' }
  | { readonly do: 'reverse'; readonly nth: number; readonly quantity: number | null }
  | {
      readonly do: 'acquire'
      readonly scope: string | null
      readonly holder: string
      readonly units: number
      readonly ttl_seconds: number
    }
  | { readonly do: 'release'; readonly nth: number }
  | {
      readonly do: 'reserve'
      readonly kind: 'cumulative' | 'inventory'
      readonly scope: string | null
      readonly quantity: number
      readonly ttl_seconds: number
    }
  | { readonly do: 'commit'; readonly nth: number; readonly quantity: number | null }
  | { readonly do: 'unhold'; readonly nth: number }
  | { readonly do: 'assign'; readonly scope: string | null; readonly item: string }
  | { readonly do: 'unassign'; readonly item: string }
  | { readonly do: 'advance'; readonly seconds: number }
  | ({ readonly do: 'rule' } & RuleFields)
  | { readonly do: 'resize'; readonly nth: number; readonly quantity: number | null }
  | { readonly do: 'revoke'; readonly nth: number }
  | { readonly do: 'maintain' }
  | { readonly do: 'check'; readonly kind: Kind; readonly scope: string | null; readonly quantity: number }

export interface History {
  readonly plans: readonly (readonly TemplateFields[])[]
  readonly grants: readonly GrantFields[]
  readonly commands: readonly Command[]
}

const scope = fc.constantFrom(null, null, 'us', 'us/h100', 'eu')
const kind = fc.constantFrom<Kind>('cumulative', 'cumulative', 'cumulative', 'inventory', 'concurrency')
const quantity = fc.oneof(
  fc.constantFrom(0.1, 0.2, 1, 2, 3, 5, 0.000001),
  fc.integer({ min: 1, max: 8_000_000 }).map((millionths) => millionths / 1e6),
)
const limit = fc.constantFrom(0, 0.3, 1, 2, 4, 7.5, 10, null)
const nth = fc.nat({ max: 5 })
const item = fc.constantFrom('i', 'j', 'k', 'l')

const window = fc.constantFrom<WindowType>('none', 'calendar_day', 'calendar_month', 'billing_cycle', 'rolling_24h')
const rollover = {
  rollover_percent: fc.constantFrom(null, null, null, 0, 50, 33.333333, 100),
  rollover_max_quantity: fc.constantFrom(null, null, null, 0, 1.5, 4),
}

/** Only what resets rolls over. */
function withoutIdleRollover<Fields extends RolloverFields & { window: WindowType; kind?: Kind }>(
  fields: Fields,
): Fields {
  if (fields.kind === 'cumulative' && !['none', 'rolling_24h'].includes(fields.window)) return fields
  return { ...fields, rollover_percent: null, rollover_max_quantity: null }
}

const template: fc.Arbitrary<TemplateFields> = fc
  .record({
    scope: fc.constantFrom(null, null, 'us'),
    quantity: limit,
    window,
    priority: fc.constantFrom(100, 1),
    ...rollover,
  })
  .map(withoutIdleRollover)

const plan = fc.uniqueArray(template, {
  minLength: 1,
  maxLength: 3,
  selector: ({ scope, window, priority }) => `${scope} ${window} ${priority}`,
})
const when = fc.constantFrom<When>('now', 'now', 'period_end')
const whichPlan = fc.nat({ max: 2 })

const grant: fc.Arbitrary<GrantFields> = fc
  .record({
    ...rollover,
    kind,
    scope,
    quantity: limit,
    window,
    priority: fc.constantFrom(100, 100, 1, 200),
    start: fc.constantFrom(START, START, START, JUST_STARTED),
    end: fc.constantFrom(null, null, null, '2031-04-01T12:00:00Z', '2031-05-01T00:00:00Z'),
  })
  .map(withoutIdleRollover)

const rule = fc.record({
  kind,
  action: fc.constantFrom<RuleFields['action']>('block', 'warn', 'grace', 'overage', 'overage'),
  warn_at_percent: fc.constantFrom(null, 0.5, 50, 80, 100),
  overage_cap: fc.constantFrom(null, 0, 1, 2.5, 6),
  grace_percent: fc.constantFrom(null, 0, 10, 33.333333, 100),
})

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('consume' as const), scope, quantity }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('meter' as const),
      scope,
      quantity,
      minutesAgo: fc.constantFrom(null, null, 5, 30, 150, 3000),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('batch' as const),
      scope,
      quantities: fc.array(quantity, { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'again' as const }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('subscribe' as const), plan: whichPlan }) },
  { weight: 7, arbitrary: fc.record({ do: fc.constant('change' as const), nth, plan: whichPlan, when }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel' as const), nth, when }) },
  { weight: 1, arbitrary: fc.constant({ do: 'close' as const }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('reverse' as const),
      nth,
      quantity: fc.constantFrom(null, 0.1, 0.5, 1, 2, 3),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('acquire' as const),
      scope,
      holder: fc.constantFrom('a', 'b', 'c'),
      units: fc.integer({ min: 1, max: 4 }),
      ttl_seconds: fc.constantFrom(600, 28_800),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('release' as const), nth }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('reserve' as const),
      kind: fc.constantFrom('cumulative' as const, 'cumulative' as const, 'inventory' as const),
      scope,
      quantity,
      ttl_seconds: fc.constantFrom(600, 28_800, 86_400, 86_400),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('commit' as const),
      nth,
      quantity: fc.constantFrom(null, null, 0, 0.1, 0.5, 2, 5, 9),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('unhold' as const), nth }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('assign' as const), scope, item }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('unassign' as const), item }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('advance' as const),
      seconds: fc.constantFrom(900, 14_400, 86_400, 1_728_000),
    }),
  },
  { weight: 2, arbitrary: rule.map((fields) => ({ do: 'rule' as const, ...fields })) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('resize' as const), nth, quantity: limit }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('revoke' as const), nth }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('maintain' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('check' as const), kind, scope, quantity }) },
)

export const history: fc.Arbitrary<History> = fc.record({
  plans: fc.array(plan, { minLength: 3, maxLength: 3 }),
  grants: fc.array(grant, { minLength: 1, maxLength: 5 }),
  commands: fc.array(command, { minLength: 3, maxLength: 14 }),
})
