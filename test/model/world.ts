import { expect } from 'vitest'
import { parseQuantity } from '../../functions/core/quantity.ts'
import {
  acquire,
  advanceClock,
  assign,
  at,
  check,
  consume,
  endHold,
  grant,
  listAt,
  meter,
  numberAt,
  reserve,
  reverse,
  ruleFor,
  setClock,
  textAt,
  unassign,
} from '../support/commands.ts'
import { type Answer, api, errorOf, type Json, mintAccount, mintNamespace, token } from '../support/sql.ts'
import { Auditor, type Expected, type Hold, type Kind, type Rollover, type Split } from './auditor.ts'
import {
  type Command,
  type GrantFields,
  type History,
  NOW,
  type RolloverFields,
  type TemplateFields,
} from './history.ts'
import {
  cancel,
  change,
  hasEnded,
  periodEnd,
  type Subscription,
  settle,
  type Template,
  type When,
} from './subscriptions.ts'

const RESOURCE: Record<Kind, string> = {
  cumulative: 'benchmark_runs',
  inventory: 'named_users',
  concurrency: 'concurrent_users',
}

/** An account that lives twice: in the database and with the auditor. Each command is done to both, and compared. */
export class World {
  readonly namespace: string
  readonly account: string
  readonly auditor = new Auditor()
  readonly keys: string[] = []
  #now = Date.parse(NOW)
  #fencingToken = 0
  #leases: { id: string; holder: string; scope: string | null }[] = []
  #entries: { id: string; key: string }[] = []
  #holds: { answer: Answer; hold: Hold }[] = []
  #plans: readonly (readonly TemplateFields[])[] = []
  #subscriptions: Subscription[] = []
  #last: { answer: Answer; repeat: () => Promise<Answer> } | undefined

  private constructor(namespace: string) {
    this.namespace = namespace
    this.account = mintAccount()
  }

  static async of({ plans, grants }: History): Promise<World> {
    const world = new World(await mintNamespace())
    await setClock(world.namespace, NOW)
    world.#plans = plans
    for (const [index, templates] of plans.entries()) {
      const entitlements = templates.map((fields) => ({
        ...fields,
        resource: RESOURCE.cumulative,
        limit_kind: 'cumulative',
      }))
      await api('api_plan_put', { plan_id: `plan-${index}`, name: 'Plan', entitlements }, token(world.namespace))
    }
    for (const fields of grants) await world.#grant(fields)
    await world.#subscribe(0)
    return world
  }

  async #grant({ kind, start, end, scope, quantity, window, priority, ...rollover }: GrantFields): Promise<void> {
    const request = {
      scope,
      quantity,
      priority,
      effective_start: start,
      effective_end: end,
      resource: RESOURCE[kind],
      limit_kind: kind,
      ...rollover,
    }
    const granted = await grant(this.account, kind === 'cumulative' ? { ...request, window } : request, this.namespace)
    const id = textAt(granted, 'entitlement_id')
    this.auditor.grants.push({
      id,
      kind,
      scope,
      quantity: quantity === null ? null : parseQuantity(quantity),
      window,
      priority,
      start: Date.parse(start),
      end: end === null ? null : Date.parse(end),
      revokedAt: null,
      bucket: id,
      anchor: Date.parse(start),
      rollover: rolloverOf(rollover),
      before: [],
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
      case 'reverse':
        return this.#reverse(command.nth, command.quantity)
      case 'subscribe':
        return this.#subscribe(command.plan)
      case 'change':
        return this.#change(command.nth, command.plan, command.when)
      case 'cancel':
        return this.#cancel(command.nth, command.when)
      case 'close':
        // Of what time has closed already it only says so: no answer changes.
        await api('api_maintenance', { job: 'close_windows' }, token(this.namespace))
        return
      case 'acquire':
        return this.#acquire(command)
      case 'release':
        return this.#release(command.nth)
      case 'reserve':
        return this.#reserve(command)
      case 'commit':
        return this.#commit(command.nth, command.quantity)
      case 'unhold':
        return this.#unhold(command.nth)
      case 'assign':
        return this.#assign(command.scope, command.item)
      case 'unassign':
        return this.#unassign(command.item)
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
      case 'maintain':
        return this.#maintain()
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
      this.#record(idempotency_key, at(answer, 'entry'))
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
    this.#record(idempotency_key, at(answer, 'entry'))
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
      this.#record(idempotency_key, at(answer, `results.${index}.entry`))
    }
    expect(at(answer, `results.${entries.length}.status`)).toBe('duplicate')
  }

