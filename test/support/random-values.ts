import type { Schema } from '@cfworker/json-schema'
import fc from 'fast-check'
import { REFERRED, Reference } from './known.ts'

/** Values made from a JSON schema: such as it allows, such as lie on its bounds, and such as are wrong in one place. */

/** By the name of their field, so that requests are about the same things. */
const CHOSEN: Readonly<Record<string, readonly unknown[]>> = {
  account_id: [
    'a',
    'a',
    'a',
    'a',
    'a',
    'a',
    'a',
    'a',
    'a',
    'a',
    'b/c d',
    '🦄',
    '%',
    '0b9a7c1e-5d2c-7c11-9f5e-3b1f6f0f2a10',
  ],
  resource: [
    'benchmark_runs',
    'benchmark_runs',
    'benchmark_runs',
    'gpu_hours',
    'concurrent_users',
    'named_users',
    'server_configs',
    'r1',
  ],
  plan_id: ['pro', 'pro', 'trial', 'new'],
  unit: [null, null, 'count', 'count', 'hours', 'minutes', 'u1'],
  dimension: ['count', 'time'],
  window: ['calendar_month', 'calendar_month', 'billing_cycle', 'rolling_30d', 'none', 'calendar_day', null],
  scope: [null, null, 'us', 'us/h100', 'eu'],
  idempotency_key: ['k1', 'k2', 'k3', 'k4', 'k5', 'k6', 'k7', 'k8', 'k9', 'k10', 'k11', 'k12'],
  holder: ['h1', 'h2', 'h3'],
  actor: ['cron', 'token', 'token:a'],
  advance_seconds: [0, 1, 3600, 86_400, 2_700_000],
  timezone: [
    'UTC',
    'Europe/Berlin',
    'America/St_Johns',
    'Pacific/Apia',
    'Africa/Monrovia',
    'Etc/GMT+12',
    'europe/berlin',
    'EST5EDT',
    'posix/UTC',
    'posixrules',
    'localtime',
    'Factory',
    '+14:00',
    '../UTC',
    "UTC'; select 1; --",
  ],
}
/** What is seldom the same again. */
const NEW: ReadonlySet<string> = new Set(['idempotency_key', 'item'])
/** What is given nearly always, although it may be left out: a header may stand in, or it may for one kind only. */
const USUAL: ReadonlySet<string> = new Set(['idempotency_key', 'quantity'])
const REFERENCES: ReadonlySet<string> = new Set(REFERRED)

const TIMES = [
  '2026-11-01T00:00:00Z',
  '2020-02-29T23:59:59.999999+14:00',
  '2026-12-31T23:59:59Z',
  '2030-01-31T12:00:00-14:59',
  '1970-01-01T00:00:00Z',
  '1970-01-01T00:00:00.000000001Z',
  '9999-12-31T23:59:59Z',
  '9999-11-30T00:00:00Z',
]
const NO_TIMES = [
  '0001-01-01T00:00:00Z',
  '1969-12-31T23:59:59Z',
  '294276-12-31T23:59:59Z',
  '9999-12-31T23:59:59-01:00',
  '1970-01-01T00:00:00+00:01',
  '2027-02-29T00:00:00Z',
  '2026-12-31T23:59:60Z',
  '2026-11-01',
  'infinity',
]
const BOUNDS = [0, 0.000001, 999_999_999.999999, 999_999_999_999_999, -0.000001, -1, -999_999_999_999_999]

/** Wrong nearly everywhere. */
export const STRANGE: readonly unknown[] = [
  null,
  true,
  '',
  'x',
  ' ',
  '\u0000',
  'a\u0000b',
  '\ud800',
  '\u0085',
  '\ufeff',
  '../..',
  "'; drop table accounts; --",
  '🦄',
  '__proto__',
  'a'.repeat(2000),
  '1',
  'null',
  'infinity',
  0,
  -1,
  0.5,
  1e-7,
  1e15,
  1e300,
  2 ** 31,
  2 ** 53,
  [],
  {},
  [null],
  { a: { b: [1, '\u0000'] } },
  ...NO_TIMES,
]

/** What a schema allows, mostly. */
export function arbitraryOf(schema: Schema, name = ''): fc.Arbitrary<unknown> {
  const plain = plainValue(schema)
  const isNew = NEW.has(name)
  if (REFERENCES.has(name))
    return fc.oneof({ weight: 20, arbitrary: referenceTo(name) }, { weight: isNew ? 20 : 1, arbitrary: plain })
  const chosen = CHOSEN[name]
  if (!chosen) return plain
  return fc.oneof({ weight: 20, arbitrary: fc.constantFrom(...chosen) }, { weight: isNew ? 60 : 1, arbitrary: plain })
}

export function referenceTo(name: string): fc.Arbitrary<Reference> {
  return fc.nat({ max: 999 }).map((nth) => new Reference(name, nth))
}

/** A value that may be strange. */
export function spoilt(value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 24, arbitrary: value }, { weight: 1, arbitrary: fc.constantFrom(...STRANGE) })
}

/** An object that may be strange, or wrong in one place, however deep. */
export function spoiltBody(value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  const fault = fc
    .tuple(
      value,
      fc.nat(),
      fc.constantFrom<Fault>('drop', 'strange', 'strange', 'unknown'),
      fc.constantFrom(...STRANGE),
    )
    .map(([body, place, how, strange]) => spoil(body, place, how, strange))
  return fc.oneof(
    { weight: 15, arbitrary: value },
    { weight: 4, arbitrary: fault },
    { weight: 1, arbitrary: fc.constantFrom(...STRANGE, undefined) },
  )
}

