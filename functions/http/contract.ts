import { z } from '@hono/zod-openapi'
import type { FailureStatus } from '../core/failure.ts'
import type { Scope } from '../core/vocabulary.ts'

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete'

/** One operation of the API: what is served and what is documented are both made from this. */
export interface Contract<Input extends z.ZodObject, Answer extends z.ZodType> {
  readonly method: Method
  /** With `{name}` for parameters, whose schemas are the fields of `input` of these names. */
  readonly path: string
  readonly operationId: string
  readonly tag: string
  readonly summary: string
  readonly description?: string
  /** Any one of them is enough; `admin` always is. */
  readonly scopes: readonly Scope[]
  /**
   * Path, query and body in one: what is not in the path is in the body of POST, PUT and PATCH, else in the query.
   * This is also what the SQL function is asked.
   */
  readonly input: Input
  /** What the document shows instead, where the handler checks more than `input` does. */
  readonly documentedInput?: z.ZodObject
  /** The body, or the header in its stead, must bring `idempotency_key` (`required`) or may (`optional`). */
  readonly idempotency?: 'required' | 'optional'
  /** The successful statuses and what each says. */
  readonly statuses: Readonly<Partial<Record<200 | 201, string>>>
  readonly answer: Answer
  /** What it streams instead of a JSON `answer`, by content type. */
  readonly streams?: Readonly<Record<string, { readonly example: string }>>
  /** Errors of this operation beside those that all have, with their codes. */
  readonly errors?: Readonly<Partial<Record<FailureStatus, string>>>
  readonly example?: { readonly request?: unknown; readonly answer?: unknown }
}

/** Keeps the types of the schemas. */
export function contract<Input extends z.ZodObject, Answer extends z.ZodType>(
  spec: Contract<Input, Answer>,
): Contract<Input, Answer> {
  return spec
}

/** Says `delayed` when what was changed may not be seen everywhere at once. */
export const PROPAGATION_HEADER = 'MEC-Propagation'

/** True for what changes the rules of the game: its answer waits until the caches know. */
export function isControlPlane({ method, scopes }: Contract<z.ZodObject, z.ZodType>): boolean {
  return method !== 'get' && scopes.every((scope) => scope === 'admin')
}

/** The names in a path, in order. */
export function pathParameters(path: string): readonly string[] {
  return Array.from(path.matchAll(/\{(\w+)\}/g), ([, name = '']) => name)
}

export function hasBody(method: Method): boolean {
  return method === 'post' || method === 'put' || method === 'patch'
}

/** `{"data":[…],"has_more":…,"next_cursor":…}` */
export function pageOf<Item extends z.ZodType>(item: Item) {
  return z.object({
    data: z.array(item),
    has_more: z.boolean(),
    next_cursor: z.string().nullable().openapi({ description: 'The `cursor` of the next page; null on the last.' }),
  })
}
