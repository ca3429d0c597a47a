import { z } from '@hono/zod-openapi'
import type { Snapshot } from '../core/snapshot.ts'
import { ON_ERROR, PURPOSES } from '../core/vocabulary.ts'
import { decide, type SnapshotRequest } from '../decisions/decide.ts'
import type { Api, Exchange } from '../http/api.ts'
import { contract } from '../http/contract.ts'
import { accountId, integer, nonNegativeQuantity, resource, scope, time } from '../http/fields.ts'
import type { Gateway } from '../store/gateway.ts'
import { DECISION_EXAMPLE, Decision } from './shapes.ts'

const CheckRequest = z
  .strictObject({
    account_id: accountId(),
    resource: resource(),
    scope: scope(),
    quantity: nonNegativeQuantity()
      .optional()
      .openapi({ default: 1, description: '0 asks whether it is in force at all.', example: 1 }),
    at: time().nullish().openapi({ description: 'Decide as of that instant, past or future.', example: null }),
    max_staleness_ms: integer(0, 60_000)
      .nullish()
      .openapi({ description: 'How old the state behind the answer may be. 0 reads the database.', example: null }),
    for: z.enum(PURPOSES).optional().openapi({
      default: 'any',
      description: '`any`: every limit kind held must allow. Else: what that command would answer.',
    }),
    on_error: z.enum(ON_ERROR).nullish().openapi({ description: 'What to answer when no store can.', example: null }),
  })
  .openapi('CheckRequest')

const check = contract({
  method: 'post',
  path: '/v1/check',
  operationId: 'check',
  tag: 'Decisions',
  summary: 'May this account do this now?',
  description:
    'Asks; changes nothing. A denial is an answer, not an error. When Postgres cannot answer, a token gets `on_error` (else a denial) with `degraded`; an API key, which nobody could then authenticate, gets 503.',
  scopes: ['check'],
  input: CheckRequest,
  statuses: { 200: 'The decision.' },
  answer: Decision,
  errors: { 400: '`unknown_resource`.' },
  example: {
    request: { account_id: 'org_acme', resource: 'benchmark_runs', quantity: 1 },
    answer: DECISION_EXAMPLE,
  },
})

export function serveCheck(api: Api, gateway: Gateway, nowMs: () => number): void {
  const snapshot = gateway.bind<SnapshotRequest, Snapshot>('api_snapshot')

  async function handleCheck({ input, caller, ask }: Exchange<z.output<typeof CheckRequest>>) {
    const { account_id, resource, scope = null, quantity = 1, at = null, on_error = null } = input
    const question = { account_id, resource, scope, quantity, at, on_error, purpose: input.for ?? 'any' }
    const stores = { snapshot: (request: SnapshotRequest) => ask(snapshot, request) }
    return { status: 200, body: await decide(question, caller.credential, stores, nowMs) } as const
  }
  api.serve(check, handleCheck)
}
