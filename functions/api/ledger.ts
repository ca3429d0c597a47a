import { z } from '@hono/zod-openapi'
import { type Api, type Exchange, forward } from '../http/api.ts'
import { contract, pageOf } from '../http/contract.ts'
import { accountId, idempotencyKey, page, positiveQuantity, prose, resource, time, uuid } from '../http/fields.ts'
import type { Gateway } from '../store/gateway.ts'
import { Duplicate, ENTRY_EXAMPLE, Entry, State } from './shapes.ts'

const ListInput = z.strictObject({
  account_id: accountId().optional(),
  resource: resource().optional(),
  from: time().optional().openapi({ description: 'Inclusive, on `occurred_at`.' }),
  to: time().optional().openapi({ description: 'Exclusive, on `occurred_at`.' }),
  ...page(),
})
const Entries = pageOf(Entry).openapi('EntryList')

const listEntries = contract({
  method: 'get',
  path: '/v1/ledger',
  operationId: 'listLedger',
  tag: 'Metering',
  summary: 'What was recorded, newest first',
  scopes: ['read'],
  input: ListInput,
  statuses: { 200: 'A page of entries.' },
  answer: Entries,
  errors: { 400: '`unknown_resource`.' },
  example: { answer: { data: [ENTRY_EXAMPLE], has_more: false, next_cursor: null } },
})

const ById = z.strictObject({ entry_id: uuid() })
const getEntry = contract({
  method: 'get',
  path: '/v1/ledger/{entry_id}',
  operationId: 'getEntry',
  tag: 'Metering',
  summary: 'One entry',
  scopes: ['read'],
  input: ById,
  statuses: { 200: 'The entry.' },
  answer: Entry,
  errors: { 404: 'No such entry.' },
  example: { answer: ENTRY_EXAMPLE },
})

const ReverseInput = ById.extend({
  idempotency_key: idempotencyKey().optional(),
  quantity: positiveQuantity()
    .optional()
    .openapi({ description: "In the resource's own unit. All that is left when left out.", example: 3 }),
  reason: prose(1000).nullish().openapi({ description: 'Kept in the `metadata` of the reversal, as `reason`.' }),
})
const Reversed = z
  .object({
    duplicate: Duplicate,
    entry: Entry,
    state: State.openapi({ description: 'As it is now, after the reversal.' }),
  })
  .openapi('Reversed')

const reverseEntry = contract({
  method: 'post',
  path: '/v1/ledger/{entry_id}/reverse',
  operationId: 'reverseEntry',
  tag: 'Metering',
  summary: 'Take back what was recorded',
  description:
    "Records an entry of kind `reversal` with a negative quantity, and gives back what the original drew on, last drawn first: excess, then overage, then what was included. It has the original's `occurred_at` and counts where that does, with its billing multiplier; when a window that it gives back to is closed, it occurs now, is `late`, and is credited to the present window. Use that was recorded can be reversed, also in parts: not a reversal, nor items that were given back, and named items are released instead.",
  scopes: ['meter'],
  idempotency: 'required',
  input: ReverseInput,
  statuses: { 201: 'Reversed.', 200: 'A duplicate: the first result.' },
  answer: Reversed,
  errors: {
    404: 'No such entry.',
    409: '`over_reversal`: more than is left of the entry. `not_reversible`. `negative_balance`: the items are not there any more. `idempotency_conflict`.',
  },
  example: {
    request: { idempotency_key: 'undo_12345', quantity: 3, reason: 'The run failed' },
    answer: {
      duplicate: false,
      entry: {
        ...ENTRY_EXAMPLE,
        entry_id: '019a9f3e-6a10-7b22-8d41-5c2f7a8e3b21',
        idempotency_key: 'undo_12345',
        quantity: -3,
        original_quantity: -3,
        recorded_at: '2026-11-21T10:05:00Z',
        kind: 'reversal',
        reverses: ENTRY_EXAMPLE.entry_id,
        included_quantity: -3,
        metadata: { reason: 'The run failed' },
      },
      state: { limit: 500, used: 408, held: 0, remaining: 92 },
    },
  },
})

export function serveLedger(api: Api, gateway: Gateway): void {
  const reverseInSql = gateway.bind<z.output<typeof ReverseInput>, z.input<typeof Reversed>>('api_ledger_reverse')

  async function handleReverse({ input, ask }: Exchange<z.output<typeof ReverseInput>>) {
    const answer = await ask(reverseInSql, input)
    return { status: answer.duplicate ? 200 : 201, body: answer } as const
  }

  api.serve(listEntries, forward(gateway.bind<z.output<typeof ListInput>, z.input<typeof Entries>>('api_ledger_list')))
  api.serve(getEntry, forward(gateway.bind<z.output<typeof ById>, z.input<typeof Entry>>('api_ledger_get')))
  api.serve(reverseEntry, handleReverse)
}
