import { expect } from 'vitest'
import { parseQuantity } from '../../functions/core/quantity.ts'
import {
  acquire,
  advanceClock,
  at,
  check,
  consume,
  grant,
  meter,
  numberAt,
  ruleFor,
  setClock,
  textAt,
} from '../support/commands.ts'
import { type Answer, api, type Json, mintAccount, mintNamespace, token } from '../support/sql.ts'
import { Auditor, type Expected, type Kind, type Split } from './auditor.ts'
import { type Command, type GrantFields, NOW } from './history.ts'

const RESOURCE: Record<Kind, string> = { cumulative: 'benchmark_runs', concurrency: 'concurrent_users' }

/** An account that lives twice: in the database and with the auditor. Each command is done to both, and compared. */
export class World {
  readonly namespace: string
  readonly account: string
  readonly auditor = new Auditor()
  readonly keys: string[] = []
  #now = Date.parse(NOW)
  #fencingToken = 0
  #leases: { id: string; holder: string; scope: string | null }[] = []
  #last: { answer: Answer; repeat: () => Promise<Answer> } | undefined

  private constructor(namespace: string) {
    this.namespace = namespace
    this.account = mintAccount()
  }

  static async of(grants: readonly GrantFields[]): Promise<World> {
    const world = new World(await mintNamespace())
    await setClock(world.namespace, NOW)
    for (const fields of grants) await world.#grant(fields)
    return world
  }

