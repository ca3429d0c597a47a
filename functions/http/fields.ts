import { z } from '@hono/zod-openapi'
import { isQuantity, QUANTITY_BOUND } from '../core/quantity.ts'
import { findUnstorable } from './json.ts'
import { hasLength, isPrintable, isStorable, PATH_PATTERN, PRINTABLE_PATTERN, SEGMENT_PATTERN } from './text.ts'

/** The kinds of field that requests are made of: each checks what it documents, to the last bound. */

export const MAX_METADATA_BYTES = 4096
const MAX_INT = 2_147_483_647
const CODE_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$/
const SCOPE = new RegExp(PATH_PATTERN, 'u')
const UUID_PATTERN = /^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/
const encoder = new TextEncoder()

/** Text of 1 to `max` characters without control characters. */
export function printable(max = 255) {
  return z
    .string()
    .refine((text) => isPrintable(text, max), `must be 1 to ${max} characters, none of them a control character`)
    .openapi({ minLength: 1, maxLength: max, pattern: PRINTABLE_PATTERN })
}

/** Printable text that can stand in a path: there, dots alone mean another one. */
export function segment(max = 255) {
  return printable(max)
    .refine((text) => text !== '.' && text !== '..', 'must not be "." or ".."')
    .openapi({ pattern: SEGMENT_PATTERN })
}

/** Free text of up to `max` characters. */
export function prose(max: number) {
  return z
    .string()
    .refine((text) => isStorable(text) && hasLength(text, 1, max), `must be 1 to ${max} characters, without NUL`)
    .openapi({ minLength: 1, maxLength: max })
}

export const accountId = () =>
  printable().openapi({ description: 'Your own id of the account. It needs no creating.', example: 'org_acme' })

export const resource = () =>
  printable().openapi({ description: 'A resource known to the namespace.', example: 'benchmark_runs' })

/** The code of something that is looked up by it: a plan, a resource, a unit. */
export const code = () =>
  z
    .string()
    .regex(CODE_PATTERN, 'must be 1 to 100 letters, digits, ".", "_", ":" or "-", beginning with a letter or digit')

export const scope = () =>
  z
    .string()
    .refine(
      (text) => SCOPE.test(text) && isPrintable(text, 255),
      'must be a path of non-empty segments between slashes, of up to 255 characters',
    )
    .openapi({ minLength: 1, maxLength: 255, pattern: PATH_PATTERN })
    .nullish()
    .openapi({ description: 'A path such as `us/h100`; null for none.', example: null })

export const uuid = () =>
  z
    .string()
    .regex(UUID_PATTERN, 'must be a UUID')
    .openapi({ format: 'uuid', example: '019a9f3e-5d2c-7c11-9f5e-3b1f6f0f2a12' })

export const idempotencyKey = () =>
  printable().openapi({
    description: 'Your id of this operation. The `Idempotency-Key` header may stand in for it.',
    example: 'run_12345',
  })

/** A quantity in either direction. */
export const quantity = () =>
  exactNumber().openapi({
    exclusiveMinimum: -QUANTITY_BOUND,
    exclusiveMaximum: QUANTITY_BOUND,
    description: QUANTITY_DESCRIPTION,
  })

export const positiveQuantity = () =>
  exactNumber()
    .positive('must be greater than 0')
    .openapi({ exclusiveMinimum: 0, exclusiveMaximum: QUANTITY_BOUND, description: QUANTITY_DESCRIPTION })

export const nonNegativeQuantity = () =>
  exactNumber()
    .nonnegative('must not be negative')
    .openapi({ minimum: 0, exclusiveMaximum: QUANTITY_BOUND, description: QUANTITY_DESCRIPTION })

const QUANTITY_DESCRIPTION = 'At most 15 significant digits and 6 decimals, below 10¹⁵.'

/** From 0 to 100. */
export const percentage = () =>
  exactNumber()
    .min(0, 'must not be negative')
    .max(100, 'must not be above 100')
    .openapi({ minimum: 0, maximum: 100, description: 'From 0 to 100, with at most 6 decimals.' })

function exactNumber() {
  return z.number().refine(isQuantity, 'must be a number below 10¹⁵ with at most 15 significant digits and 6 decimals')
}

