import { z } from '@hono/zod-openapi'
import { type Api, type Exchange, forward } from '../http/api.ts'
import { contract } from '../http/contract.ts'
import {
  accountId,
  beginning,
  idempotencyKey,
  integer,
  metadata,
  nonNegativeQuantity,
  prose,
  time,
  uuid,
} from '../http/fields.ts'
import type { Gateway } from '../store/gateway.ts'
import { grantFields, hasQuantity, QUANTITY_REQUIRED, QUANTITY_REQUIRED_SCHEMA, rolloverFields } from './grants.ts'
import { amount, Duplicate, id, instant, LimitKind, Metadata, orNull, State, Window } from './shapes.ts'

export const Entitlement = z
  .object({
    entitlement_id: id(),
    account_id: z.string(),
    resource: z.string(),
    scope: z.string().nullable(),
    limit_kind: LimitKind,
    quantity: amount().nullable().openapi({ description: 'Null is unlimited.' }),
    unit: z.string().nullable(),
    window: z.string().nullable().openapi({ description: 'The code of a window type.' }),
    priority: z.int(),
    rollover_max_quantity: amount().nullable(),
    rollover_percent: amount().nullable(),
    effective_start: instant(),
    effective_end: instant().nullable(),
    status: z.enum(['scheduled', 'active', 'expired', 'revoked']),
    source: z.object({
      type: z.enum(['plan', 'manual']),
      plan_id: z.string().nullable(),
      plan_version: z.int().nullable(),
      subscription_id: id().nullable(),
    }),
    metadata: Metadata,
    created_at: instant(),
  })
  .openapi('Entitlement')

const EntitlementWithState = Entitlement.extend({
  state: State.extend({
    overage_quantity: amount(),
    rollover_quantity: amount().openapi({ description: 'How much of the limit the window before left over.' }),
    window: orNull(Window),
    resets_at: instant().nullable(),
  }),
}).openapi('EntitlementWithState')
const EntitlementList = z.object({ data: z.array(EntitlementWithState) }).openapi('EntitlementList')
const Granted = Entitlement.extend({ duplicate: Duplicate }).openapi('GrantedEntitlement')

export const ENTITLEMENT_EXAMPLE = {
  entitlement_id: '019a9f3e-5d2c-7c11-9f5e-3b1f6f0f2a12',
  account_id: 'org_acme',
  resource: 'benchmark_runs',
  scope: null,
  limit_kind: 'cumulative',
  quantity: 500,
  unit: 'count',
  window: 'calendar_month',
  priority: 100,
  rollover_max_quantity: null,
  rollover_percent: null,
  effective_start: '2026-11-01T00:00:00Z',
  effective_end: null,
  status: 'active',
  source: { type: 'manual', plan_id: null, plan_version: null, subscription_id: null },
  metadata: {},
  created_at: '2026-11-01T00:00:00Z',
}
const STATE_EXAMPLE = {
  limit: 500,
  used: 410,
  held: 0,
  remaining: 90,
  overage_quantity: 0,
  rollover_quantity: 0,
  window: { type: 'calendar_month', start: '2026-11-01T00:00:00Z', end: '2026-12-01T00:00:00Z' },
  resets_at: '2026-12-01T00:00:00Z',
}

const GrantRequest = z
  .strictObject({
    idempotency_key: idempotencyKey().optional(),
    account_id: accountId(),
    ...grantFields(),
    effective_start: beginning().nullish().openapi({ description: 'Now when left out.' }),
    effective_end: time().nullish().openapi({ description: 'Null is without end.' }),
    metadata: metadata().optional(),
  })
  .refine(hasQuantity, QUANTITY_REQUIRED)
  .openapi('GrantRequest', QUANTITY_REQUIRED_SCHEMA)

