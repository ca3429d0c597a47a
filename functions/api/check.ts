import { z } from '@hono/zod-openapi'
import type { Snapshot } from '../core/snapshot.ts'
import { ON_ERROR, PURPOSES } from '../core/vocabulary.ts'
import { renderOnce } from '../decisions/again.ts'
import { decide } from '../decisions/decide.ts'
import type { Asking, CheckQuestion, SnapshotAnswer, SnapshotRequest, Tiers, WithAuth } from '../decisions/question.ts'
import type { Api, Exchange } from '../http/api.ts'
import { contract } from '../http/contract.ts'
import { accountId, beginning, integer, nonNegativeQuantity, resource, scope } from '../http/fields.ts'
import { changesNothing, type Gateway } from '../store/gateway.ts'
import { DECISION_EXAMPLE, Decision } from './shapes.ts'

export const CheckRequest = z
  .strictObject({
    account_id: accountId(),
    resource: resource(),
    scope: scope(),
    quantity: nonNegativeQuantity()
      .optional()
      .openapi({ default: 1, description: '0 asks whether it is in force at all.', example: 1 }),
    at: beginning().nullish().openapi({ description: 'Decide as of that instant, past or future.', example: null }),
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
    'Asks; changes nothing. A denial is an answer, not an error. When Postgres cannot answer, the last state known does, for ten minutes, with `degraded`; then `on_error`, then that of the rules of the limit kinds asked (a denial if any of them denies). An API key that nobody can authenticate gets 503.',
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

export function serveCheck(api: Api, gateway: Gateway, tiers: Tiers): void {
  const snapshot = gateway.bind<SnapshotRequest & WithAuth, Snapshot & Pick<SnapshotAnswer, 'auth'>>(
    'api_snapshot',
    changesNothing,
  )

  async function handleCheck(exchange: Exchange<z.output<typeof CheckRequest>>) {
    async function readOne([request]: readonly SnapshotRequest[], options: WithAuth): Promise<SnapshotAnswer> {
      if (!request) return { snapshots: [] }
      const { auth, ...found } = await exchange.ask(snapshot, { ...request, auth: options.auth })
      return { snapshots: [found], auth }
    }
    const [decision] = await decide([questionOf(exchange.input)], askingOf(exchange, readOne), tiers)
    if (!decision) throw new RangeError('a question without a decision')
    const { source, degraded, outcome } = decision
    Object.assign(exchange.facts, { source, degraded, outcome })
    return { status: 200, body: decision, json: renderOnce(decision) } as const
  }
  api.serve(check, handleCheck)
}

export function questionOf(input: z.output<typeof CheckRequest>): CheckQuestion {
  const {
    account_id,
    resource,
    scope = null,
    quantity = 1,
    at = null,
    on_error = null,
    max_staleness_ms = null,
  } = input
  return { account_id, resource, scope, quantity, at, on_error, max_staleness_ms, purpose: input.for ?? 'any' }
}

export function askingOf({ caller, timed, later }: Exchange<unknown>, snapshots: Asking['snapshots']): Asking {
  return { credential: caller.credential, namespace: caller.namespaceHint, snapshots, timed, later }
}