export const integer = (min = -MAX_INT, max = MAX_INT) => z.int().min(min).max(max)

export const ttlSeconds = () =>
  integer(10, 604_800).openapi({ description: 'Seconds until the lease ends by itself.', example: 28_800 })

/** An instant: RFC 3339 with an offset, from 1970 to 9999. Cut to microseconds: Postgres would round up into the next window. */
export const time = () => timeUpTo(9)

/**
 * An instant at which something begins, or that is asked about, to 8999. What follows from it (a window, a trial) ends
 * later, and RFC 3339 has no year 10000.
 */
export const beginning = () => timeUpTo(8)

function timeUpTo(lastMillennium: 8 | 9) {
  const pattern = timePattern(lastMillennium)
  const lastYear = `${lastMillennium}999`
  const lastMs = Date.UTC(Number(lastYear), 11, 31, 23, 59, 59)
  return z
    .string()
    .refine(
      (text) => pattern.test(text) && isRealDay(text) && Date.parse(text) >= 0 && Date.parse(text) <= lastMs,
      `must be a real RFC 3339 time with an offset, from 1970 to ${lastYear}, such as 2026-12-01T00:00:00Z`,
    )
    .overwrite((text) => text.replace(/(\.\d{6})\d+/, '$1'))
    .openapi({ format: 'date-time', pattern: pattern.source, example: '2026-12-01T00:00:00Z' })
}

/** Offsets stop at 14:59 because Postgres has none beyond 15:59; leap seconds cannot be represented. */
function timePattern(lastMillennium: 8 | 9): RegExp {
  const date = `(?:19[7-9]\\d|[2-${lastMillennium}]\\d{3})-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\\d|3[01])`
  return new RegExp(`^${date}T(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,9})?(?:Z|[+-](?:0\\d|1[0-4]):[0-5]\\d)$`)
}

/** Date.parse lets 30 February pass as 2 March. */
function isRealDay(text: string): boolean {
  const [year = 0, month = 0, day = 0] = text.slice(0, 10).split('-').map(Number)
  return new Date(Date.UTC(year, month - 1, day)).getUTCDate() === day
}

/** Any JSON object of at most 4 KiB as text. */
export const metadata = () =>
  z
    .custom<Record<string, unknown>>()
    .superRefine(function checkMetadata(value, context) {
      const fault = metadataFault(value)
      if (fault) context.addIssue({ code: 'custom', message: fault.message, path: [...fault.path] })
    })
    .openapi({
      type: 'object',
      additionalProperties: true,
      description: 'Anything of yours, of at most 4 KiB as JSON text.',
      example: { order: 'A-17' },
    })

function metadataFault(value: unknown): { message: string; path: readonly string[] } | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { message: 'must be an object', path: [] }
  }
  const bytes = jsonBytes(value)
  if (bytes > MAX_METADATA_BYTES) return { message: 'must not be larger than 4 KiB as JSON text', path: [] }
  const path = findUnstorable(value, isStorable)
  return path && { message: 'cannot be stored exactly: a rounded number, NUL, or half a surrogate pair', path }
}

/** UTF-8 bytes of a value's JSON text; infinite when it is nested too deeply to be written at all. */
function jsonBytes(value: object): number {
  try {
    return encoder.encode(JSON.stringify(value)).byteLength
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

/** When a change of a subscription takes effect. */
export const when = () =>
  z.enum(['now', 'period_end']).optional().openapi({
    default: 'now',
    description: '`period_end`: at the end of the billing period, or of the trial if that comes first.',
    example: 'now',
  })

/** Query parameters: numbers arrive as text. */
export const queryInteger = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,16}$/, `must be an integer from ${min} to ${max}`)
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be an integer from ${min} to ${max}`)
    .openapi({ type: 'integer', minimum: min, maximum: max })

/** The fields of every list. */
export const page = () => ({
  limit: queryInteger(1, 100).optional().openapi({ description: 'How many at most; 20 when left out.', example: 20 }),
  cursor: printable(1024)
    .optional()
    .openapi({ description: '`next_cursor` of the page before.', example: 'WyIyMDI2LTExLTIxVDEwOjAwOjAwWiJd' }),
})
