import { z } from '@hono/zod-openapi'
import { Failure } from '../core/failure.ts'
import { OUTCOMES } from '../core/vocabulary.ts'
import { decide } from '../decisions/decide.ts'
import type { SnapshotAnswer, SnapshotRequest, Tiers, WithAuth } from '../decisions/question.ts'
import type { Api, Exchange } from '../http/api.ts'
import { requireAccount } from '../http/auth.ts'
import { contract } from '../http/contract.ts'
import { changesNothing, type Gateway } from '../store/gateway.ts'
import { askingOf, CheckRequest, questionOf } from './check.ts'
import { DECISION_EXAMPLE, Decision } from './shapes.ts'

const MAX_CHECKS = 100

const CheckBatchRequest = z
  .strictObject({ checks: z.array(CheckRequest).min(1).max(MAX_CHECKS) })
  .openapi('CheckBatchRequest')
const CheckBatchAnswer = z
  .object({ results: z.array(Decision).readonly().openapi({ description: 'In the order of the checks.' }) })
  .openapi('CheckBatchAnswer')

const checkBatch = contract({
  method: 'post',
  path: '/v1/check/batch',
  operationId: 'checkBatch',
  tag: 'Decisions',
  summary: 'Several checks in one call',
  description:
    'As one read: what the caches do not answer takes one request to the database, and all checks of one account and resource are answered from one state. One invalid check fails the call; `param` says which, such as `checks.3.quantity`.',
  scopes: ['check'],
  input: CheckBatchRequest,
  statuses: { 200: 'A decision for each check.' },
  answer: CheckBatchAnswer,
  errors: { 400: '`unknown_resource`.' },
  example: {
    request: { checks: [{ account_id: 'org_acme', resource: 'benchmark_runs', quantity: 1 }] },
    answer: { results: [DECISION_EXAMPLE] },
  },
})

/** The database counts the checks that it was sent; the caller counts all. */
function namingCheck(error: unknown, indexes: readonly number[]): unknown {
  if (!(error instanceof Failure)) return error
  const [, position, field] = /^checks\.(\d+)\.(.+)$/.exec(error.details.param ?? '') ?? []
  if (position === undefined) return error
  const param = `checks.${indexes[Number(position)]}.${field}`
  return new Failure(error.status, error.code, error.message, { ...error.details, param })
}

export function serveCheckBatch(api: Api, gateway: Gateway, tiers: Tiers): void {
  const snapshots = gateway.bind<{ checks: readonly SnapshotRequest[] } & WithAuth, SnapshotAnswer>(
    'api_snapshot_batch',
    changesNothing,
  )

  async function handleCheckBatch(exchange: Exchange<z.output<typeof CheckBatchRequest>>) {
    const { input, caller, ask, facts } = exchange
    for (const [index, { account_id }] of input.checks.entries()) {
      requireAccount(caller.credential, account_id, `checks.${index}.account_id`)
    }
    const asking = askingOf(exchange, (checks, { indexes, auth }) =>
      ask(snapshots, { checks, auth }).catch((error: unknown) => {
        throw namingCheck(error, indexes)
      }),
    )
    const results = await decide(input.checks.map(questionOf), asking, tiers)
    const worst = results.toSorted((one, other) => OUTCOMES.indexOf(other.outcome) - OUTCOMES.indexOf(one.outcome))[0]
    const degraded = results.some((result) => result.degraded)
    Object.assign(facts, { degraded, source: worst?.source, outcome: worst?.outcome })
    return { status: 200, body: { results } } as const
  }
  api.serve(checkBatch, handleCheckBatch)
}
