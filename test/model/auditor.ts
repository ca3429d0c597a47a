import { parseQuantity } from '../../functions/core/quantity.ts'

/**
 * What MEC must do, in the shortest way to say it: no counters, no windows kept, everything worked out again from the
 * list of uses. Quantities are millionths, times milliseconds. Written from API.md, not from the SQL.
 */

export type WindowType = 'none' | 'calendar_day' | 'calendar_month' | 'billing_cycle' | 'rolling_24h'
export type Kind = 'cumulative' | 'concurrency'

export interface Grant {
  readonly id: string
  readonly kind: Kind
  readonly scope: string | null
  quantity: bigint | null
  readonly window: WindowType
  readonly priority: number
  readonly start: number
  readonly end: number | null
  revokedAt: number | null
}

export interface Rule {
  readonly kind: Kind
  readonly action: 'block' | 'warn' | 'grace' | 'overage'
  readonly warn_at_percent: number | null
  readonly overage_cap: number | null
  readonly grace_percent: number | null
}

export interface Allocation {
  readonly key: string
  readonly grant: string
  readonly countedAt: number
  readonly included: bigint
  readonly overage: bigint
  readonly excess: bigint
}

export interface Lease {
  readonly holder: string
  readonly scope: string | null
  units: bigint
  expiresAt: number
}

export interface Split {
  readonly included: bigint
  readonly overage: bigint
  readonly excess: bigint
  readonly late: boolean
}

export interface Expected {
  readonly allowed: boolean
  readonly reason: string
  readonly limit: bigint | null
  readonly used: bigint
  readonly remaining: bigint | null
}

interface Counted {
  readonly grant: Grant
  used: bigint
  overage: bigint
}

const HOUR = 3_600_000
const DAY = 24 * HOUR
const LATE_ARRIVAL_GRACE = HOUR
const UNBOUNDED = 10n ** 40n

export class Auditor {
  readonly grants: Grant[] = []
  readonly rules: Rule[] = []
  readonly allocations: Allocation[] = []
  readonly leases: Lease[] = []

  decide(kind: Kind, scope: string | null, quantity: bigint, now: number): Expected {
    const states = this.#states(kind, now, now)
    const covering = states.filter(({ grant }) => covers(grant.scope, scope))
    if (covering.length === 0) return { allowed: false, reason: 'absent', limit: 0n, used: 0n, remaining: 0n }
    const rule = this.#rule(kind)
    const limit = total(covering.map(({ grant }) => grant.quantity))
    const used = sum(covering.map((state) => state.used))
    const headroom = total(
      covering.map(({ grant, used }) => (grant.quantity === null ? null : atLeastZero(grant.quantity - used))),
    )
    const counts = { limit, used, remaining: headroom }
    if (headroom === null || quantity <= headroom) {
      const warns =
        limit !== null &&
        rule?.warn_at_percent != null &&
        (used + quantity) * 100n * 1_000_000n >= limit * parseQuantity(rule.warn_at_percent)
      return { allowed: true, reason: warns ? 'near_limit' : 'within_limit', ...counts }
    }
    const isPermitted = quantity - headroom <= this.#permittedOver(rule, states, limit)
    switch (rule?.action ?? 'block') {
      case 'block':
        return { allowed: false, reason: 'limit_exceeded', ...counts }
      case 'warn':
        return { allowed: true, reason: 'over_limit_warned', ...counts }
      case 'overage':
        return { allowed: isPermitted, reason: isPermitted ? 'over_limit_overage' : 'overage_cap_reached', ...counts }
      case 'grace':
        return { allowed: isPermitted, reason: isPermitted ? 'over_limit_grace' : 'grace_exhausted', ...counts }
    }
  }

