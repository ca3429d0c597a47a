import type { z } from 'zod'
import { type Failure, invalidParameter } from '../core/failure.ts'
import { InexactNumber } from './json.ts'

type Issue = z.core.$ZodIssue

/** Checks a value of a request. Issues keep what they were about, so that `failureOfIssues` can say more. */
export function check<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
): z.ZodSafeParseResult<z.output<Schema>> {
  return schema.safeParse(value, { reportInput: true })
}

/**
 * The first thing a schema found wrong, as an error that names the field.
 * `prefix`: where the value stands in the request, such as `['entries', 3]`.
 */
export function failureOfIssues(error: z.ZodError, prefix: readonly PropertyKey[] = []): Failure {
  const [issue] = error.issues
  if (!issue) return invalidParameter(null, 'The request is not valid.')
  const path = [...prefix, ...issue.path, ...unknownKey(issue)].map(String).join('.')
  return invalidParameter(path || null, path ? `${path}: ${describe(issue)}` : describe(issue))
}

function unknownKey(issue: Issue): readonly string[] {
  return issue.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : []
}

function describe(issue: Issue): string {
  if (issue.code === 'unrecognized_keys') return 'There is no such field.'
  if (issue.code !== 'invalid_type') return issue.message
  if (issue.input === undefined) return 'This field is required.'
  if (issue.input instanceof InexactNumber) return 'This number has more digits than can be kept exactly.'
  return issue.message
}
