import { z } from '@hono/zod-openapi'
import { type Api, type Exchange, forward } from '../http/api.ts'
import { contract, pageOf } from '../http/contract.ts'
import { accountId, beginning, code, idempotencyKey, page, positiveQuantity, uuid, when } from '../http/fields.ts'
import type { Gateway } from '../store/gateway.ts'
import { ENTITLEMENT_EXAMPLE, Entitlement } from './entitlements.ts'
import { amount, Duplicate, id, instant } from './shapes.ts'

const Subscription = z
  .object({
    subscription_id: id(),
    account_id: z.string(),
    plan_id: z.string(),
    plan_version: z.int().min(1),
    quantity: amount(),
    status: z.enum(['scheduled', 'active', 'expired', 'canceled']),
    start_at: instant(),
    end_at: instant().nullable().openapi({ description: 'When it ends: its trial, or what was canceled.' }),
    canceled_at: instant().nullable().openapi({ description: 'When it was canceled; `end_at` is when that counts.' }),
    pending_change: z
      .object({ plan_id: z.string(), plan_version: z.int(), quantity: amount(), at: instant() })
      .nullable()
      .openapi({ description: 'What it becomes, and when.' }),
    billing_anchor: instant(),
    created_at: instant(),
  })
  .openapi('Subscription')
const SubscriptionList = pageOf(Subscription).openapi('SubscriptionList')
const WithEntitlements = z
  .object({ subscription: Subscription, entitlements: z.array(Entitlement) })
  .openapi('SubscriptionWithEntitlements')
const Subscribed = WithEntitlements.extend({ duplicate: Duplicate }).openapi('NewSubscription')

const SUBSCRIPTION_EXAMPLE = {
  subscription_id: '019a9f3e-5d2c-7c11-9f5e-3b1f6f0f2a13',
  account_id: 'org_acme',
  plan_id: 'pro',
  plan_version: 1,
  quantity: 1,
  status: 'active',
  start_at: '2026-11-01T00:00:00Z',
  end_at: null,
  canceled_at: null,
  pending_change: null,
  billing_anchor: '2026-11-01T00:00:00Z',
  created_at: '2026-11-01T00:00:00Z',
}
const GRANTED_EXAMPLE = {
  ...ENTITLEMENT_EXAMPLE,
  source: {
    type: 'plan',
    plan_id: 'pro',
    plan_version: 1,
    subscription_id: SUBSCRIPTION_EXAMPLE.subscription_id,
  },
}

/** A product has the bounds of any quantity. */
const PRODUCT = 'Each of them must stay below 10¹⁵ and have at most 15 digits.'
const TOO_LARGE = '`invalid_parameter` (quantity): too large for what the plan grants.'

const OfAccount = z.strictObject({ account_id: accountId() })
const CreateInput = OfAccount.extend({
  idempotency_key: idempotencyKey().optional(),
  plan_id: code().openapi({ example: 'pro' }),
  start_at: beginning().nullish().openapi({ description: 'Now when left out. It is the billing anchor.' }),
  quantity: positiveQuantity()
    .optional()
    .openapi({ default: 1, description: `Multiplies the plan's quantities. ${PRODUCT}`, example: 1 }),
})
const createSubscription = contract({
  method: 'post',
  path: '/v1/accounts/{account_id}/subscriptions',
  operationId: 'createSubscription',
  tag: 'Subscriptions',
  summary: 'Give an account a plan',
  scopes: ['admin'],
  idempotency: 'required',
  input: CreateInput,
  statuses: { 201: 'The subscription and what it grants.', 200: 'A duplicate: the first result.' },
  answer: Subscribed,
  errors: {
    400: TOO_LARGE,
    404: 'No such plan.',
    409: '`idempotency_conflict`, or a plan that cannot be subscribed to.',
  },
  example: {
    request: { idempotency_key: 'signup_1', plan_id: 'pro' },
    answer: { subscription: SUBSCRIPTION_EXAMPLE, entitlements: [GRANTED_EXAMPLE], duplicate: false },
  },
})

const ListInput = OfAccount.extend(page())
const listSubscriptions = contract({
  method: 'get',
  path: '/v1/accounts/{account_id}/subscriptions',
  operationId: 'listSubscriptions',
  tag: 'Subscriptions',
  summary: 'The subscriptions of an account',
  scopes: ['read'],
  input: ListInput,
  statuses: { 200: 'A page of subscriptions.' },
  answer: SubscriptionList,
  example: { answer: { data: [SUBSCRIPTION_EXAMPLE], has_more: false, next_cursor: null } },
})

const GetInput = OfAccount.extend({ subscription_id: uuid() })
const getSubscription = contract({
  method: 'get',
  path: '/v1/accounts/{account_id}/subscriptions/{subscription_id}',
  operationId: 'getSubscription',
  tag: 'Subscriptions',
  summary: 'One subscription',
  scopes: ['read'],
  input: GetInput,
  statuses: { 200: 'The subscription and what it grants.' },
  answer: WithEntitlements,
  errors: { 404: 'The account has no such subscription.' },
  example: { answer: { subscription: SUBSCRIPTION_EXAMPLE, entitlements: [GRANTED_EXAMPLE] } },
})

