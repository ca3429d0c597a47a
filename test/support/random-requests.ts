import type { Schema } from '@cfworker/json-schema'
import fc from 'fast-check'
import { closed, type Document, type Route } from './openapi.ts'

/** Requests made from an OpenAPI document: such as it allows, and such as are wrong in one place. */

export interface RandomRequest {
  readonly method: string
  readonly path: string
  readonly body: unknown
}

/** Values by the name of their field, so that requests concern things that exist. */
export type Known = Readonly<Record<string, readonly (string | number | null)[]>>

const STRANGE: readonly unknown[] = [
  null,
  true,
  '',
  'x',
  ' ',
  '\u0000',
  '🦄',
  0,
  -1,
  0.5,
  1e15,
  1e300,
  [],
  {},
  [null],
  'a'.repeat(2000),
  '1',
  'null',
]
const TIMES = [
  '2026-11-01T00:00:00Z',
  '2020-02-29T23:59:59.999999+14:00',
  '2026-12-31T23:59:59Z',
  '1970-01-01T00:00:00Z',
  '9999-12-31T23:59:59Z',
]

export function arbitraryRequest(
  document: Document,
  routes: readonly Route[],
  known: Known,
): fc.Arbitrary<RandomRequest> {
  return fc.oneof(...routes.map((route) => requestTo(document, route, known)))
}

function requestTo(document: Document, { method, path, operation }: Route, known: Known): fc.Arbitrary<RandomRequest> {
  const parameters = (operation.parameters ?? []).filter((parameter) => parameter.in !== 'header')
  const values = Object.fromEntries(
    parameters.map(({ name, required, schema }) => {
      const value = spoilt(arbitraryOf(closed(document, schema), known, name))
      return [name, required ? value : fc.option(value, { nil: undefined })]
    }),
  )
  const schema = operation.requestBody?.content['application/json']?.schema
  const body = schema ? spoiltBody(arbitraryOf(closed(document, schema), known)) : fc.constant(undefined)
  return fc.tuple(fc.record(values), body).map(([given, sent]) => {
    const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => segment(given[name]))
    const query = parameters
      .filter((parameter) => parameter.in === 'query' && given[parameter.name] !== undefined)
      .map(({ name }) => `${name}=${encodeURIComponent(textOf(given[name]))}`)
    return { method, path: query.length > 0 ? `${filled}?${query.join('&')}` : filled, body: sent }
  })
}

/** Dots alone, and nothing, are no segments: URLs have another use for them. */
function segment(value: unknown): string {
  const text = encodeURIComponent(textOf(value))
  return text === '' || text === '.' || text === '..' ? 'x' : text
}

function textOf(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text.isWellFormed() ? text : 'x'
}

/** Mostly what is right. */
function spoilt(value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 9, arbitrary: value }, { weight: 1, arbitrary: fc.constantFrom(...STRANGE) })
}

function spoiltBody(value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  const fault = fc
    .tuple(value, fc.nat(), fc.constantFrom('drop', 'strange', 'unknown'), fc.constantFrom(...STRANGE))
    .map(spoilOne)
  return fc.oneof(
    { weight: 12, arbitrary: value },
    { weight: 6, arbitrary: fault },
    { weight: 1, arbitrary: fc.constantFrom(...STRANGE, undefined) },
  )
}

function spoilOne([value, place, fault, strange]: [unknown, number, string, unknown]): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return strange
  const entries = Object.entries(value)
  if (fault === 'unknown' || entries.length === 0) return { ...value, unknown_field: strange }
  const index = place % entries.length
  if (fault === 'drop') return Object.fromEntries(entries.toSpliced(index, 1))
  return Object.fromEntries(entries.map(([key, inner], n) => [key, n === index ? strange : inner]))
}

function arbitraryOf(schema: Schema, known: Known, name = ''): fc.Arbitrary<unknown> {
  const names = known[name]
  if (names)
    return fc.oneof(
      { weight: 9, arbitrary: fc.constantFrom(...names) },
      { weight: 1, arbitrary: plainValue(schema, known) },
    )
  return plainValue(schema, known)
}

function plainValue(schema: Schema, known: Known): fc.Arbitrary<unknown> {
  if (schema.enum) return fc.constantFrom(...schema.enum)
  if ('const' in schema) return fc.constant(schema.const)
  if (schema.anyOf && !schema.properties) return fc.oneof(...schema.anyOf.map((each) => plainValue(each, known)))
  const types = Array.isArray(schema.type) ? schema.type : [schema.type]
  return fc.oneof(...types.map((type) => typedValue(type, schema, known)))
}

function typedValue(type: unknown, schema: Schema, known: Known): fc.Arbitrary<unknown> {
  switch (type) {
    case 'null':
      return fc.constant(null)
    case 'boolean':
      return fc.boolean()
    case 'integer':
      return fc.oneof(
        fc.integer({ min: schema.minimum ?? -5, max: Math.min(schema.maximum ?? 5, (schema.minimum ?? -5) + 20) }),
        bound(schema),
      )
    case 'number':
      return fc.oneof(
        fc.integer({ min: 0, max: 20_000_000 }).map((millionths) => Math.max(millionths / 1e6, lowest(schema))),
        fc.integer({ min: Math.ceil(lowest(schema)), max: 100 }),
      )
    case 'string':
      return textValue(schema)
    case 'array':
      return fc.array(plainValue(schemaOf(schema.items), known), {
        minLength: schema.minItems ?? 0,
        maxLength: Math.min(schema.maxItems ?? 3, 3),
      })
    case 'object':
      return objectValue(schema, known)
    default:
      return fc.constantFrom(...STRANGE)
  }
}

function lowest({ minimum = 0, exclusiveMinimum }: Schema): number {
  return typeof exclusiveMinimum === 'number' ? Math.max(exclusiveMinimum, 0) + 0.000001 : minimum
}

function bound({ minimum = 0, maximum = 0 }: Schema): fc.Arbitrary<number> {
  return fc.constantFrom(minimum, maximum, minimum - 1, maximum + 1)
}

function textValue({ format, minLength = 0, maxLength = 50, pattern }: Schema): fc.Arbitrary<string> {
  if (format === 'date-time') return fc.constantFrom(...TIMES)
  if (format === 'uuid') return fc.uuid()
  if (pattern?.includes('A-Za-z0-9')) return fc.stringMatching(/^[a-z][a-z0-9_.-]{0,20}$/)
  return fc.string({ unit: 'grapheme', minLength, maxLength: Math.min(maxLength, 20) })
}

function objectValue({ properties = {}, required = [] }: Schema, known: Known): fc.Arbitrary<unknown> {
  const fields = Object.fromEntries(
    Object.entries(properties).map(([name, schema]) => [name, arbitraryOf(schemaOf(schema), known, name)]),
  )
  return fc.record(fields, { requiredKeys: required.filter((name) => name in fields) })
}

function schemaOf(schema: Schema | Schema[] | boolean | undefined): Schema {
  return typeof schema === 'object' && !Array.isArray(schema) ? schema : {}
}
