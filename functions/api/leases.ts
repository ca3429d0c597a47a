import { z } from '@hono/zod-openapi'
import { denyLease } from '../decisions/deny-lease.ts'
import type { Tiers } from '../decisions/question.ts'
import { type Api, type Exchange, forward } from '../http/api.ts'
import { contract, pageOf } from '../http/contract.ts'
import {
  accountId,
  integer,
  metadata,
  page,
  printable,
  prose,
  resource,
  scope,
  ttlSeconds,
  uuid,
} from '../http/fields.ts'
import type { Gateway } from '../store/gateway.ts'
import { DECISION_EXAMPLE, fromPostgres, id, instant, Metadata, orNull, Provenance, SqlDecision } from './shapes.ts'

const MAX_UNITS = 1_000_000
const LeaseStatus = z.enum(['active', 'released', 'expired', 'revoked']).openapi('LeaseStatus')

const Lease = z
  .object({
    lease_id: id(),
    account_id: z.string(),
    resource: z.string(),
    scope: z.string().nullable(),
    holder: z.string(),
    units: z.number(),
    status: LeaseStatus,
    fencing_token: z.int().openapi({ description: 'Grows with every grant of that resource of that account.' }),
    acquired_at: instant(),
    heartbeat_at: instant(),
    expires_at: instant(),
    released_at: instant().nullable(),
    metadata: Metadata,
  })
  .openapi('Lease')

const LEASE_EXAMPLE = {
  lease_id: '019a9f3e-5d2c-7c11-9f5e-3b1f6f0f2a11',
  account_id: 'org_acme',
  resource: 'concurrent_users',
  scope: null,
  holder: 'session_token_xyz',
  units: 1,
  status: 'active',
  fencing_token: 17,
  acquired_at: '2026-11-21T10:00:00Z',
  heartbeat_at: '2026-11-21T10:00:00Z',
  expires_at: '2026-11-21T18:00:00Z',
  released_at: null,
  metadata: {},
}

const OneLease = z.object({ lease: Lease }).openapi('LeaseAnswer')
const LeaseList = pageOf(Lease).openapi('LeaseList')
const ById = z.strictObject({ lease_id: uuid() })
const ONE_EXAMPLE = { lease: LEASE_EXAMPLE }

const AcquireRequest = z
  .strictObject({
    account_id: accountId(),
    resource: resource().openapi({ example: 'concurrent_users' }),
    scope: scope(),
    holder: printable().openapi({
      description: 'Who takes the seat: asking again renews.',
      example: 'session_token_xyz',
    }),
    ttl_seconds: ttlSeconds().optional().openapi({ default: 28_800 }),
    units: integer(1, MAX_UNITS).optional().openapi({ default: 1, description: 'How many seats.' }),
    metadata: metadata().optional(),
  })
  .openapi('LeaseRequest')

const SqlAcquired = SqlDecision.extend({
  lease: orNull(Lease),
  renewed: z.boolean(),
  holders: z.array(Lease).readonly().optional().openapi({ description: 'The active leases, at most 20, when denied.' }),
})
const Acquired = SqlAcquired.extend(Provenance.shape).openapi('LeaseDecision')

const acquireLease = contract({
  method: 'post',
  path: '/v1/leases',
  operationId: 'acquireLease',
  tag: 'Leases',
  summary: 'Take a floating seat',
  description:
    'The same holder (of the same account, resource and scope) asking again gets its own lease back, renewed, and takes no second seat. With other units it asks for the difference only: more of them as far as there are seats, else it is denied and keeps what it has; fewer give seats back. Metadata that is left out stays. A full pool may be denied from state of less than 2 s ago.',
  scopes: ['lease'],
  input: AcquireRequest,
  statuses: { 201: 'Granted.', 200: 'Renewed, or denied.' },
  answer: Acquired,
  errors: { 400: '`unknown_resource`.' },
  example: {
    request: { account_id: 'org_acme', resource: 'concurrent_users', holder: 'session_token_xyz', ttl_seconds: 28_800 },
    answer: { ...DECISION_EXAMPLE, resource: 'concurrent_users', lease: LEASE_EXAMPLE, renewed: false },
  },
})

