import { z } from '@hono/zod-openapi'
import { type ConsumedInSql, changesOfConsume, renderConsumed } from '../decisions/consumed.ts'
import type { Api, Exchange } from '../http/api.ts'
import { contract } from '../http/contract.ts'
import { accountId, code, idempotencyKey, metadata, positiveQuantity, resource, scope } from '../http/fields.ts'
import type { Gateway } from '../store/gateway.ts'
import { DECISION_EXAMPLE, Decision, Duplicate, ENTRY_EXAMPLE, Entry, fromPostgres, orNull } from './shapes.ts'

const ConsumeRequest = z
  .strictObject({
    idempotency_key: idempotencyKey().optional(),
    account_id: accountId(),
    resource: resource(),
    scope: scope(),
    quantity: positiveQuantity().openapi({ example: 1 }),
    unit: code()
      .nullish()
      .openapi({ description: "Of the same dimension as the resource's own, which is the default." }),
    metadata: metadata().optional(),
  })
  .openapi('ConsumeRequest')

const Consumed = Decision.extend({
  entry: orNull(Entry).openapi({ description: 'What was recorded; null when denied.' }),
  duplicate: Duplicate,
}).openapi('Consumed')

const consume = contract({
  method: 'post',
  path: '/v1/consume',
  operationId: 'consume',
  tag: 'Decisions',
  summary: 'Check and record, in one atomic step',
  description:
    'The way to enforce a limit under concurrency: any number of parallel calls never records more than the limit and what its action permits. Counts are those after the write.',
  scopes: ['meter'],
  idempotency: 'required',
  input: ConsumeRequest,
  statuses: { 201: 'Recorded.', 200: 'Denied, with nothing recorded; or a duplicate, with the first result.' },
  answer: Consumed,
  errors: { 400: '`unknown_resource`, `unit_mismatch`.', 409: '`idempotency_conflict`.' },
  example: {
    request: { idempotency_key: 'run_12345', account_id: 'org_acme', resource: 'benchmark_runs', quantity: 1 },
    answer: { ...DECISION_EXAMPLE, used: 411, remaining: 89, entry: ENTRY_EXAMPLE, duplicate: false },
  },
})

export function serveConsume(api: Api, gateway: Gateway): void {
  const consumeInSql = gateway.bind<z.output<typeof ConsumeRequest>, ConsumedInSql<z.input<typeof Entry>>>(
    'api_consume',
    changesOfConsume,
  )

  async function handleConsume({ input, ask }: Exchange<z.output<typeof ConsumeRequest>>) {
    const { account_id, resource, scope = null } = input
    const consumed = renderConsumed(await ask(consumeInSql, input), { account_id, resource, scope })
    const isRecorded = consumed.allowed && !consumed.duplicate
    return { status: isRecorded ? 201 : 200, body: fromPostgres(consumed) } as const
  }
  api.serve(consume, handleConsume)
}