  /** Remembers what was recorded, so that it can be taken back. */
  #record(key: string, entry: Json): void {
    this.#entries.push({ id: textAt(entry, 'entry_id'), key })
  }

  async #reverse(nth: number, quantity: number | null): Promise<void> {
    const entry = this.#entries[nth % Math.max(this.#entries.length, 1)]
    if (!entry) return
    const idempotency_key = this.#key()
    const send = () =>
      reverse(entry.id, quantity === null ? { idempotency_key } : { idempotency_key, quantity }, this.namespace)
    const left = this.auditor.left(entry.key)
    const asked = quantity === null ? left : parseQuantity(quantity)
    if (asked > left || left === 0n) {
      expect(await errorOf(send())).toMatchObject({ status: 409, code: 'over_reversal' })
      return
    }
    const answer = await send()
    const now = this.#see(textAt(answer, 'entry.recorded_at'))
    const { scope, ...split } = this.auditor.reverse(idempotency_key, entry.key, asked, now)
    expectSplit(at(answer, 'entry'), split)
    const { limit, used, remaining } = this.auditor.decide('cumulative', scope, 0n, now)
    expect({
      limit: millionths(at(answer, 'state.limit')),
      used: millionths(at(answer, 'state.used')),
      remaining: millionths(at(answer, 'state.remaining')),
    }).toEqual({ limit, used, remaining })
    this.#last = { answer, repeat: send }
  }

  async #subscribe(plan: number): Promise<void> {
    const request = { ...this.#ofAccount(), idempotency_key: this.#key(), plan_id: `plan-${plan}` }
    const answer = await api('api_subscription_create', request, token(this.namespace))
    const start = this.#see(textAt(answer, 'subscription.start_at'))
    const subscription: Subscription = {
      id: textAt(answer, 'subscription.subscription_id'),
      start,
      plan: request.plan_id,
      end: null,
      isCanceled: false,
      pending: null,
      cut: new Map(),
      grants: [],
    }
    this.#subscriptions.push(subscription)
    change(this.auditor, subscription, request.plan_id, this.#templates(plan), identifyIn(answer, start), start, start)
  }

  async #change(nth: number, plan: number, when: When): Promise<void> {
    const subscription = this.#subscriptions[nth % Math.max(this.#subscriptions.length, 1)]
    if (!subscription) return
    const plan_id = `plan-${plan}`
    const request = { ...this.#ofAccount(), subscription_id: subscription.id, plan_id, when }
    const send = () => api('api_subscription_change', request, token(this.namespace))
    const before = await this.#readClock()
    settle(subscription, before)
    if (hasEnded(subscription, before)) {
      expect(await errorOf(send())).toMatchObject({ status: 409, code: 'subscription_ended' })
      return
    }
    const answer = await send()
    const changed = pendingAt(answer) ?? newestStart(answer)
    const now = when === 'now' ? this.#see(new Date(changed).toISOString()) : before
    expect(changed).toBe(when === 'now' ? now : periodEnd(subscription, now))
    change(this.auditor, subscription, plan_id, this.#templates(plan), identifyIn(answer, changed), changed, now)
    this.#expectSubscription(answer, subscription)
  }

  async #cancel(nth: number, when: When): Promise<void> {
    const subscription = this.#subscriptions[nth % Math.max(this.#subscriptions.length, 1)]
    if (!subscription) return
    const before = await this.#readClock()
    const request = { ...this.#ofAccount(), subscription_id: subscription.id, when }
    const answer = await api('api_subscription_cancel', request, token(this.namespace))
    const ends = Date.parse(textAt(answer, 'subscription.end_at'))
    settle(subscription, before)
    const ended = hasEnded(subscription, before)
    cancel(subscription, when === 'now' ? ends : periodEnd(subscription, before), before)
    if (when === 'now' && !ended) expect(ends - before).toBeLessThan(60_000)
    this.#expectSubscription(answer, subscription)
  }

  #ofAccount() {
    return { account_id: this.account }
  }

  #templates(plan: number): Template[] {
    return (this.#plans[plan] ?? []).map(({ scope, quantity, window, priority, ...rollover }) => ({
      scope,
      quantity: quantity === null ? null : parseQuantity(quantity),
      window,
      priority,
      rollover: rolloverOf(rollover),
    }))
  }

  #expectSubscription(answer: Answer, { plan, end, pending, isCanceled }: Subscription): void {
    expect({
      plan: at(answer, 'subscription.plan_id'),
      end: instantOf(at(answer, 'subscription.end_at')),
      isCanceled: at(answer, 'subscription.canceled_at') !== null,
      pending: pendingAt(answer),
    }).toEqual({ plan, end, isCanceled, pending: pending?.at ?? null })
  }

  async #readClock(): Promise<number> {
    const clock = await api('api_test_clock_get', {}, token(this.namespace))
    return this.#see(textAt(clock, 'now'))
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

  async #reserve({ kind, scope, quantity, ttl_seconds }: Command & { do: 'reserve' }): Promise<void> {
    const idempotency_key = this.#key()
    const fields = { idempotency_key, resource: RESOURCE[kind], scope, quantity, ttl_seconds }
    const send = () => reserve(this.account, fields, this.namespace)
    const answer = await send()
    const now = this.#see(textAt(answer, 'as_of'))
    const expected = this.auditor.decide(kind, scope, parseQuantity(quantity), now)
    if (!expected.allowed) {
      expectDecision(answer, expected)
      expect(answer['reservation']).toBeNull()
      return
    }
    const expiresAt = now + ttl_seconds * 1000
    const hold = this.auditor.hold(idempotency_key, kind, scope, parseQuantity(quantity), expiresAt, now)
    const { used, held, remaining } = this.auditor.decide(kind, scope, 0n, now)
    expectDecision(answer, { ...expected, used, held, remaining })
    expect(Date.parse(textAt(answer, 'reservation.expires_at'))).toBe(expiresAt)
    this.#holds.push({ answer, hold })
    this.#last = { answer, repeat: send }
  }

  /** The chosen hold, or how it ended if it holds nothing any more. */
  #chooseHold(nth: number): { answer: Answer; hold: Hold; isLive: boolean } | undefined {
    const chosen = this.#holds[nth % Math.max(this.#holds.length, 1)]
    return chosen && { ...chosen, isLive: !chosen.hold.ended && chosen.hold.expiresAt > this.#now }
  }

  async #commit(nth: number, quantity: number | null): Promise<void> {
    const chosen = this.#chooseHold(nth)
    if (!chosen) return
    const send = () => endHold('commit', chosen.answer, { quantity }, this.namespace)
    if (!chosen.isLive) {
      if (!chosen.hold.ended) expect(await errorOf(send())).toMatchObject({ status: 410, code: 'reservation_expired' })
      return
    }
    const answer = await send()
    const { hold } = chosen
    const now =
      quantity === 0
        ? this.#see(textAt(answer, 'reservation.ended_at'))
        : this.#see(textAt(answer, 'entry.recorded_at'))
    const used = quantity === null ? hold.quantity : parseQuantity(quantity)
    const { at: occurredAt, ...split } = this.auditor.commit(hold, used, now)
    if (used > 0n) {
      expectSplit(at(answer, 'entry'), split)
      expect(Date.parse(textAt(answer, 'entry.occurred_at'))).toBe(occurredAt)
      if (hold.kind === 'cumulative') this.#record(hold.key, at(answer, 'entry'))
    } else expect(answer['entry']).toBeNull()
    const { limit, held, remaining, used: usedAfter } = this.auditor.decide(hold.kind, hold.scope, 0n, now, occurredAt)
    expect({
      limit: millionths(at(answer, 'state.limit')),
      used: millionths(at(answer, 'state.used')),
      held: millionths(at(answer, 'state.held')),
      remaining: millionths(at(answer, 'state.remaining')),
    }).toEqual({ limit, used: usedAfter, held, remaining })
    this.#last = { answer, repeat: send }
  }

  async #unhold(nth: number): Promise<void> {
    const chosen = this.#chooseHold(nth)
    if (!chosen || chosen.hold.ended) return
    const released = await endHold('release', chosen.answer, {}, this.namespace)
    expect(at(released, 'reservation.status')).toBe(chosen.isLive ? 'released' : 'expired')
    chosen.hold.ended = true
    // An end that its commit was not: it is not chosen again.
    this.#holds = this.#holds.filter(({ hold }) => hold !== chosen.hold)
  }

  async #assign(scope: string | null, item: string): Promise<void> {
    const owned = this.auditor.items.find(({ name }) => name === item)
    if (owned && owned.scope !== scope) {
      const refused = await errorOf(assign(this.account, item, { scope }, this.namespace))
      expect(refused).toMatchObject({ status: 409, code: 'idempotency_conflict' })
      return
    }
    const answer = await assign(this.account, item, { scope }, this.namespace)
    expect(answer['duplicate']).toBe(owned !== undefined)
    if (owned) return
    const now = this.#see(textAt(answer, 'as_of'))
    const expected = this.auditor.decide('inventory', scope, 1_000_000n, now)
    if (!expected.allowed) return expectDecision(answer, expected)
    this.auditor.items.push({ name: item, scope, quantity: 1_000_000n })
    const { used, remaining } = this.auditor.decide('inventory', scope, 0n, now)
    expectDecision(answer, { ...expected, used, remaining })
  }

  async #unassign(item: string): Promise<void> {
    const owned = this.auditor.items.findIndex(({ name }) => name === item)
    if (owned === -1) {
      expect(await errorOf(unassign(this.account, item, {}, this.namespace))).toMatchObject({ status: 404 })
      return
    }
    const answer = await unassign(this.account, item, {}, this.namespace)
    const [{ scope } = { scope: null }] = this.auditor.items.splice(owned, 1)
    const now = this.#see(textAt(answer, 'entry.recorded_at'))
    const { limit, used, held, remaining } = this.auditor.decide('inventory', scope, 0n, now)
    expect({
      limit: millionths(at(answer, 'state.limit')),
      used: millionths(at(answer, 'state.used')),
      held: millionths(at(answer, 'state.held')),
      remaining: millionths(at(answer, 'state.remaining')),
    }).toEqual({ limit, used, held, remaining })
  }

  async #resize(nth: number, quantity: number | null): Promise<void> {
    const chosen = this.auditor.grants[nth % this.auditor.grants.length]
    if (!chosen) return
    await api('api_entitlement_patch', { entitlement_id: chosen.id, quantity }, token(this.namespace))
    chosen.before.push({ until: await this.#readClock(), quantity: chosen.quantity })
    chosen.quantity = quantity === null ? null : parseQuantity(quantity)
  }

  /** All that cron does. The auditor knows nothing of it: it changes no answer, and finds nothing that is not so. */
  async #maintain(): Promise<void> {
    const report = await api('api_maintenance', { job: 'all' }, token(this.namespace))
    const [compared] = listAt(report, 'results').filter((result) => at(result, 'job') === 'reconcile')
    expect(compared).toMatchObject({ more: false, differences: [] })
  }

  async #revoke(nth: number): Promise<void> {
    const chosen = this.auditor.grants[nth % this.auditor.grants.length]
    if (!chosen || chosen.revokedAt !== null) return
    await api('api_entitlement_revoke', { entitlement_id: chosen.id }, token(this.namespace))
    const now = await api('api_test_clock_get', {}, token(this.namespace))
    chosen.revokedAt = this.#see(textAt(now, 'now'))
  }

  async #check(kind: Kind, scope: string | null, quantity: number): Promise<void> {
    const purpose = ({ cumulative: 'consume', inventory: 'assign', concurrency: 'lease' } as const)[kind]
    const decision = await check(this.account, { resource: RESOURCE[kind], scope, quantity, purpose }, this.namespace)
    expectDecision(
      decision,
      this.auditor.decide(kind, scope, parseQuantity(quantity), this.#see(textAt(decision, 'as_of'))),
    )
  }
}

