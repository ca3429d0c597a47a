import { z } from '@hono/zod-openapi'
import { type Api, type Exchange, forward } from '../http/api.ts'
import { contract } from '../http/contract.ts'
import {
  accountId,
  idempotencyKey,
  integer,
  metadata,
  nonNegativeQuantity,
  positiveQuantity,
  resource,
  scope,
  uuid,
} from '../http/fields.ts'
import type { Gateway } from '../store/gateway.ts'
import {
  amount,
  DECISION_EXAMPLE,
  Duplicate,
  ENTRY_EXAMPLE,
  Entry,
  fromPostgres,
  id,
  instant,
  orNull,
  Provenance,
  SqlDecision,
  State,
} from './shapes.ts'

const MAX_TTL_SECONDS = 86_400

const Reservation = z
  .object({
    reservation_id: id(),
    account_id: z.string(),
    resource: z.string(),
    scope: z.string().nullable(),
    quantity: amount(),
    status: z.enum(['held', 'committed', 'released', 'expired']),
    reserved_at: instant(),
    expires_at: instant().openapi({ description: 'From then on it holds nothing.' }),
    ended_at: instant().nullable().openapi({ description: 'Of a committed one, when its entry occurred.' }),
    committed_quantity: amount().nullable(),
    entry_id: id().nullable().openapi({ description: 'What the commit recorded.' }),
  })
  .openapi('Reservation')

const RESERVATION_EXAMPLE = {
  reservation_id: '019a9f3e-5d2c-7c11-9f5e-3b1f6f0f2a12',
  account_id: 'org_acme',
  resource: 'gpu_hours',
  scope: 'us/h100',
  quantity: 8,
  status: 'held',
  reserved_at: '2026-11-21T10:00:00.120Z',
  expires_at: '2026-11-21T14:00:00.120Z',
  ended_at: null,
  committed_quantity: null,
  entry_id: null,
}
const COMMITTED_EXAMPLE = {
  ...RESERVATION_EXAMPLE,
  status: 'committed',
  ended_at: '2026-11-21T12:30:00.250Z',
  committed_quantity: 5.25,
  entry_id: ENTRY_EXAMPLE.entry_id,
}

const OneReservation = z.object({ reservation: Reservation }).openapi('ReservationAnswer')
const ById = z.strictObject({ reservation_id: uuid() })

const ReserveRequest = z
  .strictObject({
    idempotency_key: idempotencyKey().optional(),
    account_id: accountId(),
    resource: resource().openapi({ example: 'gpu_hours' }),
    scope: scope(),
    quantity: positiveQuantity().openapi({ example: 8 }),
    ttl_seconds: integer(1, MAX_TTL_SECONDS).openapi({
      description: 'Seconds until the hold ends by itself.',
      example: 14_400,
    }),
  })
  .openapi('ReservationRequest')

const SqlReserved = SqlDecision.extend({ reservation: orNull(Reservation), duplicate: Duplicate })
const Reserved = SqlReserved.extend(Provenance.shape).openapi('ReservationDecision')

const counts = { limit: 100, used: 41, held: 8, remaining: 51 }
const reserve = contract({
  method: 'post',
  path: '/v1/reservations',
  operationId: 'createReservation',
  tag: 'Reservations',
  summary: 'Hold quantity for work whose size is known at its end',
  description:
    'Decided as a consume is; what is held counts as spent. A duplicate answers as the first did: for what has become of it since, get it.',
  scopes: ['meter'],
  idempotency: 'required',
  input: ReserveRequest,
  statuses: { 201: 'Held.', 200: 'Denied, with nothing held; or a duplicate, with the first result.' },
  answer: Reserved,
  errors: { 400: '`unknown_resource`.', 409: '`idempotency_conflict`.' },
  example: {
    request: {
      idempotency_key: 'job_77',
      account_id: 'org_acme',
      resource: 'gpu_hours',
      scope: 'us/h100',
      quantity: 8,
      ttl_seconds: 14_400,
    },
    answer: {
      ...DECISION_EXAMPLE,
      outcome: 'allow',
      reason: 'within_limit',
      resource: 'gpu_hours',
      scope: 'us/h100',
      quantity: 8,
      ...counts,
      limits: [{ ...DECISION_EXAMPLE.limits[0], ...counts, outcome: 'allow', reason: 'within_limit' }],
      reservation: RESERVATION_EXAMPLE,
      duplicate: false,
    },
  },
})