const ById = OfAccount.extend({ subscription_id: uuid(), idempotency_key: idempotencyKey().optional(), when: when() })
const ChangeInput = ById.extend({
  plan_id: code().openapi({ example: 'team' }),
  quantity: positiveQuantity()
    .optional()
    .openapi({ description: `Multiplies the plan's quantities; as it is when left out. ${PRODUCT}` }),
})
const CHANGED_EXAMPLE = { subscription: SUBSCRIPTION_EXAMPLE, entitlements: [GRANTED_EXAMPLE], duplicate: false }
const NO_SUBSCRIPTION = 'The account has no such subscription.'

const changeSubscription = contract({
  method: 'post',
  path: '/v1/accounts/{account_id}/subscriptions/{subscription_id}/change',
  operationId: 'changeSubscription',
  tag: 'Subscriptions',
  summary: 'Change the plan, or how many of it',
  description:
    'It stays the same subscription. Usage of the running windows counts on under the new limits: where resource, scope and window type are the same the counter goes on, rollover included; into another type of window it is carried when the change is made now, and starts from zero at `period_end`. A limit below what is used denies, or goes over, by its rule. To the plan it has, a subscription keeps its version. Replaces whatever was pending, a cancel too.',
  scopes: ['admin'],
  idempotency: 'optional',
  input: ChangeInput,
  statuses: { 200: 'The subscription, and what it grants now or is about to. A duplicate: the first result.' },
  answer: Subscribed,
  errors: {
    400: TOO_LARGE,
    404: `${NO_SUBSCRIPTION} Or there is no such plan.`,
    409: '`subscription_ended`, `plan_not_active`, `idempotency_conflict`.',
  },
  example: {
    request: { plan_id: 'team', when: 'period_end' },
    answer: {
      ...CHANGED_EXAMPLE,
      subscription: {
        ...SUBSCRIPTION_EXAMPLE,
        pending_change: { plan_id: 'team', plan_version: 3, quantity: 1, at: '2026-12-01T00:00:00Z' },
      },
    },
  },
})

const cancelSubscription = contract({
  method: 'post',
  path: '/v1/accounts/{account_id}/subscriptions/{subscription_id}/cancel',
  operationId: 'cancelSubscription',
  tag: 'Subscriptions',
  summary: 'End a subscription',
  description:
    'Replaces a pending change. What has ended stays as it is. A change takes a cancel back that is pending.',
  scopes: ['admin'],
  idempotency: 'optional',
  input: ById,
  statuses: { 200: 'The subscription. Again: the same.' },
  answer: Subscribed,
  errors: { 404: NO_SUBSCRIPTION, 409: '`idempotency_conflict`.' },
  example: {
    request: { when: 'period_end' },
    answer: {
      ...CHANGED_EXAMPLE,
      subscription: {
        ...SUBSCRIPTION_EXAMPLE,
        end_at: '2026-12-01T00:00:00Z',
        canceled_at: '2026-11-21T10:00:00Z',
      },
    },
  },
})

const migrateSubscription = contract({
  method: 'post',
  path: '/v1/accounts/{account_id}/subscriptions/{subscription_id}/migrate',
  operationId: 'migrateSubscription',
  tag: 'Subscriptions',
  summary: "Move to the plan's newest version",
  description: 'Usage counts on as in a change. On the newest version it changes nothing.',
  scopes: ['admin'],
  idempotency: 'optional',
  input: ById,
  statuses: { 200: 'The subscription, and what it grants now or is about to.' },
  answer: Subscribed,
  errors: {
    400: TOO_LARGE,
    404: NO_SUBSCRIPTION,
    409: '`subscription_ended`, `change_pending`, `plan_not_active` (a draft), `idempotency_conflict`.',
  },
  example: {
    request: {},
    answer: { ...CHANGED_EXAMPLE, subscription: { ...SUBSCRIPTION_EXAMPLE, plan_version: 2 } },
  },
})

export function serveSubscriptions(api: Api, gateway: Gateway): void {
  const create = gateway.bind<z.output<typeof CreateInput>, z.input<typeof Subscribed>>('api_subscription_create')

  async function handleCreate({ input, ask }: Exchange<z.output<typeof CreateInput>>) {
    const answer = await ask(create, input)
    return { status: answer.duplicate ? 200 : 201, body: answer } as const
  }

  api.serve(createSubscription, handleCreate)
  const list = gateway.bind<z.output<typeof ListInput>, z.input<typeof SubscriptionList>>('api_subscription_list')
  api.serve(listSubscriptions, forward(list))
  const get = gateway.bind<z.output<typeof GetInput>, z.input<typeof WithEntitlements>>('api_subscription_get')
  api.serve(getSubscription, forward(get))
  const change = gateway.bind<z.output<typeof ChangeInput>, z.input<typeof Subscribed>>('api_subscription_change')
  api.serve(changeSubscription, forward(change))
  const cancel = gateway.bind<z.output<typeof ById>, z.input<typeof Subscribed>>('api_subscription_cancel')
  api.serve(cancelSubscription, forward(cancel))
  const migrate = gateway.bind<z.output<typeof ById>, z.input<typeof Subscribed>>('api_subscription_migrate')
  api.serve(migrateSubscription, forward(migrate))
}
