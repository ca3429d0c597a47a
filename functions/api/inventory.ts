import { z } from '@hono/zod-openapi'
import { type Api, type Exchange, forward } from '../http/api.ts'
import { contract, pageOf } from '../http/contract.ts'
import { accountId, metadata, page, resource, scope, segment } from '../http/fields.ts'
import type { Gateway } from '../store/gateway.ts'
import {
  DECISION_EXAMPLE,
  ENTRY_EXAMPLE,
  Entry,
  fromPostgres,
  id,
  instant,
  Metadata,
  orNull,
  Provenance,
  SqlDecision,
  State,
} from './shapes.ts'

const item = () =>
  segment().openapi({
    description: 'Your name of it: an account has one of each name per resource.',
    example: 'ada@acme.example',
  })

const Item = z
  .object({
    item: z.string(),
    account_id: z.string(),
    resource: z.string(),
    scope: z.string().nullable(),
    assigned_at: instant(),
    entry_id: id().openapi({ description: 'The entry that assigned it. It is not reversed: the item is released.' }),
    metadata: Metadata,
  })
  .openapi('Item')

const ITEM_EXAMPLE = {
  item: 'ada@acme.example',
  account_id: 'org_acme',
  resource: 'named_users',
  scope: null,
  assigned_at: '2026-11-21T10:00:00Z',
  entry_id: ENTRY_EXAMPLE.entry_id,
  metadata: {},
}

const AssignRequest = z
  .strictObject({
    account_id: accountId(),
    resource: resource().openapi({ example: 'named_users' }),
    scope: scope(),
    item: item(),
    metadata: metadata().optional(),
  })
  .openapi('ItemRequest')

const SqlAssigned = SqlDecision.extend({
  item: orNull(Item).openapi({ description: 'Null when denied.' }),
  duplicate: z.boolean().openapi({ description: 'True when the account owned it already.' }),
})
const Assigned = SqlAssigned.extend(Provenance.shape).openapi('ItemDecision')

const counts = { limit: 25, used: 4, held: 0, remaining: 21 }
const assignItem = contract({
  method: 'post',
  path: '/v1/inventory',
  operationId: 'assignItem',
  tag: 'Inventory',
  summary: 'Assign a named item',
  description:
    'Idempotent by its name: what the account owns already is answered as when it was assigned, and counts once.',
  scopes: ['meter'],
  input: AssignRequest,
  statuses: { 201: 'Assigned.', 200: 'Owned already; or denied.' },
  answer: Assigned,
  errors: { 400: '`unknown_resource`.', 409: '`idempotency_conflict`: the account owns it in another scope.' },
  example: {
    request: { account_id: 'org_acme', resource: 'named_users', item: 'ada@acme.example' },
    answer: {
      ...DECISION_EXAMPLE,
      outcome: 'allow',
      reason: 'within_limit',
      resource: 'named_users',
      ...counts,
      window: null,
      limits: [{ limit_kind: 'inventory', ...counts, outcome: 'allow', reason: 'within_limit', window: null }],
      item: ITEM_EXAMPLE,
      duplicate: false,
    },
  },
})

const ReleaseInput = z.strictObject({ resource: resource(), item: item(), account_id: accountId() })
const ReleasedItem = z
  .object({
    item: Item,
    entry: Entry.openapi({ description: 'What gave it back: a quantity of -1.' }),
    state: State,
  })
  .openapi('ReleasedItem')

const releaseItem = contract({
  method: 'delete',
  path: '/v1/inventory/{resource}/{item}',
  operationId: 'releaseItem',
  tag: 'Inventory',
  summary: 'Give a named item back',
  description: 'It may be assigned again.',
  scopes: ['meter'],
  input: ReleaseInput,
  statuses: { 200: 'The item as it was, and what is left.' },
  answer: ReleasedItem,
  errors: { 400: '`unknown_resource`.', 404: 'The account owns no such item.' },
  example: {
    answer: {
      item: ITEM_EXAMPLE,
      entry: {
        ...ENTRY_EXAMPLE,
        entry_id: '019a9f40-77aa-7b31-8d1c-5c1f0f6e2b13',
        idempotency_key: '019a9f40-77aa-7b31-8d1c-5c1f0f6e2b13',
        resource: 'named_users',
        quantity: -1,
        original_quantity: -1,
        included_quantity: -1,
        metadata: { item: 'ada@acme.example' },
      },
      state: { limit: 25, used: 3, held: 0, remaining: 22 },
    },
  },
})

const ListInput = z.strictObject({ account_id: accountId().optional(), resource: resource().optional(), ...page() })
const ItemList = pageOf(Item).openapi('ItemList')
const listItems = contract({
  method: 'get',
  path: '/v1/inventory',
  operationId: 'listItems',
  tag: 'Inventory',
  summary: 'Who owns what, newest first',
  scopes: ['read', 'meter'],
  input: ListInput,
  statuses: { 200: 'A page of items.' },
  answer: ItemList,
  errors: { 400: '`unknown_resource`.' },
  example: { answer: { data: [ITEM_EXAMPLE], has_more: false, next_cursor: null } },
})

export function serveInventory(api: Api, gateway: Gateway): void {
  const assign = gateway.bind<z.output<typeof AssignRequest>, z.input<typeof SqlAssigned>>('api_inventory_assign')

  async function handleAssign({ input, ask }: Exchange<z.output<typeof AssignRequest>>) {
    const answer = await ask(assign, input)
    const isNew = answer.allowed && !answer.duplicate
    return { status: isNew ? 201 : 200, body: fromPostgres(answer) } as const
  }

  api.serve(assignItem, handleAssign)
  api.serve(
    releaseItem,
    forward(gateway.bind<z.output<typeof ReleaseInput>, z.input<typeof ReleasedItem>>('api_inventory_release')),
  )
  api.serve(
    listItems,
    forward(gateway.bind<z.output<typeof ListInput>, z.input<typeof ItemList>>('api_inventory_list')),
  )
}