const CommitInput = ById.extend({
  quantity: nonNegativeQuantity()
    .nullish()
    .openapi({ description: 'What was used, also more than was held; all that was held unless told.', example: 5.25 }),
  metadata: metadata().optional(),
})
const Committed = z
  .object({
    reservation: Reservation,
    entry: orNull(Entry).openapi({ description: 'What was recorded; null of the quantity 0.' }),
    state: State,
    duplicate: z.boolean().openapi({ description: 'True when it had been committed before, with this quantity.' }),
  })
  .openapi('Committed')

const commit = contract({
  method: 'post',
  path: '/v1/reservations/{reservation_id}/commit',
  operationId: 'commitReservation',
  tag: 'Reservations',
  summary: 'Record what the work used, and end the hold',
  description:
    'Draws on the windows that it held, also when they have ended since: the entry then occurs at the last instant of such a window. More than was held is recorded too, as metering would; 0 frees the hold and records nothing.',
  scopes: ['meter'],
  input: CommitInput,
  statuses: { 200: 'Recorded. Again with the same quantity: the same, with `duplicate`.' },
  answer: Committed,
  errors: {
    404: 'No such reservation.',
    409: '`already_committed`: with another quantity.',
    410: '`reservation_released`, `reservation_expired`.',
  },
  example: {
    request: { quantity: 5.25, metadata: { job: '77' } },
    answer: {
      reservation: COMMITTED_EXAMPLE,
      entry: {
        ...ENTRY_EXAMPLE,
        idempotency_key: 'job_77',
        resource: 'gpu_hours',
        scope: 'us/h100',
        quantity: 5.25,
        unit: 'hours',
        original_quantity: 5.25,
        original_unit: 'hours',
        included_quantity: 5.25,
        metadata: { job: '77' },
      },
      state: { limit: 100, used: 46.25, held: 0, remaining: 53.75 },
      duplicate: false,
    },
  },
})

const release = contract({
  method: 'post',
  path: '/v1/reservations/{reservation_id}/release',
  operationId: 'releaseReservation',
  tag: 'Reservations',
  summary: 'Free the hold',
  scopes: ['meter'],
  input: ById,
  statuses: { 200: 'The reservation, ended. Again, or after its expiry: as it ended.' },
  answer: OneReservation,
  errors: { 404: 'No such reservation.', 409: '`already_committed`.' },
  example: {
    request: {},
    answer: { reservation: { ...RESERVATION_EXAMPLE, status: 'released', ended_at: '2026-11-21T11:00:00Z' } },
  },
})

const getReservation = contract({
  method: 'get',
  path: '/v1/reservations/{reservation_id}',
  operationId: 'getReservation',
  tag: 'Reservations',
  summary: 'One reservation',
  scopes: ['read', 'meter'],
  input: ById,
  statuses: { 200: 'The reservation.' },
  answer: OneReservation,
  errors: { 404: 'No such reservation.' },
  example: { answer: { reservation: COMMITTED_EXAMPLE } },
})

type One = z.input<typeof OneReservation>
type Id = z.output<typeof ById>

export function serveReservations(api: Api, gateway: Gateway): void {
  const reserveInSql = gateway.bind<z.output<typeof ReserveRequest>, z.input<typeof SqlReserved>>(
    'api_reservation_create',
  )

  async function handleReserve({ input, ask }: Exchange<z.output<typeof ReserveRequest>>) {
    const answer = await ask(reserveInSql, input)
    const isNew = answer.allowed && !answer.duplicate
    return { status: isNew ? 201 : 200, body: fromPostgres(answer) } as const
  }

  api.serve(reserve, handleReserve)
  api.serve(
    commit,
    forward(gateway.bind<z.output<typeof CommitInput>, z.input<typeof Committed>>('api_reservation_commit')),
  )
  api.serve(release, forward(gateway.bind<Id, One>('api_reservation_release')))
  api.serve(getReservation, forward(gateway.bind<Id, One>('api_reservation_get')))
}
