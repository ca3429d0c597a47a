import { z } from '@hono/zod-openapi'
import { type Api, forward } from '../http/api.ts'
import { contract, pageOf } from '../http/contract.ts'
import { accountId, page, printable, time } from '../http/fields.ts'
import type { Gateway } from '../store/gateway.ts'
import { id, instant } from './shapes.ts'

const ACTIONS = ['create', 'update', 'delete', 'revoke', 'cancel', 'close', 'erase'] as const
const OBJECT_TYPES = [
  'account',
  'plan',
  'plan_version',
  'plan_template',
  'subscription',
  'entitlement',
  'window',
  'rule',
  'lease',
  'key',
  'resource',
  'unit',
  'namespace',
] as const
const MAX_ACTOR = 300
const MAX_OBJECT_ID = 300

const ActionName = z.enum(ACTIONS).openapi('AuditAction')
const ObjectType = z.enum(OBJECT_TYPES).openapi('AuditObjectType')
const ACTOR = '`key:<key_id>`; `token`, or `token:<sub>` of one account; `cron`; `role:<name>` of a database role.'

const image = () => z.record(z.string(), z.unknown()).nullable()

const AuditEntry = z
  .object({
    audit_id: id(),
    at: instant().openapi({ description: 'In real time, whatever the test clock says.' }),
    actor: z.string().openapi({ description: ACTOR }),
    request_id: z.string().nullable().openapi({ description: 'The `X-Request-Id` of the request that did it.' }),
    action: ActionName,
    object_type: ObjectType,
    object_id: z.string(),
    account_id: z.string().nullable().openapi({ description: 'The account that it concerns, if it is one.' }),
    before: image().openapi({ description: 'The object as it was; null when it was created.' }),
    after: image().openapi({ description: 'The object as it became; null when it was deleted.' }),
    erased: z.boolean().openapi({ description: 'True when personal strings were in it and have been erased.' }),
  })
  .openapi('AuditEntry')
const Entries = pageOf(AuditEntry).openapi('AuditEntryList')

const RULE = {
  rule_id: '019a9f3e-5d2c-7c11-9f5e-3b1f6f0f2a14',
  namespace: 'default',
  resource: 'benchmark_runs',
  limit_kind: 'cumulative',
  account_id: 'org_acme',
  plan_id: null,
  action: 'overage',
  warn_at_percent: 80,
  overage_multiplier: 10,
  overage_cap: null,
  grace_percent: null,
  grace_seconds: null,
  on_error: 'deny',
  created_at: '2026-11-01T00:00:00Z',
}
const ENTRY = {
  audit_id: '019a9f3e-5d2c-7c11-9f5e-3b1f6f0f2a17',
  at: '2026-11-21T10:00:00.118Z',
  actor: 'key:019a9f3e-5d2c-7c11-9f5e-3b1f6f0f2a16',
  request_id: 'req_7f3a',
  action: 'update',
  object_type: 'rule',
  object_id: RULE.rule_id,
  account_id: 'org_acme',
  before: RULE,
  after: { ...RULE, warn_at_percent: 90 },
  erased: false,
}

const ListInput = z.strictObject({
  account_id: accountId().optional(),
  object_type: ObjectType.optional().openapi({ description: 'What was changed.' }),
  object_id: printable(MAX_OBJECT_ID).optional().openapi({ example: RULE.rule_id }),
  action: ActionName.optional().openapi({ description: 'What was done with it.' }),
  actor: printable(MAX_ACTOR).optional().openapi({ description: ACTOR, example: 'cron' }),
  from: time().optional().openapi({ description: 'Inclusive, on `at`.' }),
  to: time().optional().openapi({ description: 'Exclusive, on `at`.' }),
  ...page(),
})
const listAudit = contract({
  method: 'get',
  path: '/v1/audit',
  operationId: 'listAudit',
  tag: 'Audit',
  summary: 'Who changed what, newest first',
  description:
    'Every change of plans, subscriptions, entitlements, rules, keys, accounts, look-ups and the namespace itself, of leases ended by force and of windows closed; append-only. Secrets are never in it. A token of one account sees what concerns that account.',
  scopes: ['read'],
  input: ListInput,
  statuses: { 200: 'A page of changes.' },
  answer: Entries,
  example: { answer: { data: [ENTRY], has_more: false, next_cursor: null } },
})

export function serveAudit(api: Api, gateway: Gateway): void {
  api.serve(listAudit, forward(gateway.bind<z.output<typeof ListInput>, z.input<typeof Entries>>('api_audit_list')))
}
