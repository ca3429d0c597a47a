import { z } from '@hono/zod-openapi'
import { type Api, forward } from '../http/api.ts'
import { contract, pageOf } from '../http/contract.ts'
import { code, integer, page, printable, queryInteger, when } from '../http/fields.ts'
import type { Gateway } from '../store/gateway.ts'
import { grantFields, hasQuantity, QUANTITY_REQUIRED, QUANTITY_REQUIRED_SCHEMA } from './grants.ts'
import { amount, id, instant, LimitKind } from './shapes.ts'

const MAX_PLAN_ENTITLEMENTS = 200
/** A hundred years. */
const MAX_DAYS = 36_525

const PlanStatus = z.enum(['draft', 'active', 'archived']).openapi('PlanStatus')

const PlanEntitlementRequest = z
  .strictObject({
    ...grantFields(),
    duration_days: integer(1, MAX_DAYS).nullish().openapi({ description: 'Ends so many days after the start.' }),
  })
  .refine(hasQuantity, QUANTITY_REQUIRED)
  .openapi('PlanEntitlementRequest', QUANTITY_REQUIRED_SCHEMA)

const PlanId = z.strictObject({ plan_id: code().openapi({ example: 'pro' }) })
const PutInput = PlanId.extend({
  name: printable(),
  status: PlanStatus.optional(),
  is_trial: z
    .boolean()
    .optional()
    .openapi({ default: false, description: 'Its subscriptions end by themselves, after `trial_days`.' }),
  trial_days: integer(1, MAX_DAYS).nullish().openapi({ description: 'A trial needs it.' }),
  external_id: printable().nullish().openapi({ description: 'Its id elsewhere, such as a Stripe price.' }),
  entitlements: z
    .array(PlanEntitlementRequest)
    .max(MAX_PLAN_ENTITLEMENTS)
    .optional()
    .openapi({ description: 'All that the plan grants; they stay as they are when left out.' }),
})

const PlanEntitlement = z
  .object({
    resource: z.string(),
    scope: z.string().nullable(),
    limit_kind: LimitKind,
    quantity: amount().nullable(),
    unit: z.string().nullable(),
    window: z.string().nullable(),
    duration_days: z.int().nullable(),
    priority: z.int(),
    rollover_max_quantity: amount().nullable(),
    rollover_percent: amount().nullable(),
  })
  .openapi('PlanEntitlement')

const Plan = z
  .object({
    plan_id: z.string(),
    version: z.int().min(1),
    name: z.string(),
    status: PlanStatus,
    is_trial: z.boolean(),
    trial_days: z.int().nullable(),
    external_id: z.string().nullable(),
    entitlements: z.array(PlanEntitlement),
    created_at: instant(),
    updated_at: instant(),
  })
  .openapi('Plan')
const PlanList = pageOf(Plan).openapi('PlanList')

const ENTITLEMENT_EXAMPLE = {
  resource: 'benchmark_runs',
  scope: null,
  limit_kind: 'cumulative',
  quantity: 500,
  unit: 'count',
  window: 'calendar_month',
  duration_days: null,
  priority: 100,
  rollover_max_quantity: 250,
  rollover_percent: null,
}
const BODY_EXAMPLE = { name: 'Pro', status: 'active', entitlements: [ENTITLEMENT_EXAMPLE] }
const PLAN_EXAMPLE = {
  plan_id: 'pro',
  version: 1,
  ...BODY_EXAMPLE,
  is_trial: false,
  trial_days: null,
  external_id: null,
  created_at: '2026-11-01T00:00:00Z',
  updated_at: '2026-11-01T00:00:00Z',
}
const LIST_EXAMPLE = { data: [PLAN_EXAMPLE], has_more: false, next_cursor: null }

const putPlan = contract({
  method: 'put',
  path: '/v1/plans/{plan_id}',
  operationId: 'putPlan',
  tag: 'Plans',
  summary: 'Create or change a plan',
  description:
    'A new version when the entitlements change, else the same one. Subscriptions keep the version they have. What is left out becomes its default (`active`, no trial, no external id); only entitlements stay as they are.',
  scopes: ['admin'],
  input: PutInput,
  statuses: { 200: 'The plan.' },
  answer: Plan,
  errors: { 400: '`unknown_resource`, `unit_mismatch`.' },
  example: { request: BODY_EXAMPLE, answer: PLAN_EXAMPLE },
})

