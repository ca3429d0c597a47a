import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { Refusal } from './refusal.ts'
import type { Service } from './service.ts'

export type SmokeOptions = {
  service: Service
  /** Fail unless a check was answered from Redis. */
  needsRedis: boolean
  /** Told of each step once it is done. */
  done(step: string): void
  /** Told what is shown of the account that it works on, and of the tiers that it saw. */
  tell(text: string): void
}

/** The step that failed, and why. */
export class StepFailed extends Refusal {
  constructor(step: string, reason: string) {
    super(`FAILED  ${step}: ${reason}`)
  }
}

/** Memory answers for a second; after that it is Redis' turn, in whatever isolate. */
const CHECKS = 8
const BETWEEN_CHECKS_MS = 400
const DAY_MS = 86_400_000

const RUNS = 'benchmark_runs'
const HOURS = 'gpu_hours'
const SEATS = 'concurrent_users'

const anything = z.unknown()
const id = z.string().min(1)
const counts = (limit: number, used: number, held: number) =>
  z.object({
    limit: z.literal(limit),
    used: z.literal(used),
    held: z.literal(held),
    remaining: z.literal(limit - used - held),
  })
const allowed = z.object({ allowed: z.literal(true), reason: z.literal('within_limit') })
const denied = z.object({ allowed: z.literal(false), outcome: z.literal('block'), reason: z.literal('limit_exceeded') })

/**
 * Uses a service as a customer would, on an account of its own, from the grant to the clean-up. What cannot be taken
 * back stays: the account, and its ledger, which sums up to nothing. Whatever rules the namespace has, its own precede.
 * @throws StepFailed after cleaning up what it can
 */