function rolloverOf({ rollover_percent: percent, rollover_max_quantity: max }: RolloverFields): Rollover | null {
  if (percent === null && max === null) return null
  return { percent: parseQuantity(percent ?? 100), max: max === null ? null : parseQuantity(max) }
}

/** The ids of what begins at an instant, as an answer has them. */
function identifyIn(answer: Answer, start: number): (template: Template) => string {
  const begun = listAt(answer, 'entitlements').filter((row) => instantOf(at(row, 'effective_start')) === start)
  return ({ scope, window, priority }) => {
    const found = begun.find(
      (row) => at(row, 'scope') === scope && at(row, 'window') === window && at(row, 'priority') === priority,
    )
    return textAt(found ?? null, 'entitlement_id')
  }
}

/** When a pending change of a subscription counts. */
function pendingAt(answer: Answer): number | null {
  const pending = at(answer, 'subscription.pending_change')
  return pending === null ? null : instantOf(at(pending, 'at'))
}

function newestStart(answer: Answer): number {
  return Math.max(...listAt(answer, 'entitlements').map((row) => instantOf(at(row, 'effective_start')) ?? 0))
}

function instantOf(value: Json): number | null {
  return typeof value === 'string' ? Date.parse(value) : null
}

const ABSENT = ['no_entitlement', 'not_started', 'expired', 'revoked']

export function expectDecision(answer: Json, { reason, limit, used, held, remaining, allowed }: Expected): void {
  const found = textAt(answer, 'reason')
  expect({
    allowed: at(answer, 'allowed'),
    reason: ABSENT.includes(found) ? 'absent' : found,
    limit: millionths(at(answer, 'limit')),
    used: millionths(at(answer, 'used')),
    held: millionths(at(answer, 'held')),
    remaining: millionths(at(answer, 'remaining')),
  }).toEqual({ allowed, reason, limit, used, held, remaining })
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