  /** Records a use: what lies within goes to the entitlements in their order, what is over to the last of them. */
  record(key: string, scope: string | null, quantity: bigint, occurredAt: number, now: number): Split {
    const late = this.#isLate(scope, occurredAt, now)
    let countedAt = late ? now : occurredAt
    let states = this.#states('cumulative', countedAt, now)
    if (countedAt < now && !states.some(({ grant }) => covers(grant.scope, scope))) {
      const present = this.#states('cumulative', now, now)
      if (present.some(({ grant }) => covers(grant.scope, scope))) {
        states = present
        countedAt = now
      }
    }
    const covering = states.filter(({ grant }) => covers(grant.scope, scope))
    const limit = total(covering.map(({ grant }) => grant.quantity))
    const permitted = this.#permittedOver(this.#rule('cumulative'), states, limit)
    let left = quantity
    for (const { grant, used } of covering) {
      const included = grant.quantity === null ? left : least(left, atLeastZero(grant.quantity - used))
      left -= included
      this.#draw({ key, grant: grant.id, countedAt, included, overage: 0n, excess: 0n })
    }
    const overage = covering.length === 0 ? 0n : least(left, permitted)
    const excess = left - overage
    const last = covering.at(-1)
    if (last) this.#draw({ key, grant: last.grant.id, countedAt, included: 0n, overage, excess })
    return { included: quantity - left, overage, excess, late }
  }

  /** The holder's live lease of that scope. */
  lease(holder: string, scope: string | null, now: number): Lease | undefined {
    return this.leases.find((lease) => lease.holder === holder && lease.scope === scope && lease.expiresAt > now)
  }

  #draw(drawn: Allocation): void {
    const index = this.allocations.findIndex(({ key, grant }) => key === drawn.key && grant === drawn.grant)
    const before = this.allocations[index]
    if (before) {
      const { included, overage, excess } = drawn
      this.allocations[index] = {
        ...before,
        included: before.included + included,
        overage: before.overage + overage,
        excess: before.excess + excess,
      }
    } else if (drawn.included + drawn.overage + drawn.excess > 0n) this.allocations.push(drawn)
  }

  #rule(kind: Kind): Rule | undefined {
    return this.rules.findLast((rule) => rule.kind === kind)
  }

  /** How much may go over the headroom: cap and grace count what is over in all scopes. */
  #permittedOver(rule: Rule | undefined, states: readonly Counted[], limit: bigint | null): bigint {
    switch (rule?.action ?? 'block') {
      case 'block':
        return 0n
      case 'warn':
        return UNBOUNDED
      case 'overage':
        if (rule?.overage_cap == null) return UNBOUNDED
        return atLeastZero(parseQuantity(rule.overage_cap) - sum(states.map(({ overage }) => overage)))
      case 'grace': {
        if (rule?.grace_percent == null || limit === null) return UNBOUNDED
        const over = sum(
          states.map(({ grant, used }) => (grant.quantity === null ? 0n : atLeastZero(used - grant.quantity))),
        )
        return atLeastZero((limit * parseQuantity(rule.grace_percent)) / 100_000_000n - over)
      }
    }
  }

  /** Those of a kind that are in force at an instant, in draw order, with what their windows of then hold. */
  #states(kind: Kind, at: number, now: number): Counted[] {
    const states = this.grants
      .map((grant, order) => ({ grant, order }))
      .filter(({ grant }) => grant.kind === kind && isInForce(grant, at))
      .sort((left, right) => compareDrawOrder(left.grant, right.grant, at) || left.order - right.order)
      .map(({ grant }) => this.#counted(grant, at, now))
    if (kind === 'concurrency') this.#layLeases(states, now)
    return states
  }

  #counted(grant: Grant, at: number, now: number): Counted {
    const uses = this.allocations.filter((use) => use.grant === grant.id && isInWindow(grant, use.countedAt, at, now))
    return {
      grant,
      used: sum(uses.map(({ included, overage, excess }) => included + overage + excess)),
      overage: sum(uses.map(({ overage }) => overage)),
    }
  }

  /** Seats have no counters: those taken are laid over what covers them, the deepest scope first. */
  #layLeases(states: Counted[], now: number): void {
    const live = this.leases.filter(({ expiresAt }) => expiresAt > now)
    const scopes = [...new Set(live.map(({ scope }) => scope))].sort(
      (left, right) => (right?.length ?? -1) - (left?.length ?? -1) || compareText(left ?? '', right ?? ''),
    )
    for (const scope of scopes) {
      const covering = states.filter(({ grant }) => covers(grant.scope, scope))
      let left = sum(live.filter((lease) => lease.scope === scope).map(({ units }) => units))
      for (const state of covering) {
        const taken = state.grant.quantity === null ? left : least(left, atLeastZero(state.grant.quantity - state.used))
        state.used += taken
        left -= taken
      }
      const last = covering.at(-1)
      if (last) last.used += left
    }
    for (const state of states)
      state.overage = state.grant.quantity === null ? 0n : atLeastZero(state.used - state.grant.quantity)
  }

  /** A window is closed an hour after its end. What occurred in one that is closed counts now. */
  #isLate(scope: string | null, occurredAt: number, now: number): boolean {
    if (occurredAt >= now - LATE_ARRIVAL_GRACE) return false
    return this.grants.some((grant) => {
      if (grant.kind !== 'cumulative' || !covers(grant.scope, scope) || !isInForce(grant, occurredAt)) return false
      const end = grant.window === 'none' ? grant.end : windowOf(grant, occurredAt).end
      return end !== null && end + LATE_ARRIVAL_GRACE <= now
    })
  }
}

