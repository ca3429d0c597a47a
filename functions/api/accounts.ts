import { z } from '@hono/zod-openapi'
import { type Api, forward } from '../http/api.ts'
import { contract } from '../http/contract.ts'
import { accountId, metadata, printable } from '../http/fields.ts'
import type { Gateway } from '../store/gateway.ts'
import { instant, Metadata } from './shapes.ts'

const AccountStatus = z.enum(['active', 'suspended']).openapi('AccountStatus')

const Account = z
  .object({
    account_id: z.string(),
    name: z.string().nullable(),
    timezone: z.string().openapi({ description: 'Where its days and months begin.' }),
    status: AccountStatus,
    metadata: Metadata,
    created_at: instant().nullable().openapi({ description: 'When it was first seen; null before that.' }),
  })
  .openapi('Account')
const ACCOUNT_EXAMPLE = {
  account_id: 'org_acme',
  name: 'Acme Corp.',
  timezone: 'Europe/Berlin',
  status: 'active',
  metadata: {},
  created_at: '2026-11-01T00:00:00Z',
}

const ById = z.strictObject({ account_id: accountId() })
const getAccount = contract({
  method: 'get',
  path: '/v1/accounts/{account_id}',
  operationId: 'getAccount',
  tag: 'Accounts',
  summary: 'One account',
  description: 'An account needs no creating: one that was never seen is answered as it will be when it appears.',
  scopes: ['read'],
  input: ById,
  statuses: { 200: 'The account.' },
  answer: Account,
  example: { answer: ACCOUNT_EXAMPLE },
})

const PatchInput = ById.extend({
  name: printable().nullable().optional().openapi({ example: 'Acme Corp.' }),
  timezone: printable(64).optional().openapi({
    description: 'A name of the IANA time zone database. It takes effect with the next window.',
    example: 'Europe/Berlin',
  }),
  status: AccountStatus.optional().openapi({ description: 'Suspended: it is denied whatever asks.' }),
  metadata: metadata().optional().openapi({ description: 'Takes the place of all there was.' }),
})
const patchAccount = contract({
  method: 'patch',
  path: '/v1/accounts/{account_id}',
  operationId: 'patchAccount',
  tag: 'Accounts',
  summary: 'Change an account',
  description:
    'What is left out stays as it is; an account that was never seen is made. A suspended account is denied everything that asks (check, consume, reserve, lease, assign); what records or gives back goes on.',
  scopes: ['admin'],
  input: PatchInput,
  statuses: { 200: 'The account.' },
  answer: Account,
  example: { request: { timezone: 'Europe/Berlin' }, answer: ACCOUNT_EXAMPLE },
})

const Erased = z
  .object({
    account_id: z.string(),
    erased_at: instant().nullable().openapi({ description: 'When something was last erased; null: never seen.' }),
    complete: z.boolean().openapi({ description: 'False: there was very much of it, and some is left. Ask again.' }),
    ledger_details: z.int().min(0).openapi({ description: 'Entries of the ledger whose metadata are gone.' }),
    leases: z.int().min(0).openapi({ description: 'Leases whose holder and metadata are.' }),
    items: z.int().min(0).openapi({ description: 'Items owned whose name and metadata are.' }),
    entitlements: z.int().min(0).openapi({ description: 'Entitlements whose metadata are.' }),
    audit_details: z.int().min(0).openapi({ description: 'Entries of the audit trail whose personal strings are.' }),
  })
  .openapi('Erased')
const eraseAccount = contract({
  method: 'post',
  path: '/v1/accounts/{account_id}/erase',
  operationId: 'eraseAccount',
  tag: 'Accounts',
  summary: 'Erase the personal strings of an account',
  description:
    'For good, and safe to repeat: metadata wherever there are any, holders, items, its own string and name. What was used, owned and held stays, with its sums and hash chains, under ids and pseudonyms (`erased:…`). Idempotency keys stay, too: put nothing personal into them. Whoever uses the same `account_id` again goes on with the same account.',
  scopes: ['admin'],
  input: ById,
  statuses: { 200: 'What was erased now.' },
  answer: Erased,
  example: {
    request: {},
    answer: {
      account_id: 'org_acme',
      erased_at: '2026-11-21T10:00:00Z',
      complete: true,
      ledger_details: 411,
      leases: 12,
      items: 3,
      entitlements: 1,
      audit_details: 7,
    },
  },
})

type Answer = z.input<typeof Account>

export function serveAccounts(api: Api, gateway: Gateway): void {
  api.serve(getAccount, forward(gateway.bind<z.output<typeof ById>, Answer>('api_account_get')))
  api.serve(eraseAccount, forward(gateway.bind<z.output<typeof ById>, z.input<typeof Erased>>('api_account_erase')))
  api.serve(patchAccount, forward(gateway.bind<z.output<typeof PatchInput>, Answer>('api_account_patch')))
}
