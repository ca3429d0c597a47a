import fc from 'fast-check'
import type { Kind, WindowType } from './auditor.ts'

/** What may happen to an account, at random. Quantities are as on the wire. */

const START = '2031-01-31T06:00:00Z'
/** So late that what occurred half an hour ago is before it. */
const JUST_STARTED = '2031-03-31T20:50:00Z'
/** Three hours before the end of a day, a month, and a month clamped to thirty days. */
export const NOW = '2031-03-31T21:00:00Z'

export interface GrantFields {
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
  | {
      readonly do: 'acquire'
      readonly scope: string | null
      readonly holder: string
      readonly units: number
      readonly ttl_seconds: number
    }
  | { readonly do: 'release'; readonly nth: number }
  | { readonly do: 'advance'; readonly seconds: number }
  | ({ readonly do: 'rule' } & RuleFields)
  | { readonly do: 'resize'; readonly nth: number; readonly quantity: number | null }
  | { readonly do: 'revoke'; readonly nth: number }
  | { readonly do: 'check'; readonly kind: Kind; readonly scope: string | null; readonly quantity: number }

export interface History {
  readonly grants: readonly GrantFields[]
  readonly commands: readonly Command[]
}

const scope = fc.constantFrom(null, null, 'us', 'us/h100', 'eu')
const kind = fc.constantFrom<Kind>('cumulative', 'cumulative', 'cumulative', 'concurrency')
const quantity = fc.oneof(
  fc.constantFrom(0.1, 0.2, 1, 2, 3, 5, 0.000001),
  fc.integer({ min: 1, max: 8_000_000 }).map((millionths) => millionths / 1e6),
)
const limit = fc.constantFrom(0, 0.3, 1, 2, 4, 7.5, 10, null)
const nth = fc.nat({ max: 5 })

const grant: fc.Arbitrary<GrantFields> = fc.record({
  kind,
  scope,
  quantity: limit,
  window: fc.constantFrom<WindowType>('none', 'calendar_day', 'calendar_month', 'billing_cycle', 'rolling_24h'),
  priority: fc.constantFrom(100, 100, 1, 200),
  start: fc.constantFrom(START, START, START, JUST_STARTED),
  end: fc.constantFrom(null, null, null, '2031-04-01T12:00:00Z', '2031-05-01T00:00:00Z'),
})

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
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('advance' as const),
      seconds: fc.constantFrom(900, 14_400, 86_400, 1_728_000),
    }),
  },
  { weight: 2, arbitrary: rule.map((fields) => ({ do: 'rule' as const, ...fields })) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('resize' as const), nth, quantity: limit }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('revoke' as const), nth }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('check' as const), kind, scope, quantity }) },
)

export const history: fc.Arbitrary<History> = fc.record({
  grants: fc.array(grant, { minLength: 1, maxLength: 5 }),
  commands: fc.array(command, { minLength: 3, maxLength: 14 }),
})