const GetInput = PlanId.extend({ version: queryInteger(1, 1_000_000_000).optional().openapi({ example: 1 }) })
const getPlan = contract({
  method: 'get',
  path: '/v1/plans/{plan_id}',
  operationId: 'getPlan',
  tag: 'Plans',
  summary: 'One plan, in its newest or a given version',
  scopes: ['read'],
  input: GetInput,
  statuses: { 200: 'The plan.' },
  answer: Plan,
  errors: { 404: 'No such plan, or version of it.' },
  example: { answer: PLAN_EXAMPLE },
})

const ListInput = z.strictObject(page())
const listPlans = contract({
  method: 'get',
  path: '/v1/plans',
  operationId: 'listPlans',
  tag: 'Plans',
  summary: 'All plans',
  scopes: ['read'],
  input: ListInput,
  statuses: { 200: 'A page of plans, each in its newest version.' },
  answer: PlanList,
  example: { answer: LIST_EXAMPLE },
})

const VersionsInput = PlanId.extend(page())
const listPlanVersions = contract({
  method: 'get',
  path: '/v1/plans/{plan_id}/versions',
  operationId: 'listPlanVersions',
  tag: 'Plans',
  summary: 'The versions of a plan',
  scopes: ['read'],
  input: VersionsInput,
  statuses: { 200: 'A page of versions, newest first.' },
  answer: PlanList,
  errors: { 404: 'No such plan.' },
  example: { answer: LIST_EXAMPLE },
})

const MigrateInput = PlanId.extend({
  dry_run: z.boolean().optional().openapi({ default: false, description: 'Say what would be done, and do nothing.' }),
  when: when(),
  limit: integer(1, 100).optional().openapi({ default: 20, description: 'How many at most, in one transaction.' }),
  cursor: printable(1024).nullish().openapi({ description: '`next_cursor` of the batch before.' }),
})
const Migration = pageOf(
  z
    .object({
      subscription_id: id(),
      account_id: z.string(),
      from_version: z.int(),
      to_version: z.int(),
      result: z.enum(['migrated', 'skipped']),
      reason: z.enum(['change_pending', 'cancel_pending', 'quantity_too_large']).nullable().openapi({
        description:
          'Why it was skipped: it is about to change, or to end, or its quantity is too large for what the new version grants.',
      }),
      effective_at: instant().nullable(),
    })
    .openapi('MigratedSubscription'),
)
  .extend({
    plan_id: z.string(),
    version: z.int(),
    dry_run: z.boolean(),
    migrated: z.int().openapi({ description: 'Of this batch.' }),
    skipped: z.int(),
  })
  .openapi('PlanMigration')

const migratePlan = contract({
  method: 'post',
  path: '/v1/plans/{plan_id}/migrate',
  operationId: 'migratePlan',
  tag: 'Plans',
  summary: 'Move the subscriptions of a plan to its newest version',
  description:
    'One bounded batch, all or nothing: those on an older version, by their ids. Call it with `next_cursor` until `has_more` is false. Whoever is about to change or to end, or has too large a quantity for it, is skipped. Done again it finds only what is left.',
  scopes: ['admin'],
  input: MigrateInput,
  statuses: { 200: 'What was done with each; of a dry run, what would be.' },
  answer: Migration,
  errors: { 404: 'No such plan.', 409: '`plan_not_active`: the plan is a draft.' },
  example: {
    request: { dry_run: true, limit: 50 },
    answer: {
      plan_id: 'pro',
      version: 2,
      dry_run: true,
      migrated: 1,
      skipped: 0,
      data: [
        {
          subscription_id: '019a9f3e-5d2c-7c11-9f5e-3b1f6f0f2a13',
          account_id: 'org_acme',
          from_version: 1,
          to_version: 2,
          result: 'migrated',
          reason: null,
          effective_at: '2026-11-21T10:00:00Z',
        },
      ],
      has_more: false,
      next_cursor: null,
    },
  },
})

type One = z.input<typeof Plan>
type Many = z.input<typeof PlanList>

export function servePlans(api: Api, gateway: Gateway): void {
  api.serve(putPlan, forward(gateway.bind<z.output<typeof PutInput>, One>('api_plan_put')))
  api.serve(getPlan, forward(gateway.bind<z.output<typeof GetInput>, One>('api_plan_get')))
  api.serve(listPlans, forward(gateway.bind<z.output<typeof ListInput>, Many>('api_plan_list')))
  api.serve(listPlanVersions, forward(gateway.bind<z.output<typeof VersionsInput>, Many>('api_plan_versions')))
  api.serve(
    migratePlan,
    forward(gateway.bind<z.output<typeof MigrateInput>, z.input<typeof Migration>>('api_plan_migrate')),
  )
}
