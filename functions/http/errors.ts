import { Failure, type FailureStatus } from '../core/failure.ts'

/** The error types of the contract. */
export const ERROR_TYPES = [
  'invalid_request',
  'authentication',
  'permission',
  'not_found',
  'conflict',
  'gone',
  'rate_limited',
  'unavailable',
  'internal',
] as const
export type ErrorType = (typeof ERROR_TYPES)[number]

/** An error as clients see it, without the id of the request. */
export function describeFailure({ status, code, message, details }: Failure) {
  return { type: typeOf(status), code, message, param: details.param ?? null, ...details.extra }
}

/** Whatever was thrown, as a `Failure`. What is not one of ours says nothing to the outside. */
export function asFailure(error: unknown): Failure {
  return error instanceof Failure ? error : new Failure(500, 'internal', 'Something went wrong on our side.')
}

/** The one place where a failure becomes HTTP. */
export function failureResponse(failure: Failure, requestId: string): Response {
  const body = { error: { ...describeFailure(failure), request_id: requestId } }
  return Response.json(body, {
    status: failure.status,
    headers: { ...headersOf(failure.status), ...failure.details.headers },
  })
}

function typeOf(status: FailureStatus): ErrorType {
  switch (status) {
    case 400:
    case 405:
    case 413:
    case 415:
      return 'invalid_request'
    case 401:
      return 'authentication'
    case 403:
      return 'permission'
    case 404:
      return 'not_found'
    case 409:
      return 'conflict'
    case 410:
      return 'gone'
    case 429:
      return 'rate_limited'
    case 503:
      return 'unavailable'
    case 500:
      return 'internal'
  }
}

function headersOf(status: FailureStatus): Record<string, string> {
  switch (status) {
    case 401:
      return { 'WWW-Authenticate': 'Bearer realm="mec"' }
    case 429:
    case 503:
      return { 'Retry-After': '1' }
    default:
      return {}
  }
}