  async #grant({ kind, start, end, scope, quantity, window, priority }: GrantFields): Promise<void> {
    const request = {
      scope,
      quantity,
      priority,
      effective_start: start,
      effective_end: end,
      resource: RESOURCE[kind],
      limit_kind: kind,
    }
    const granted = await grant(this.account, kind === 'cumulative' ? { ...request, window } : request, this.namespace)
    this.auditor.grants.push({
      id: textAt(granted, 'entitlement_id'),
      kind,
      scope,
      quantity: quantity === null ? null : parseQuantity(quantity),
      window,
      priority,
      start: Date.parse(start),
      end: end === null ? null : Date.parse(end),
      revokedAt: null,
    })
  }

  async run(command: Command): Promise<void> {
    switch (command.do) {
      case 'consume':
        return this.#consume(command.scope, command.quantity)
      case 'meter':
        return this.#meter(command.scope, command.quantity, command.minutesAgo)
      case 'batch':
        return this.#batch(command.scope, command.quantities)
      case 'again':
        return this.#again()
      case 'acquire':
        return this.#acquire(command)
      case 'release':
        return this.#release(command.nth)
      case 'advance':
        this.#now = Date.parse(textAt(await advanceClock(this.namespace, command.seconds), 'now'))
        return
      case 'rule': {
        const { do: _, kind, ...fields } = command
        await ruleFor(this.account, { ...fields, resource: RESOURCE[kind], limit_kind: kind }, this.namespace)
        this.auditor.rules.push({ kind, ...fields })
        return
      }
      case 'resize':
        return this.#resize(command.nth, command.quantity)
      case 'revoke':
        return this.#revoke(command.nth)
      case 'check':
        return this.#check(command.kind, command.scope, command.quantity)
    }
  }

  #key(): string {
    const key = `key-${this.keys.length}`
    this.keys.push(key)
    return key
  }

  #see(instant: string): number {
    this.#now = Date.parse(instant)
    return this.#now
  }

  async #consume(scope: string | null, quantity: number): Promise<void> {
    const idempotency_key = this.#key()
    const send = () => consume(this.account, { idempotency_key, scope, quantity }, this.namespace)
    const answer = await send()
    const now = this.#see(textAt(answer, 'as_of'))
    const expected = this.auditor.decide('cumulative', scope, parseQuantity(quantity), now)
    if (expected.allowed) {
      expectSplit(at(answer, 'entry'), this.auditor.record(idempotency_key, scope, parseQuantity(quantity), now, now))
      const { used, remaining } = this.auditor.decide('cumulative', scope, 0n, now)
      expectDecision(answer, { ...expected, used, remaining })
      this.#last = { answer, repeat: send }
    } else {
      expectDecision(answer, expected)
      expect(answer['entry']).toBeNull()
    }
  }

  async #meter(scope: string | null, quantity: number, minutesAgo: number | null): Promise<void> {
    const idempotency_key = this.#key()
    const occurred_at = minutesAgo === null ? null : new Date(this.#now - minutesAgo * 60_000).toISOString()
    const send = () => meter(this.account, { idempotency_key, scope, quantity, occurred_at }, this.namespace)
    const answer = await send()
    const now = this.#see(textAt(answer, 'entry.recorded_at'))
    const occurred = occurred_at === null ? now : Date.parse(occurred_at)
    expectSplit(
      at(answer, 'entry'),
      this.auditor.record(idempotency_key, scope, parseQuantity(quantity), occurred, now),
    )
    this.#last = { answer, repeat: send }
  }

  async #batch(scope: string | null, quantities: readonly number[]): Promise<void> {
    const entries = quantities.map((quantity, index) => ({
      index,
      idempotency_key: this.#key(),
      account_id: this.account,
      resource: RESOURCE.cumulative,
      scope,
      quantity,
    }))
    // The first once more: within a batch, too, a key counts once.
    const again = entries.slice(0, 1).map((entry) => ({ ...entry, index: entries.length }))
    const answer = await api('api_meter_batch', { entries: [...entries, ...again] }, token(this.namespace))
    for (const { index, idempotency_key, quantity } of entries) {
      expect(at(answer, `results.${index}.status`)).toBe('recorded')
      const now = this.#see(textAt(answer, `results.${index}.entry.recorded_at`))
      expectSplit(
        at(answer, `results.${index}.entry`),
        this.auditor.record(idempotency_key, scope, parseQuantity(quantity), now, now),
      )
    }
    expect(at(answer, `results.${entries.length}.status`)).toBe('duplicate')
  }

  async #again(): Promise<void> {
    if (!this.#last) return
    expect(await this.#last.repeat()).toEqual({ ...this.#last.answer, duplicate: true })
  }

  async #acquire({ scope, holder, units, ttl_seconds }: Command & { do: 'acquire' }): Promise<void> {
    const answer = await acquire(this.account, holder, { scope, units, ttl_seconds }, this.namespace)
    const now = this.#see(textAt(answer, 'as_of'))
    const own = this.auditor.lease(holder, scope, now)
    const more = parseQuantity(units) - (own?.units ?? 0n)
    const expected = this.auditor.decide('concurrency', scope, more > 0n ? more : 0n, now)
    if (!expected.allowed) {
      expectDecision(answer, expected)
      expect(answer['lease']).toBeNull()
      return
    }
    const expiresAt = now + ttl_seconds * 1000
    if (own) {
      own.units = parseQuantity(units)
      own.expiresAt = expiresAt
    } else {
      this.auditor.leases.push({ holder, scope, units: parseQuantity(units), expiresAt })
      this.#leases.push({ id: textAt(answer, 'lease.lease_id'), holder, scope })
      expect(numberAt(answer, 'lease.fencing_token')).toBeGreaterThan(this.#fencingToken)
      this.#fencingToken = numberAt(answer, 'lease.fencing_token')
    }
    expect(answer['renewed']).toBe(own !== undefined)
    const { used, remaining } = this.auditor.decide('concurrency', scope, 0n, now)
    expectDecision(answer, { ...expected, used, remaining })
  }

  async #release(nth: number): Promise<void> {
    const lease = this.#leases[nth % Math.max(this.#leases.length, 1)]
    if (!lease) return
    const released = await api('api_lease_release', { lease_id: lease.id }, token(this.namespace))
    const ended = textAt(released, 'lease.status')
    // The one that it names, if that has not ended by itself and been followed by another.
    this.#leases = this.#leases.filter(({ id }) => id !== lease.id)
    if (ended !== 'released') return
    const held = this.auditor.leases.findIndex(
      ({ holder, scope, expiresAt }) => holder === lease.holder && scope === lease.scope && expiresAt > this.#now,
    )
    this.auditor.leases.splice(held, 1)
  }

  async #resize(nth: number, quantity: number | null): Promise<void> {
    const chosen = this.auditor.grants[nth % this.auditor.grants.length]
    if (!chosen) return
    await api('api_entitlement_patch', { entitlement_id: chosen.id, quantity }, token(this.namespace))
    chosen.quantity = quantity === null ? null : parseQuantity(quantity)
  }

  async #revoke(nth: number): Promise<void> {
    const chosen = this.auditor.grants[nth % this.auditor.grants.length]
    if (!chosen || chosen.revokedAt !== null) return
    await api('api_entitlement_revoke', { entitlement_id: chosen.id }, token(this.namespace))
    const now = await api('api_test_clock_get', {}, token(this.namespace))
    chosen.revokedAt = this.#see(textAt(now, 'now'))
  }

  async #check(kind: Kind, scope: string | null, quantity: number): Promise<void> {
    const purpose = kind === 'cumulative' ? 'consume' : 'lease'
    const decision = await check(this.account, { resource: RESOURCE[kind], scope, quantity, purpose }, this.namespace)
    expectDecision(
      decision,
      this.auditor.decide(kind, scope, parseQuantity(quantity), this.#see(textAt(decision, 'as_of'))),
    )
  }
}

const ABSENT = ['no_entitlement', 'not_started', 'expired', 'revoked']

export function expectDecision(answer: Json, { reason, limit, used, remaining, allowed }: Expected): void {
  const found = textAt(answer, 'reason')
  expect({
    allowed: at(answer, 'allowed'),
    reason: ABSENT.includes(found) ? 'absent' : found,
    limit: millionths(at(answer, 'limit')),
    used: millionths(at(answer, 'used')),
    remaining: millionths(at(answer, 'remaining')),
  }).toEqual({ allowed, reason, limit, used, remaining })
}

function expectSplit(entry: Json, { included, overage, excess, late }: Split): void {
  expect({
    included: millionths(at(entry, 'included_quantity')),
    overage: millionths(at(entry, 'overage_quantity')),
    excess: millionths(at(entry, 'excess_quantity')),
    late: at(entry, 'late'),
  }).toEqual({ included, overage, excess, late })
}

function millionths(value: Json): bigint | null {
  if (value === null) return null
  if (typeof value !== 'number') throw new Error(`no quantity: ${JSON.stringify(value)}`)
  return parseQuantity(value)
}
