import { z } from '@hono/zod-openapi'
import { LIMIT_KINDS } from '../core/vocabulary.ts'
import { code, integer, nonNegativeQuantity, percentage, resource, scope } from '../http/fields.ts'

/** Unused quantity that goes on into the next window. */
export const rolloverFields = () => ({
  rollover_max_quantity: nonNegativeQuantity().nullish().openapi({
    description:
      'Rolls over, into the next window only, what this one leaves unused of its own limit: at most so much. Null is no bound, and with `rollover_percent` null no rollover. For windows that reset.',
    example: null,
  }),
  rollover_percent: percentage()
    .nullish()
    .openapi({ description: 'Of what is unused; 100 when only a maximum is given.', example: null }),
})

/** What a plan and a grant by hand both say of one entitlement. */
export const grantFields = () => ({
  resource: resource(),
  scope: scope(),
  limit_kind: z.enum(LIMIT_KINDS),
  quantity: nonNegativeQuantity().nullable().optional().openapi({
    description: 'Null is unlimited. It may be left out for `time_access` only.',
    example: 500,
  }),
  unit: code().nullish().openapi({ description: "The resource's own when left out.", example: 'count' }),
  window: code().nullish().openapi({ description: 'A window type.', example: 'calendar_month' }),
  priority: integer().optional().openapi({ description: 'Lower is drawn on first.' }),
  ...rolloverFields(),
})

interface Grant {
  readonly limit_kind: string
  readonly quantity?: number | null | undefined
}

/** The quantity must be given, because leaving it out by mistake must not mean unlimited. */
export function hasQuantity({ limit_kind, quantity }: Grant): boolean {
  return limit_kind === 'time_access' || quantity !== undefined
}
export const QUANTITY_REQUIRED = {
  path: ['quantity'],
  message: 'This field is required; null is unlimited.',
}

/** The same rule as JSON Schema. */
export const QUANTITY_REQUIRED_SCHEMA = {
  anyOf: [{ required: ['quantity'] }, { properties: { limit_kind: { const: 'time_access' } } }],
}
