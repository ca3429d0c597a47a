import { z } from '@hono/zod-openapi'
import { type Api, forward } from '../http/api.ts'
import { contract, pageOf } from '../http/contract.ts'
import { accountId, page, resource, time } from '../http/fields.ts'
import type { Gateway } from '../store/gateway.ts'
import { ENTRY_EXAMPLE, Entry } from './shapes.ts'

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

export function serveLedger(api: Api, gateway: Gateway): void {
  api.serve(listEntries, forward(gateway.bind<z.output<typeof ListInput>, z.input<typeof Entries>>('api_ledger_list')))
}