export async function smoke({ service, needsRedis, done, tell }: SmokeOptions): Promise<void> {
  const { ask } = service
  const account_id = `smoke-${randomUUID()}`
  const undo: (() => Promise<unknown>)[] = []

  async function step<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
    const result = await work().catch((error: unknown) => {
      throw error instanceof Refusal ? new StepFailed(name, error.message) : error
    })
    done(name)
    return result
  }
  function post<Shape extends z.ZodType>(path: string, body: object, status: number, shape: Shape) {
    return ask({ method: 'POST', path, body: { account_id, ...body } }, status, shape)
  }
  function command<Shape extends z.ZodType>(path: string, status: number, shape: Shape, body: object = {}) {
    return ask({ method: 'POST', path, body }, status, shape)
  }

  async function prepare(resource: string, limit_kind: string, quantity: number): Promise<void> {
    const rule = { resource, limit_kind, action: 'block' }
    const { rule_id } = await post('/v1/rules', rule, 201, z.object({ rule_id: id }))
    undo.push(() => ask({ method: 'DELETE', path: `/v1/rules/${rule_id}` }, 200, anything))
    const window = limit_kind === 'cumulative' ? { window: 'none' } : {}
    const grant = { resource, limit_kind, quantity, ...window }
    const { entitlement_id } = await post('/v1/entitlements', grant, 201, z.object({ entitlement_id: id }))
    undo.push(() => command(`/v1/entitlements/${entitlement_id}/revoke`, 200, anything))
  }

  async function undoAll(): Promise<void> {
    while (undo.length > 0) await undo.pop()?.()
  }

  async function use(): Promise<void> {
    await step('a limit of 3 runs, 2 hours and 1 seat is granted', async () => {
      await prepare(RUNS, 'cumulative', 3)
      await prepare(HOURS, 'cumulative', 2)
      await prepare(SEATS, 'concurrency', 1)
    })

    const asked = { resource: RUNS, max_staleness_ms: 0 }
    const { as_of } = await step('check: allowed, from Postgres', () => {
      const first = z.object({ source: z.literal('postgres'), as_of: z.iso.datetime() })
      return post('/v1/check', asked, 200, first.and(allowed).and(counts(3, 0, 0)))
    })
    const consumption = { idempotency_key: 'first', resource: RUNS, quantity: 2 }
    const { entry } = await step('consume: recorded', () => {
      const recorded = z.object({ entry: z.object({ entry_id: id }), duplicate: z.literal(false) })
      return post('/v1/consume', consumption, 201, recorded.and(allowed).and(counts(3, 2, 0)))
    })
    await step('the same again: counted once', () => {
      const same = z.object({ entry: z.object({ entry_id: z.literal(entry.entry_id) }), duplicate: z.literal(true) })
      return post('/v1/consume', consumption, 200, same)
    })
    await step('consume past the limit: denied', () => {
      const unrecorded = z.object({ entry: z.null() })
      const tooMuch = { ...consumption, idempotency_key: 'second' }
      return post('/v1/consume', tooMuch, 200, unrecorded.and(denied).and(counts(3, 2, 0)))
    })
    tell(`checks were answered from ${(await step('check: from the caches', seeTiers)).join(', ')}`)

    await step('a seat: taken, denied to another, kept, given back', async () => {
      const seat = { resource: SEATS, ttl_seconds: 60 }
      const leased = z.object({ lease: z.object({ lease_id: id, fencing_token: z.number() }) })
      const first = (await post('/v1/leases', { ...seat, holder: 'ada' }, 201, leased)).lease
      const full = z.object({ lease: z.null(), holders: z.tuple([z.object({ holder: z.literal('ada') })]) })
      await post('/v1/leases', { ...seat, holder: 'ben' }, 200, denied.and(full))
      await command(`/v1/leases/${first.lease_id}/heartbeat`, 200, leased, { ttl_seconds: 60 })
      await ask({ method: 'DELETE', path: `/v1/leases/${first.lease_id}` }, 200, anything)
      const next = (await post('/v1/leases', { ...seat, holder: 'ben' }, 201, leased)).lease
      if (next.fencing_token <= first.fencing_token) throw new Refusal('the fencing token did not grow')
      await ask({ method: 'DELETE', path: `/v1/leases/${next.lease_id}` }, 200, anything)
    })

    await step('a reservation: held, committed for less, another released', async () => {
      const hold = { resource: HOURS, ttl_seconds: 60, quantity: 1.5 }
      const held = z.object({ reservation: z.object({ reservation_id: id, status: z.literal('held') }) })
      const { reservation } = await post('/v1/reservations', { ...hold, idempotency_key: 'hold' }, 201, held)
      await post('/v1/check', { ...asked, resource: HOURS, quantity: 0.5 }, 200, allowed.and(counts(2, 0, 1.5)))
      const committed = z.object({ entry: z.object({ entry_id: id }), state: counts(2, 1.25, 0) })
      const path = `/v1/reservations/${reservation.reservation_id}/commit`
      const { entry: spent } = await command(path, 200, committed, { quantity: 1.25 })
      undo.push(() => command(`/v1/ledger/${spent.entry_id}/reverse`, 201, anything, { idempotency_key: 'undo' }))
      const rest = { ...hold, quantity: 0.75, idempotency_key: 'hold-2' }
      const { reservation: other } = await post('/v1/reservations', rest, 201, held)
      await command(`/v1/reservations/${other.reservation_id}/release`, 200, anything)
    })

    await step('usage: what was committed', async () => {
      const [from, to] = [-DAY_MS, DAY_MS].map((ms) => new Date(Date.parse(as_of) + ms).toISOString())
      const query = new URLSearchParams({
        account_id,
        resource: HOURS,
        granularity: 'day',
        from: from ?? '',
        to: to ?? '',
      })
      const series = z.object({ data: z.array(z.object({ quantity: z.number() })) })
      const { data } = await ask({ method: 'GET', path: `/v1/usage?${query}` }, 200, series)
      const total = data.reduce((sum, { quantity }) => sum + quantity, 0)
      if (total !== 1.25) throw new Refusal(`${total} instead of 1.25`)
    })

    await step('a reversal: all is given back', () => {
      const reversed = z.object({ entry: z.object({ reverses: z.literal(entry.entry_id) }), state: counts(3, 0, 0) })
      return command(`/v1/ledger/${entry.entry_id}/reverse`, 201, reversed, { idempotency_key: 'reverse' })
    })
  }

  async function seeTiers(): Promise<string[]> {
    const seen = new Set<string>()
    for (let round = 0; round < CHECKS && !seen.has('redis'); round++) {
      const shape = z.object({ source: z.string(), degraded: z.literal(false) })
      const { source } = await post('/v1/check', { resource: RUNS }, 200, shape.and(counts(3, 2, 0)))
      seen.add(source)
      await sleep(BETWEEN_CHECKS_MS)
    }
    if (needsRedis && !seen.has('redis')) throw new Refusal(`none from redis, only from ${[...seen].join(', ')}`)
    return [...seen]
  }

  await step('healthz: it lives', () => {
    return ask({ method: 'GET', path: '/healthz' }, 200, z.object({ status: z.literal('ok') }))
  })
  await step('readyz: it can serve', () => {
    return ask({ method: 'GET', path: '/readyz' }, 200, z.object({ status: z.literal('ready') }))
  })
  await step('a made-up key: refused', () => {
    return ask({ method: 'GET', path: '/v1/keys', key: 'mec_sk_made_up' }, 401, anything)
  })
  await step("the key: an admin's", () => ask({ method: 'GET', path: '/v1/ledger/heads?limit=1' }, 200, anything))
  tell(`the account is ${account_id}`)
  try {
    await use()
  } catch (error) {
    await undoAll().catch((failure: unknown) => tell(`and not all was cleaned up: ${String(failure)}`))
    throw error
  }
  await step('cleaned up: nothing is entitled any more', async () => {
    await undoAll()
    const gone = z.object({ allowed: z.literal(false), reason: z.literal('revoked') })
    await post('/v1/check', { resource: RUNS, max_staleness_ms: 0 }, 200, gone)
  })
}