type Fault = 'drop' | 'strange' | 'unknown'

function spoil(value: unknown, place: number, fault: Fault, strange: unknown): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Reference) return strange
  const entries = Object.entries(value)
  const index = place % Math.max(entries.length, 1)
  const chosen = entries[index]
  if (!chosen) return Array.isArray(value) ? [strange] : { ...value, unknown_field: strange }
  const [key, inner] = chosen
  if (typeof inner === 'object' && inner !== null) {
    const wrong = spoil(inner, Math.floor(place / entries.length), fault, strange)
    return Array.isArray(value) ? value.with(index, wrong) : { ...value, [key]: wrong }
  }
  if (Array.isArray(value)) return value.with(index, strange)
  if (fault === 'unknown') return { ...value, unknown_field: strange }
  if (fault === 'drop') return Object.fromEntries(entries.toSpliced(index, 1))
  return { ...value, [key]: strange }
}

function plainValue(schema: Schema): fc.Arbitrary<unknown> {
  if (schema.enum) return fc.constantFrom(...schema.enum)
  if ('const' in schema) return fc.constant(schema.const)
  if (schema.anyOf && !schema.properties) return fc.oneof(...schema.anyOf.map((each) => plainValue(each)))
  const types = Array.isArray(schema.type) ? schema.type : [schema.type]
  return fc.oneof(...types.map((type) => ({ weight: type === 'null' ? 1 : 2, arbitrary: typedValue(type, schema) })))
}

function typedValue(type: unknown, schema: Schema): fc.Arbitrary<unknown> {
  switch (type) {
    case 'null':
      return fc.constant(null)
    case 'boolean':
      return fc.boolean()
    case 'integer':
      return integerOf(schema)
    case 'number':
      return numberOf(schema)
    case 'string':
      return textOf(schema)
    case 'array':
      return listOf(schema)
    case 'object':
      return objectOf(schema)
    default:
      return fc.constantFrom(...STRANGE)
  }
}

function listOf({ items, minItems = 0, maxItems = 4, uniqueItems = false }: Schema): fc.Arbitrary<unknown> {
  const item = arbitraryOf(schemaOf(items))
  const lengths = { minLength: minItems, maxLength: Math.min(maxItems, 4) }
  return uniqueItems ? fc.uniqueArray(item, lengths) : fc.array(item, lengths)
}

function integerOf({ minimum = -5, maximum = 5 }: Schema): fc.Arbitrary<number> {
  const low = Math.max(minimum, -5)
  return fc.oneof(
    { weight: 5, arbitrary: fc.integer({ min: low, max: Math.max(low, Math.min(maximum, low + 100)) }) },
    { weight: 1, arbitrary: fc.constantFrom(minimum, maximum) },
    { weight: 1, arbitrary: fc.constantFrom(minimum - 1, maximum + 1) },
  )
}

function numberOf(schema: Schema): fc.Arbitrary<number> {
  const { minimum = 0, maximum = 1e15 } = schema
  const inside = (value: number) => Math.min(Math.max(value, minimum), maximum)
  return fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 1, max: 20 }).map(inside) },
    { weight: 3, arbitrary: fc.integer({ min: 1, max: 20_000_000 }).map((millionths) => inside(millionths / 1e6)) },
    { weight: 2, arbitrary: fc.constantFrom(...BOUNDS) },
  )
}

function textOf({ format, minLength = 0, maxLength = 50, pattern }: Schema): fc.Arbitrary<unknown> {
  if (format === 'date-time')
    return fc.oneof(
      { weight: 9, arbitrary: referenceTo('time') },
      { weight: 3, arbitrary: fc.constantFrom(...TIMES) },
      { weight: 1, arbitrary: fc.constantFrom(...NO_TIMES) },
    )
  if (format === 'uuid') return fc.uuid()
  if (pattern?.includes('a-z0-9')) return fc.stringMatching(/^[a-z0-9][a-z0-9-]{6,14}$/)
  if (pattern?.includes('A-Za-z0-9')) return fc.stringMatching(/^[a-z][A-Za-z0-9_.:-]{0,20}$/)
  return fc.oneof(
    { weight: 9, arbitrary: fc.string({ unit: 'grapheme', minLength, maxLength: Math.min(maxLength, 20) }) },
    { weight: 1, arbitrary: fc.constantFrom('🦄'.repeat(maxLength), 'a'.repeat(maxLength)) },
  )
}

function objectOf({ properties = {}, required = [], minProperties = 0 }: Schema): fc.Arbitrary<unknown> {
  const fields = Object.fromEntries(
    Object.entries(properties).map(([name, schema]) => [name, arbitraryOf(schemaOf(schema), name)]),
  )
  const names = Object.keys(fields)
  if (names.length === 0)
    return fc.dictionary(fc.string({ maxLength: 5 }), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 4 })
  const isGiven = (name: string) =>
    fc.integer({ min: 1, max: 20 }).map((chance) => required.includes(name) || chance > (USUAL.has(name) ? 1 : 15))
  return fc
    .tuple(fc.record(fields), fc.tuple(...names.map(isGiven)), fc.nat({ max: names.length - 1 }))
    .map(([values, given, one]) =>
      pick(
        values,
        names.filter((_, index) => given[index] || (index === one && minProperties > 0)),
      ),
    )
}

function pick(values: Readonly<Record<string, unknown>>, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([name]) => names.includes(name)))
}

function schemaOf(schema: Schema | Schema[] | boolean | undefined): Schema {
  return typeof schema === 'object' && !Array.isArray(schema) ? schema : {}
}
