import type { z } from 'zod'
import { Failure, invalidParameter } from '../core/failure.ts'
import { type JsonObject, readJsonObject } from './body.ts'
import { type Contract, hasBody, pathParameters } from './contract.ts'
import { check, failureOfIssues } from './issues.ts'

/** Reads and checks path, query or body, and the `Idempotency-Key` header: the operation's input, in one object. */
export type ReadInput<Input> = (request: Request) => Promise<Input>

export function createReadInput<Input extends z.ZodObject, Answer extends z.ZodType>(
  contract: Contract<Input, Answer>,
): ReadInput<z.output<Input>> {
  const names = pathParameters(contract.path)
  const segments = contract.path.split('/').map((segment) => pathParameters(segment)[0])
  const withBody = hasBody(contract.method)

  return async function readInput(request) {
    const query = request.url.includes('?') ? parseQuery(new URL(request.url).searchParams) : {}
    const body = withBody ? await readBody(request, contract) : {}
    if (withBody) refuseNames(query, Object.keys(query))
    const given = withBody ? withIdempotencyKey(body, request, contract.idempotency) : query
    refuseNames(given, names)
    const inPath = names.length > 0 ? parsePath(new URL(request.url).pathname, segments) : {}
    const parsed = check(contract.input, { ...given, ...inPath })
    if (!parsed.success) throw failureOfIssues(parsed.error)
    return parsed.data
  }
}

/** From the raw path, so that a segment may hold an encoded slash or percent sign. */
function parsePath(pathname: string, segments: readonly (string | undefined)[]): Record<string, string> {
  const values: Record<string, string> = {}
  for (const [index, segment] of pathname.split('/').entries()) {
    const name = segments[index]
    if (name) values[name] = decodeSegment(name, segment)
  }
  return values
}

function decodeSegment(name: string, segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw invalidParameter(name, `${name}: must be percent-encoded UTF-8`)
  }
}

function parseQuery(params: URLSearchParams): Record<string, string> {
  const names = Array.from(params.keys())
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw invalidParameter(twice, `${twice}: must be given once only`)
  return Object.fromEntries(params)
}

async function readBody(request: Request, contract: Contract<z.ZodObject, z.ZodType>): Promise<JsonObject> {
  const body = await readJsonObject(request)
  if (contract.method === 'patch' && body !== null && Object.keys(body).length === 0) {
    throw invalidParameter(null, 'At least one field must be given.')
  }
  // No body at all is an empty object where every field may be left out.
  if (body === null && (contract.method === 'patch' || !allOptional(contract))) {
    throw new Failure(400, 'invalid_json', 'This needs a JSON object as its body.')
  }
  return body ?? {}
}

/** True if the body may be left out altogether: none of its fields is required. */
export function allOptional({ input, path }: Contract<z.ZodObject, z.ZodType>): boolean {
  const names = pathParameters(path)
  return Object.entries(input.shape).every(([name, field]) => names.includes(name) || isOptional(field))
}

function isOptional(field: z.core.$ZodType): boolean {
  return field._zod.optin === 'optional'
}

function withIdempotencyKey(
  body: JsonObject,
  request: Request,
  idempotency: 'required' | 'optional' | undefined,
): JsonObject {
  if (!idempotency) return body
  const header = request.headers.get('idempotency-key')
  const { idempotency_key: key = header ?? undefined } = body
  if (header !== null && key !== header) {
    throw invalidParameter('idempotency_key', 'idempotency_key: differs from the Idempotency-Key header')
  }
  if (key !== undefined) return { ...body, idempotency_key: key }
  if (idempotency === 'required') {
    throw invalidParameter(
      'idempotency_key',
      'idempotency_key: is required, in the body or as the Idempotency-Key header',
    )
  }
  return body
}

/** What is part of the path, or a query where none is expected, is as unknown as any other name. */
function refuseNames(given: JsonObject, names: readonly string[]): void {
  const unknown = names.find((name) => Object.hasOwn(given, name))
  if (unknown !== undefined) throw invalidParameter(unknown, `${unknown}: There is no such field.`)
}