export function covers(held: string | null, asked: string | null): boolean {
  return held === null || asked === held || (asked?.startsWith(`${held}/`) ?? false)
}

function isInForce({ start, end, revokedAt }: Grant, at: number): boolean {
  return start <= at && (end === null || end > at) && (revokedAt === null || revokedAt > at)
}

function isInWindow(grant: Grant, countedAt: number, at: number, now: number): boolean {
  if (grant.window === 'rolling_24h') return countedAt > now - DAY && countedAt <= now
  return windowOf(grant, countedAt).start === windowOf(grant, at).start
}

/** The window that holds an instant; of a rolling one, the month that bills it. */
function windowOf({ window, start }: Grant, at: number): { start: number; end: number } {
  const date = new Date(at)
  const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()]
  switch (window) {
    case 'none':
      return { start, end: Number.POSITIVE_INFINITY }
    case 'calendar_day':
      return { start: Date.UTC(year, month, day), end: Date.UTC(year, month, day + 1) }
    case 'calendar_month':
    case 'rolling_24h':
      return { start: Date.UTC(year, month), end: Date.UTC(year, month + 1) }
    case 'billing_cycle': {
      let steps = 0
      while (anchoredMonth(start, steps + 1) <= at) steps++
      return { start: anchoredMonth(start, steps), end: anchoredMonth(start, steps + 1) }
    }
  }
}

/** The anchor so many months on, its day clamped to the month's end. */
function anchoredMonth(anchor: number, months: number): number {
  const date = new Date(anchor)
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth() + months]
  const day = Math.min(date.getUTCDate(), new Date(Date.UTC(year, month + 1, 0)).getUTCDate())
  return Date.UTC(year, month, day) + (anchor % DAY)
}

/** Priority, then the longer scope, then the earlier end of window or entitlement; the older last, by their places. */
function compareDrawOrder(left: Grant, right: Grant, at: number): number {
  return (
    left.priority - right.priority ||
    (right.scope?.length ?? -1) - (left.scope?.length ?? -1) ||
    compareEnds(endOf(left, at), endOf(right, at))
  )
}

function endOf(grant: Grant, at: number): number {
  const end = grant.end ?? Number.POSITIVE_INFINITY
  if (grant.kind === 'concurrency' || grant.window === 'rolling_24h') return end
  return Math.min(windowOf(grant, at).end, end)
}

function compareEnds(left: number, right: number): number {
  return left === right ? 0 : left < right ? -1 : 1
}

function compareText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0
}

function sum(quantities: readonly bigint[]): bigint {
  return quantities.reduce((all, quantity) => all + quantity, 0n)
}

/** Null, unlimited, swallows the rest. */
function total(quantities: readonly (bigint | null)[]): bigint | null {
  return quantities.reduce((all, quantity) => (all === null || quantity === null ? null : all + quantity), 0n)
}

function least(left: bigint, right: bigint): bigint {
  return left < right ? left : right
}

function atLeastZero(quantity: bigint): bigint {
  return quantity > 0n ? quantity : 0n
}