const HeartbeatInput = ById.extend({
  ttl_seconds: ttlSeconds()
    .optional()
    .openapi({ description: 'Seconds from now until it ends by itself; as many as before when left out.' }),
})
const heartbeatLease = contract({
  method: 'post',
  path: '/v1/leases/{lease_id}/heartbeat',
  operationId: 'heartbeatLease',
  tag: 'Leases',
  summary: 'Keep a lease alive',
  description: 'Never checks capacity again.',
  scopes: ['lease'],
  input: HeartbeatInput,
  statuses: { 200: 'The lease, extended.' },
  answer: OneLease,
  errors: { 404: 'No such lease.', 410: '`lease_expired`, `lease_released`, `lease_revoked`; with the `lease`.' },
  example: { request: { ttl_seconds: 28_800 }, answer: ONE_EXAMPLE },
})

const releaseLease = contract({
  method: 'delete',
  path: '/v1/leases/{lease_id}',
  operationId: 'releaseLease',
  tag: 'Leases',
  summary: 'Give a seat back',
  scopes: ['lease'],
  input: ById,
  statuses: { 200: 'The lease, ended. Again: the same.' },
  answer: OneLease,
  errors: { 404: 'No such lease.' },
  example: { answer: { lease: { ...LEASE_EXAMPLE, status: 'released', released_at: '2026-11-21T11:00:00Z' } } },
})

const RevokeInput = ById.extend({ reason: prose(1000).nullish() })
const revokeLease = contract({
  method: 'post',
  path: '/v1/leases/{lease_id}/revoke',
  operationId: 'revokeLease',
  tag: 'Leases',
  summary: 'Take a seat away',
  description: 'The reason is kept with the lease, for the record.',
  scopes: ['admin'],
  input: RevokeInput,
  statuses: { 200: 'The lease, ended.' },
  answer: OneLease,
  errors: { 404: 'No such lease.' },
  example: { request: { reason: 'Seat needed elsewhere' }, answer: { lease: { ...LEASE_EXAMPLE, status: 'revoked' } } },
})

const getLease = contract({
  method: 'get',
  path: '/v1/leases/{lease_id}',
  operationId: 'getLease',
  tag: 'Leases',
  summary: 'One lease',
  scopes: ['read', 'lease'],
  input: ById,
  statuses: { 200: 'The lease.' },
  answer: OneLease,
  errors: { 404: 'No such lease.' },
  example: { answer: ONE_EXAMPLE },
})

const ListInput = z.strictObject({
  account_id: accountId().optional(),
  resource: resource().optional(),
  status: LeaseStatus.optional().openapi({ description: 'Of every status when left out.' }),
  ...page(),
})
const listLeases = contract({
  method: 'get',
  path: '/v1/leases',
  operationId: 'listLeases',
  tag: 'Leases',
  summary: 'Who holds what',
  scopes: ['read', 'lease'],
  input: ListInput,
  statuses: { 200: 'A page of leases.' },
  answer: LeaseList,
  errors: { 400: '`unknown_resource`.' },
  example: { answer: { data: [LEASE_EXAMPLE], has_more: false, next_cursor: null } },
})

type One = z.input<typeof OneLease>
type Id = z.output<typeof ById>

export function serveLeases(api: Api, gateway: Gateway, tiers: Tiers): void {
  const acquire = gateway.bind<z.output<typeof AcquireRequest>, z.input<typeof SqlAcquired>>('api_lease_acquire')

  async function handleAcquire({ input, caller, ask, timed }: Exchange<z.output<typeof AcquireRequest>>) {
    const { account_id, resource, scope = null, holder, units = 1 } = input
    const question = { account_id, resource, scope, holder, units }
    const { credential, namespaceHint: namespace } = caller
    const denial = await denyLease(question, { credential, namespace, timed }, tiers)
    if (denial) {
      const { decision, holders } = denial
      return { status: 200, body: { ...decision, lease: null, renewed: false, holders } } as const
    }
    const answer = await ask(acquire, input)
    const isGranted = answer.lease !== null && !answer.renewed
    return { status: isGranted ? 201 : 200, body: fromPostgres(answer) } as const
  }

  api.serve(acquireLease, handleAcquire)
  api.serve(heartbeatLease, forward(gateway.bind<z.output<typeof HeartbeatInput>, One>('api_lease_heartbeat')))
  api.serve(releaseLease, forward(gateway.bind<Id, One>('api_lease_release')))
  api.serve(revokeLease, forward(gateway.bind<z.output<typeof RevokeInput>, One>('api_lease_revoke')))
  api.serve(getLease, forward(gateway.bind<Id, One>('api_lease_get')))
  api.serve(listLeases, forward(gateway.bind<z.output<typeof ListInput>, z.input<typeof LeaseList>>('api_lease_list')))
}