const grantEntitlement = contract({
  method: 'post',
  path: '/v1/entitlements',
  operationId: 'grantEntitlement',
  tag: 'Entitlements',
  summary: 'Grant by hand',
  description: 'A top-up, a promotion, an override.',
  scopes: ['admin'],
  idempotency: 'optional',
  input: GrantRequest,
  statuses: { 201: 'The entitlement.', 200: 'A duplicate: the first result.' },
  answer: Granted,
  errors: { 400: '`unknown_resource`, `unit_mismatch`.', 409: '`idempotency_conflict`.' },
  example: {
    request: {
      account_id: 'org_acme',
      resource: 'benchmark_runs',
      limit_kind: 'cumulative',
      quantity: 500,
      window: 'calendar_month',
    },
    answer: { ...ENTITLEMENT_EXAMPLE, duplicate: false },
  },
})

const ById = z.strictObject({ entitlement_id: uuid() })
const PatchInput = ById.extend({
  quantity: nonNegativeQuantity().nullable().optional().openapi({ description: 'Null is unlimited.' }),
  effective_end: time().nullish().openapi({ description: 'Null is without end.' }),
  priority: integer().optional().openapi({ description: 'Lower is drawn on first.' }),
  ...rolloverFields(),
})
const patchEntitlement = contract({
  method: 'patch',
  path: '/v1/entitlements/{entitlement_id}',
  operationId: 'patchEntitlement',
  tag: 'Entitlements',
  summary: 'Change an entitlement',
  description: 'What is left out stays as it is.',
  scopes: ['admin'],
  input: PatchInput,
  statuses: { 200: 'The entitlement.' },
  answer: Entitlement,
  errors: { 404: 'No such entitlement.', 409: '`window_closed`, `entitlement_replaced` (effective_end).' },
  example: { request: { quantity: 750 }, answer: { ...ENTITLEMENT_EXAMPLE, quantity: 750 } },
})

const RevokeInput = ById.extend({ reason: prose(1000).nullish() })
const revokeEntitlement = contract({
  method: 'post',
  path: '/v1/entitlements/{entitlement_id}/revoke',
  operationId: 'revokeEntitlement',
  tag: 'Entitlements',
  summary: 'End an entitlement now',
  description: 'The reason is in the audit trail.',
  scopes: ['admin'],
  input: RevokeInput,
  statuses: { 200: 'The entitlement. Again: the same.' },
  answer: Entitlement,
  errors: { 404: 'No such entitlement.' },
  example: { request: { reason: 'Refunded' }, answer: { ...ENTITLEMENT_EXAMPLE, status: 'revoked' } },
})

const ListInput = z.strictObject({ account_id: accountId() })
const listEntitlements = contract({
  method: 'get',
  path: '/v1/accounts/{account_id}/entitlements',
  operationId: 'listEntitlements',
  tag: 'Entitlements',
  summary: 'Everything the account holds, with its state',
  scopes: ['read'],
  input: ListInput,
  statuses: { 200: 'All of them.' },
  answer: EntitlementList,
  example: { answer: { data: [{ ...ENTITLEMENT_EXAMPLE, state: STATE_EXAMPLE }] } },
})

type One = z.input<typeof Entitlement>

export function serveEntitlements(api: Api, gateway: Gateway): void {
  const grant = gateway.bind<z.output<typeof GrantRequest>, z.input<typeof Granted>>('api_entitlement_grant')

  async function handleGrant({ input, ask }: Exchange<z.output<typeof GrantRequest>>) {
    const body = await ask(grant, input)
    return { status: body.duplicate ? 200 : 201, body } as const
  }

  api.serve(grantEntitlement, handleGrant)
  api.serve(patchEntitlement, forward(gateway.bind<z.output<typeof PatchInput>, One>('api_entitlement_patch')))
  api.serve(revokeEntitlement, forward(gateway.bind<z.output<typeof RevokeInput>, One>('api_entitlement_revoke')))
  const list = gateway.bind<z.output<typeof ListInput>, z.input<typeof EntitlementList>>('api_entitlement_list')
  api.serve(listEntitlements, forward(list))
}
