import { z } from '@hono/zod-openapi'
import { ACTIONS, LIMIT_KINDS, OUTCOMES, REASONS, SCOPES, SOURCES } from '../core/vocabulary.ts'

/** What several nouns answer with. Requests are strict; answers may gain fields. */

export const LimitKind = z.enum(LIMIT_KINDS).openapi('LimitKind')
export const Action = z.enum(ACTIONS).openapi('Action', { description: 'What happens at the limit.' })
export const Outcome = z.enum(OUTCOMES).openapi('Outcome')
export const Reason = z.enum(REASONS).openapi('Reason')
export const ScopeName = z.enum(SCOPES).openapi('Scope')

/** A named schema or null: `nullable()` would make the named schema itself nullable in the document. */
export function orNull<Schema extends z.ZodType>(schema: Schema) {
  return z.union([schema, z.null()])
}

/** An instant in an answer. */
export const instant = () => z.string().openapi({ format: 'date-time', example: '2026-11-01T00:00:00Z' })
export const id = () => z.string().openapi({ format: 'uuid' })
export const amount = () => z.number()
export const Duplicate = z.boolean().openapi({ description: 'True when its idempotency key had made it before.' })
export const Metadata = z.record(z.string(), z.unknown())

export const Window = z.object({ type: z.string(), start: instant(), end: instant().nullable() }).openapi('Window', {
  description: 'Start inclusive, end exclusive; a rolling window has no end.',
  example: { type: 'calendar_month', start: '2026-11-01T00:00:00Z', end: '2026-12-01T00:00:00Z' },
})

const counts = {
  limit: amount().nullable().openapi({ description: 'Null is unlimited.' }),
  used: amount(),
  held: amount(),
  remaining: amount().nullable().openapi({ description: 'The headroom; null is unlimited.' }),
}

export const State = z.object(counts).openapi('State')

const LimitDecision = z
  .object({
    limit_kind: LimitKind,
    ...counts,
    outcome: Outcome,
    reason: Reason,
    window: orNull(Window),
  })
  .openapi('LimitDecision')

/** A decision as SQL answers it: the edge adds where it came from. */
export const SqlDecision = z.object({
  allowed: z.boolean(),
  outcome: Outcome,
  reason: Reason,
  account_id: z.string(),
  resource: z.string(),
  scope: z.string().nullable(),
  quantity: amount(),
  ...counts,
  window: orNull(Window),
  action: Action,
  warn_at_percent: amount().nullable(),
  overage: z.object({
    quantity: amount().openapi({ description: 'How much of the requested quantity is over the limit.' }),
    multiplier: amount(),
  }),
  grace: z
    .object({
      quantity_left: amount().nullable().openapi({ description: 'After this request; null is no bound.' }),
      until: instant().nullable().openapi({ description: 'Null before the limit was first exceeded.' }),
    })
    .nullable(),
  limits: z.array(LimitDecision).readonly(),
  as_of: instant(),
})

const provenance = {
  source: z.enum(SOURCES),
  degraded: z.boolean().openapi({ description: 'From state older than asked for, or from none: a store was down.' }),
}

export const Decision = SqlDecision.extend(provenance).openapi('Decision')

/** What SQL decided, marked as such. */
export function fromPostgres<Answer extends object>(answer: Answer) {
  return { ...answer, source: 'postgres', degraded: false } as const
}

/** What the edge knows beside a result of SQL that is a decision. */
export const Provenance = z.object(provenance)

export const DECISION_EXAMPLE = {
  allowed: true,
  outcome: 'warn',
  reason: 'near_limit',
  account_id: 'org_acme',
  resource: 'benchmark_runs',
  scope: null,
  quantity: 1,
  limit: 500,
  used: 410,
  held: 0,
  remaining: 90,
  window: { type: 'calendar_month', start: '2026-11-01T00:00:00Z', end: '2026-12-01T00:00:00Z' },
  action: 'overage',
  warn_at_percent: 80,
  overage: { quantity: 0, multiplier: 10 },
  grace: null,
  limits: [
    {
      limit_kind: 'cumulative',
      limit: 500,
      used: 410,
      held: 0,
      remaining: 90,
      outcome: 'warn',
      reason: 'near_limit',
      window: { type: 'calendar_month', start: '2026-11-01T00:00:00Z', end: '2026-12-01T00:00:00Z' },
    },
  ],
  source: 'postgres',
  as_of: '2026-11-21T10:00:00.120Z',
  degraded: false,
}

export const Entry = z
  .object({
    entry_id: id(),
    idempotency_key: z.string(),
    account_id: z.string(),
    resource: z.string(),
    scope: z.string().nullable(),
    quantity: amount(),
    unit: z.string().openapi({ description: "The resource's own." }),
    original_quantity: amount().openapi({ description: 'As it was sent, before it was converted.' }),
    original_unit: z.string(),
    occurred_at: instant(),
    recorded_at: instant(),
    late: z.boolean().openapi({ description: 'Its own window was closed: it counts in a later one.' }),
    kind: z.string().openapi({ example: 'usage' }),
    reverses: id().nullable(),
    included_quantity: amount(),
    overage_quantity: amount(),
    excess_quantity: amount(),
    metadata: Metadata,
  })
  .openapi('Entry')

export const ENTRY_EXAMPLE = {
  entry_id: '019a9f3e-5d2c-7c11-9f5e-3b1f6f0f2a10',
  idempotency_key: 'run_12345',
  account_id: 'org_acme',
  resource: 'benchmark_runs',
  scope: null,
  quantity: 1,
  unit: 'count',
  original_quantity: 1,
  original_unit: 'count',
  occurred_at: '2026-11-21T10:00:00Z',
  recorded_at: '2026-11-21T10:00:00.118Z',
  late: false,
  kind: 'usage',
  reverses: null,
  included_quantity: 1,
  overage_quantity: 0,
  excess_quantity: 0,
  metadata: {},
}
