/** The statuses of the contract's errors. What each means to a client is in http/errors.ts. */
export const FAILURE_STATUSES = [400, 401, 403, 404, 405, 409, 410, 413, 415, 429, 500, 503] as const
export type FailureStatus = (typeof FAILURE_STATUSES)[number]

export interface FailureDetails {
  /** The path of the offending field, such as `checks.3.quantity`. */
  readonly param?: string | null
  /** Fields that go into the error beside the standard ones, such as `lease`. */
  readonly extra?: Readonly<Record<string, unknown>>
  readonly headers?: Readonly<Record<string, string>>
}

/** An error that a client may see, all of it. A denial is never one. */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly status: FailureStatus
  readonly code: string
  readonly details: FailureDetails

  constructor(status: FailureStatus, code: string, message: string, details: FailureDetails = {}) {
    super(message)
    this.status = status
    this.code = code
    this.details = details
  }
}

/** A value of the request is not acceptable. */
export function invalidParameter(param: string | null, message: string): Failure {
  return new Failure(400, 'invalid_parameter', message, { param })
}
