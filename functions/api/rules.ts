import { z } from '@hono/zod-openapi'
import { ACTIONS, LIMIT_KINDS, ON_ERROR } from '../core/vocabulary.ts'
import { type Api, type Exchange, forward } from '../http/api.ts'
import { contract, pageOf } from '../http/contract.ts'
import { accountId, code, idempotencyKey, integer, nonNegativeQuantity, page, resource, uuid } from '../http/fields.ts'
import type { Gateway } from '../store/gateway.ts'
import { Action, amount, Duplicate, id, instant, LimitKind } from './shapes.ts'

/** Ten years. */
const MAX_GRACE_SECONDS = 315_360_000

const Rule = z
  .object({
    rule_id: id(),
    resource: z.string(),
    limit_kind: LimitKind,
    account_id: z.string().nullable(),
    plan_id: z.string().nullable(),
    action: Action,
    warn_at_percent: amount().nullable(),
    overage_multiplier: amount().nullable(),
    overage_cap: amount().nullable(),
    grace_percent: amount().nullable(),
    grace_seconds: z.int().nullable(),
    on_error: z.enum(ON_ERROR),
    created_at: instant(),
  })
  .openapi('Rule')
const RuleList = pageOf(Rule).openapi('RuleList')
const Created = Rule.extend({ duplicate: Duplicate }).openapi('CreatedRule')

const RULE_EXAMPLE = {
  rule_id: '019a9f3e-5d2c-7c11-9f5e-3b1f6f0f2a14',
  resource: 'benchmark_runs',
  limit_kind: 'cumulative',
  account_id: null,
  plan_id: 'pro',
  action: 'overage',
  warn_at_percent: 80,
  overage_multiplier: 10,
  overage_cap: null,
  grace_percent: null,
  grace_seconds: null,
  on_error: 'deny',
  created_at: '2026-11-01T00:00:00Z',
}

const effects = () => ({
  warn_at_percent: nonNegativeQuantity()
    .positive('must be greater than 0')
    .max(100, 'must be at most 100')
    .nullish()
    .openapi({ exclusiveMinimum: 0, maximum: 100, example: 80 }),
  overage_multiplier: nonNegativeQuantity().nullish(),
  overage_cap: nonNegativeQuantity().nullish().openapi({ description: 'How much overage at most; null is no cap.' }),
  grace_percent: nonNegativeQuantity()
    .nullish()
    .openapi({ description: 'Over the limit by so much; null is no bound.' }),
  grace_seconds: integer(0, MAX_GRACE_SECONDS)
    .nullish()
    .openapi({ description: 'From the moment the limit is first exceeded; null is no bound.' }),
})

const CreateRequest = z
  .strictObject({
    idempotency_key: idempotencyKey().optional(),
    resource: resource(),
    limit_kind: z.enum(LIMIT_KINDS),
    account_id: accountId().nullish().openapi({ description: 'For one account only.', example: null }),
    plan_id: code().nullish().openapi({ description: 'For one plan only.', example: null }),
    action: z.enum(ACTIONS),
    ...effects(),
    on_error: z.enum(ON_ERROR).optional().openapi({ default: 'deny' }),
  })
  .openapi('RuleRequest')
const createRule = contract({
  method: 'post',
  path: '/v1/rules',
  operationId: 'createRule',
  tag: 'Rules',
  summary: 'Say what happens at a limit',
  description:
    'The most specific rule wins: account, then plan, then resource; among equals the newest. With no rule: `block`, no warning.',
  scopes: ['admin'],
  idempotency: 'optional',
  input: CreateRequest,
  statuses: { 201: 'The rule.', 200: 'A duplicate: the first result.' },
  answer: Created,
  errors: { 400: '`unknown_resource`.', 404: 'No such plan.', 409: '`idempotency_conflict`.' },
  example: {
    request: {
      resource: 'benchmark_runs',
      limit_kind: 'cumulative',
      plan_id: 'pro',
      action: 'overage',
      warn_at_percent: 80,
      overage_multiplier: 10,
    },
    answer: { ...RULE_EXAMPLE, duplicate: false },
  },
})

const ListInput = z.strictObject({
  resource: resource().optional(),
  account_id: accountId().optional(),
  plan_id: code().optional().openapi({ example: 'pro' }),
  ...page(),
})
const listRules = contract({
  method: 'get',
  path: '/v1/rules',
  operationId: 'listRules',
  tag: 'Rules',
  summary: 'The rules',
  scopes: ['read'],
  input: ListInput,
  statuses: { 200: 'A page of rules, newest first.' },
  answer: RuleList,
  errors: { 400: '`unknown_resource`.' },
  example: { answer: { data: [RULE_EXAMPLE], has_more: false, next_cursor: null } },
})

const ById = z.strictObject({ rule_id: uuid() })
const getRule = contract({
  method: 'get',
  path: '/v1/rules/{rule_id}',
  operationId: 'getRule',
  tag: 'Rules',
  summary: 'One rule',
  scopes: ['read'],
  input: ById,
  statuses: { 200: 'The rule.' },
  answer: Rule,
  errors: { 404: 'No such rule.' },
  example: { answer: RULE_EXAMPLE },
})

const PatchInput = ById.extend({
  action: z.enum(ACTIONS).optional().openapi({ description: 'What happens at the limit.' }),
  ...effects(),
  on_error: z.enum(ON_ERROR).optional().openapi({ description: 'What a check answers when no store can.' }),
})
const patchRule = contract({
  method: 'patch',
  path: '/v1/rules/{rule_id}',
  operationId: 'patchRule',
  tag: 'Rules',
  summary: 'Change a rule',
  description: 'What is left out stays as it is.',
  scopes: ['admin'],
  input: PatchInput,
  statuses: { 200: 'The rule.' },
  answer: Rule,
  errors: { 404: 'No such rule.' },
  example: { request: { warn_at_percent: 90 }, answer: { ...RULE_EXAMPLE, warn_at_percent: 90 } },
})

const deleteRule = contract({
  method: 'delete',
  path: '/v1/rules/{rule_id}',
  operationId: 'deleteRule',
  tag: 'Rules',
  summary: 'Delete a rule',
  scopes: ['admin'],
  input: ById,
  statuses: { 200: 'The rule that was.' },
  answer: Rule,
  errors: { 404: 'No such rule.' },
  example: { answer: RULE_EXAMPLE },
})

type One = z.input<typeof Rule>

export function serveRules(api: Api, gateway: Gateway): void {
  const create = gateway.bind<z.output<typeof CreateRequest>, z.input<typeof Created>>('api_rule_create')

  async function handleCreate({ input, ask }: Exchange<z.output<typeof CreateRequest>>) {
    const body = await ask(create, input)
    return { status: body.duplicate ? 200 : 201, body } as const
  }

  api.serve(createRule, handleCreate)
  api.serve(listRules, forward(gateway.bind<z.output<typeof ListInput>, z.input<typeof RuleList>>('api_rule_list')))
  api.serve(getRule, forward(gateway.bind<z.output<typeof ById>, One>('api_rule_get')))
  api.serve(patchRule, forward(gateway.bind<z.output<typeof PatchInput>, One>('api_rule_patch')))
  api.serve(deleteRule, forward(gateway.bind<z.output<typeof ById>, One>('api_rule_delete')))
}
