import { type OpenAPIHono, type RouteConfig, z } from '@hono/zod-openapi'
import type { FailureStatus } from '../core/failure.ts'
import { type Contract, hasBody, isControlPlane, PROPAGATION_HEADER, pathParameters } from './contract.ts'
import { ERROR_TYPES } from './errors.ts'
import { idempotencyKey } from './fields.ts'
import { allOptional } from './input.ts'

export type Registry = OpenAPIHono['openAPIRegistry']

export const REQUEST_ID_PATTERN = '^[A-Za-z0-9._-]{1,128}$'
const RESPONSE_HEADERS = {
  'X-Request-Id': { $ref: '#/components/headers/X-Request-Id' },
  'Server-Timing': { $ref: '#/components/headers/Server-Timing' },
}

/** What goes wrong everywhere, and the codes it is known by. Specific operations add theirs. */
const COMMON_ERRORS = {
  400: 'The request is not acceptable: `invalid_parameter` (`param` names the field) or, in a body, `invalid_json`.',
  401: 'No valid API key or token: `unauthenticated`.',
  403: 'Not allowed: `missing_scope`, or `account_forbidden` for a token bound to another account.',
  429: 'More requests than the key, or failed ones than the address, is allowed: `rate_limited`.',
  500: 'A fault of ours: `internal`.',
  503: 'Postgres is out of reach (`unavailable`) or busy with the same data (`contended`). Safe to try again.',
} as const satisfies Partial<Record<FailureStatus, string>>

const BODY_ERRORS = {
  413: 'The body is larger than 1 MiB: `body_too_large`.',
  415: 'The body is not application/json: `unsupported_media_type`.',
} as const satisfies Partial<Record<FailureStatus, string>>

const ErrorBody = z
  .object({
    error: z.looseObject({
      type: z.enum(ERROR_TYPES),
      code: z.string(),
      message: z.string().openapi({ description: 'For people. It may change.' }),
      param: z
        .string()
        .nullable()
        .openapi({ description: 'The path of the field at fault, such as `entries.0.unit`.' }),
      request_id: z.string(),
    }),
  })
  .openapi('Error', {
    example: {
      error: {
        type: 'invalid_request',
        code: 'invalid_parameter',
        message: 'quantity: must be greater than 0',
        param: 'quantity',
        request_id: 'req-1',
      },
    },
  })

/** Registers what operations refer to. */
export function documentComponents(registry: Registry): void {
  registry.registerComponent('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
    description:
      'An API key (`mec_sk_…`), or a JWT signed with HS256: `ns`, `scope`, `exp` (at most 24 h ahead), optional `sub`.',
  })
  registry.registerComponent('headers', 'X-Request-Id', {
    description: 'The id of the request: yours if you sent a valid one.',
    required: true,
    schema: { type: 'string', pattern: REQUEST_ID_PATTERN },
  })
  registry.registerComponent('headers', 'Server-Timing', {
    description: 'Where the time went, in milliseconds.',
    required: true,
    schema: { type: 'string', example: 'postgres;dur=3.0' },
  })
  registry.registerComponent('headers', 'Retry-After', {
    description: 'Seconds to wait before the next attempt.',
    required: true,
    schema: { type: 'string', pattern: '^\\d+$' },
  })
  registry.registerComponent('headers', PROPAGATION_HEADER, {
    description:
      '`delayed`: the change is made, but cached answers may not know of it for as long as the staleness they were asked for.',
    required: false,
    schema: { type: 'string', enum: ['delayed'] },
  })
  registry.registerComponent('headers', 'WWW-Authenticate', { required: true, schema: { type: 'string' } })
}

/** An error answer as the document shows it. */
export function errorResponse(status: number, description: string) {
  const headers: Record<string, { $ref: string }> = { ...RESPONSE_HEADERS }
  if (status === 401) headers['WWW-Authenticate'] = { $ref: '#/components/headers/WWW-Authenticate' }
  if (status === 429 || status === 503) headers['Retry-After'] = { $ref: '#/components/headers/Retry-After' }
  return { description, headers, content: { 'application/json': { schema: ErrorBody } } }
}

export function successResponse(
  description: string,
  schema: z.ZodType,
  example?: unknown,
  headers: Readonly<Record<string, { readonly $ref: string }>> = {},
) {
  return {
    description,
    headers: { ...RESPONSE_HEADERS, ...headers },
    content: { 'application/json': { schema, example } },
  }
}

function streamResponse(description: string, { answer: schema, streams }: Contract<z.ZodObject, z.ZodType>) {
  const content = Object.fromEntries(
    Object.entries(streams ?? {}).map(([type, { example }]) => [type, { schema, example }]),
  )
  return { description, headers: RESPONSE_HEADERS, content }
}

/** Puts an operation into the document. */
export function documentOperation(registry: Registry, contract: Contract<z.ZodObject, z.ZodType>): void {
  const { method, path, operationId, tag, summary, description, scopes } = contract
  registry.registerPath({
    method,
    path,
    operationId,
    tags: [tag],
    summary,
    description: [description, `Scope: ${scopes.map((scope) => `\`${scope}\``).join(' or ')}.`]
      .filter(Boolean)
      .join('\n\n'),
    security: [{ bearer: [] }],
    request: documentRequest(contract),
    responses: documentResponses(contract),
  })
}

function documentRequest(contract: Contract<z.ZodObject, z.ZodType>): NonNullable<RouteConfig['request']> {
  const { method, path, example, documentedInput: input = contract.input } = contract
  const names = pathParameters(path)
  const mask: Record<string, true> = Object.fromEntries(names.map((name) => [name, true]))
  const rest = names.length > 0 ? input.omit(mask) : input
  const request: NonNullable<RouteConfig['request']> = { headers: documentHeaders(contract) }
  if (names.length > 0) request.params = input.pick(mask)
  if (!hasBody(method)) return { ...request, query: rest }
  const schema = method === 'patch' ? rest.openapi({ minProperties: 1 }) : rest
  const required = method === 'patch' || !allOptional(contract)
  return { ...request, body: { required, content: { 'application/json': { schema, example: example?.request } } } }
}

function documentHeaders({ idempotency }: Contract<z.ZodObject, z.ZodType>) {
  const requestId = z
    .string()
    .optional()
    .openapi({ description: `Comes back in the answer if it matches \`${REQUEST_ID_PATTERN}\`.` })
  const common = z.object({ 'X-Request-Id': requestId })
  if (!idempotency) return common
  const key = idempotencyKey().optional().openapi({ description: 'Stands in for `idempotency_key` in the body.' })
  return common.extend({ 'Idempotency-Key': key })
}

function documentResponses(contract: Contract<z.ZodObject, z.ZodType>): RouteConfig['responses'] {
  const responses: RouteConfig['responses'] = {}
  const headers = isControlPlane(contract)
    ? { [PROPAGATION_HEADER]: { $ref: `#/components/headers/${PROPAGATION_HEADER}` } }
    : {}
  for (const [status, description] of Object.entries(contract.statuses)) {
    responses[status] = contract.streams
      ? streamResponse(description, contract)
      : successResponse(description, contract.answer, contract.example?.answer, headers)
  }
  const errors = { ...COMMON_ERRORS, ...(hasBody(contract.method) ? BODY_ERRORS : {}) }
  for (const [status, description] of Object.entries(errors)) {
    responses[status] = errorResponse(Number(status), description)
  }
  for (const [status, description] of Object.entries(contract.errors ?? {})) {
    const common = Object.entries(errors).find(([known]) => known === status)?.[1]
    responses[status] = errorResponse(Number(status), [common, description].filter(Boolean).join(' '))
  }
  return responses
}
