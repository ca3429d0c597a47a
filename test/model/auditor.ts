import { parseQuantity } from '../../functions/core/quantity.ts'

/**
 * What MEC must do, in the shortest way to say it: no counters, no windows kept, everything worked out again from the
 * list of uses. Quantities are millionths, times milliseconds. Written from API.md, not from the SQL.
 */

export type WindowType = 'none' | 'calendar_day' | 'calendar_month' | 'billing_cycle' | 'rolling_24h'
export type Kind = 'cumulative' | 'inventory' | 'concurrency'

export interface Grant {
  readonly id: string
  readonly kind: Kind
  readonly scope: string | null
  quantity: bigint | null
  readonly window: WindowType
  readonly priority: number
  readonly start: number
  end: number | null
  revokedAt: number | null
  /** Whose counter it shares, and from where its billing cycles count: its own, unless a change of plan handed them on. */
  readonly bucket: string
  readonly anchor: number
  readonly rollover: Rollover | null
  /** What it granted until it was resized. */
  readonly before: { readonly until: number; readonly quantity: bigint | null }[]
}

/** Of what a window leaves: so many percent, in millionths, and at most so much. */
export interface Rollover {
  readonly percent: bigint
  readonly max: bigint | null
}

/** What a change of plan brought into a window of another type. */
export interface Carried {
  readonly bucket: string
  readonly windowStart: number
  readonly quantity: bigint
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

/** What a reservation holds: of windows, the parts that it would draw; of a stock, just the quantity. */
export interface Hold {
  readonly key: string
  readonly kind: Kind
  readonly scope: string | null
  readonly quantity: bigint
  readonly overage: bigint
  parts: readonly HeldPart[]
  readonly expiresAt: number
  ended: boolean
}

interface HeldPart extends Part {
  readonly windowEnd: number
}

interface Part {
  readonly grant: string
  readonly included: bigint
  readonly overage: bigint
  readonly excess: bigint
}

/** What is owned of a stock, or held of one. */
interface Taken {
  readonly scope: string | null
  readonly quantity: bigint
  readonly isHeld: boolean
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
  readonly held: bigint
  readonly remaining: bigint | null
}

/** What was recorded, as far as taking it back needs to know. */
interface Recorded {
  readonly scope: string | null
  readonly quantity: bigint
  readonly countedAt: number
  readonly late: boolean
  reversed: bigint
}

interface Counted {
  readonly grant: Grant
  /** With what was rolled over. */
  readonly limit: bigint | null
  used: bigint
  held: bigint
  overage: bigint
}

const HOUR = 3_600_000
const DAY = 24 * HOUR
const LATE_ARRIVAL_GRACE = HOUR
const UNBOUNDED = 10n ** 40n
const NOTHING: Allocation = { key: '', grant: '', countedAt: 0, included: 0n, overage: 0n, excess: 0n }

export class Auditor {
  readonly grants: Grant[] = []
  readonly rules: Rule[] = []
  readonly allocations: Allocation[] = []
  readonly leases: Lease[] = []
  readonly holds: Hold[] = []
  /** Named items, and what was committed of a stock. */
  readonly items: { readonly name: string | null; readonly scope: string | null; readonly quantity: bigint }[] = []
  readonly carried: Carried[] = []
  readonly #recorded = new Map<string, Recorded>()

  decide(kind: Kind, scope: string | null, quantity: bigint, now: number, at = now): Expected {
    const states = this.#states(kind, at, now)
    const covering = states.filter(({ grant }) => covers(grant.scope, scope))
    if (covering.length === 0) return { allowed: false, reason: 'absent', limit: 0n, used: 0n, held: 0n, remaining: 0n }
    const rule = this.#rule(kind)
    const limit = total(covering.map(({ limit }) => limit))
    const used = sum(covering.map((state) => state.used))
    const held = sum(covering.map((state) => state.held))
    const headroom = total(
      covering.map(({ limit, used, held }) => (limit === null ? null : atLeastZero(limit - used - held))),
    )
    const counts = { limit, used, held, remaining: headroom }
    if (headroom === null || quantity <= headroom) {
      const warns =
        limit !== null &&
        rule?.warn_at_percent != null &&
        (used + held + quantity) * 100n * 1_000_000n >= limit * parseQuantity(rule.warn_at_percent)
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
    let late = this.#isLate(scope, occurredAt, now)
    let countedAt = late ? now : occurredAt
    let states = this.#states('cumulative', countedAt, now)
    if (countedAt < now && !states.some(({ grant }) => covers(grant.scope, scope))) {
      const present = this.#states('cumulative', now, now)
      const covering = present.filter(({ grant }) => covers(grant.scope, scope))
      if (covering.length > 0) {
        states = present
        countedAt = now
        late = covering.some(
          ({ grant }) => grant.window !== 'none' && windowOf(grant, occurredAt).end + LATE_ARRIVAL_GRACE <= now,
        )
      }
    }
    const parts = this.#spread('cumulative', states, scope, quantity)
    for (const part of parts) this.#draw({ ...part, key, countedAt })
    this.#recorded.set(key, { scope, quantity, countedAt, late, reversed: 0n })
    return { ...splitOf(parts, quantity), late }
  }

  /** What lies within goes to the entitlements in their order, what is over to the last of them; none without any. */
  #spread(kind: Kind, states: readonly Counted[], scope: string | null, quantity: bigint): Part[] {
    const covering = states.filter(({ grant }) => covers(grant.scope, scope))
    const permitted = this.#permittedOver(this.#rule(kind), states, total(covering.map(({ limit }) => limit)))
    let left = quantity
    return covering.map(({ grant, limit, used, held }, index) => {
      const included = limit === null ? left : least(left, atLeastZero(limit - used - held))
      left -= included
      const over = index === covering.length - 1 ? left : 0n
      const overage = least(over, permitted)
      return { grant: grant.id, included, overage, excess: over - overage }
    })
  }

  /** Holds what a use of the quantity would draw, if it is allowed. */
  hold(key: string, kind: Kind, scope: string | null, quantity: bigint, expiresAt: number, now: number): Hold {
    const parts = this.#spread(kind, this.#states(kind, now, now), scope, quantity)
    const held = {
      key,
      kind,
      scope,
      quantity,
      overage: sum(parts.map(({ overage }) => overage)),
      parts:
        kind === 'cumulative'
          ? parts.filter(isSome).map((part) => ({ ...part, windowEnd: this.#windowEnd(part, now) }))
          : [],
      expiresAt,
      ended: false,
    }
    this.holds.push(held)
    return held
  }

  /** Uses what was held where it was held, the rest as metering would; at the last instant of a window that is over. */
  commit(hold: Hold, quantity: bigint, now: number): Split & { at: number } {
    const at = quantity === 0n ? now : Math.min(now, ...hold.parts.map(({ windowEnd }) => windowEnd - 1))
    const within = least(quantity, hold.quantity)
    const beyond = this.#spread(hold.kind, this.#states(hold.kind, at, now), hold.scope, quantity - within)
    let left = within
    const parts = hold.parts.map((part, index) => {
      const included = least(left, part.included)
      const overage = least(left - included, part.overage)
      left -= included + overage
      const isLast = index === hold.parts.length - 1
      return { grant: part.grant, included, overage, excess: isLast && beyond.length === 0 ? quantity - within : 0n }
    })
    hold.ended = true
    if (hold.kind === 'inventory') this.items.push({ name: null, scope: hold.scope, quantity })
    else for (const part of [...parts, ...beyond]) this.#draw({ ...part, key: hold.key, countedAt: at })
    this.#recorded.set(hold.key, { scope: hold.scope, quantity, countedAt: at, late: false, reversed: 0n })
    const more = splitOf(beyond, quantity - within)
    const included = least(within, hold.quantity - hold.overage)
    return {
      included: included + more.included,
      overage: within - included + more.overage,
      excess: more.excess,
      late: false,
      at,
    }
  }

  #windowEnd({ grant: id }: Part, at: number): number {
    const grant = this.grants.find((each) => each.id === id)
    if (!grant) throw new Error(`no grant ${id}`)
    return windowOf(grant, at).end
  }

  #liveHolds(now: number): Hold[] {
    return this.holds.filter(({ ended, expiresAt }) => !ended && expiresAt > now)
  }

  /** The parts of live holds that are of a grant's window. */
  #heldOf(grant: Grant, end: number, now: number): Part[] {
    return this.#liveHolds(now)
      .flatMap(({ parts }) => parts)
      .filter((part) => this.#bucketOf(part.grant) === grant.bucket && part.windowEnd === end)
  }

  /** What is left of an entry to be taken back. */
  left(key: string): bigint {
    const { quantity, reversed } = this.#entry(key)
    return quantity - reversed
  }

  /**
   * Takes an entry back, from the last drawn to the first, and of each the excess before the overage before what was
   * included; a closed window is left alone, and the credit counts now.
   */
  reverse(key: string, of: string, quantity: bigint, now: number): Split & { scope: string | null } {
    const entry = this.#entry(of)
    const drawn = this.allocations.filter((allocation) => allocation.key === of)
    // What nothing was entitled to was all excess.
    const uses = drawn.length > 0 ? drawn.toReversed() : [{ ...NOTHING, excess: entry.quantity }]
    let skip = entry.reversed
    let left = quantity
    const back = uses.map((use) => {
      const [excess = 0n, overage = 0n, included = 0n] = [use.excess, use.overage, use.included].map((part) => {
        const gone = least(skip, part)
        const taken = least(left, part - gone)
        skip -= gone
        left -= taken
        return taken
      })
      return { ...use, key, included: -included, overage: -overage, excess: -excess }
    })
    const given = back.filter(({ included, overage, excess }) => included + overage + excess < 0n)
    const closed = drawn.length > 0 && given.some(({ grant, countedAt }) => this.#isClosed(grant, countedAt, now))
    const countedAt = closed ? now : entry.countedAt
    if (drawn.length > 0) this.allocations.push(...given.map((use) => ({ ...use, countedAt })))
    entry.reversed += quantity
    return {
      included: sum(given.map(({ included }) => included)),
      overage: sum(given.map(({ overage }) => overage)),
      excess: sum(given.map(({ excess }) => excess)),
      late: closed || entry.late,
      scope: entry.scope,
    }
  }

  #entry(key: string): Recorded {
    const entry = this.#recorded.get(key)
    if (!entry) throw new Error(`nothing was recorded under ${key}`)
    return entry
  }

  /** A live hold keeps its window open. */
  #isHeld(grant: Grant, at: number, now: number): boolean {
    return this.#heldOf(grant, windowOf(grant, at).end, now).length > 0
  }

  #isClosed(id: string, at: number, now: number): boolean {
    const grant = this.grants.find((each) => each.id === id)
    return grant !== undefined && this.#closesAt(grant, at) + LATE_ARRIVAL_GRACE <= now && !this.#isHeld(grant, at, now)
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
          states.map(({ limit, used, held }) => (limit === null ? 0n : atLeastZero(used + held - limit))),
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
    if (kind !== 'cumulative') layStock(states, this.#taken(kind, now))
    return states
  }

  #counted(grant: Grant, at: number, now: number): Counted {
    const uses = this.allocations.filter(
      (use) => this.#bucketOf(use.grant) === grant.bucket && isInWindow(grant, use.countedAt, at, now),
    )
    const holds =
      grant.window === 'rolling_24h'
        ? this.#liveHolds(now)
            .flatMap(({ parts }) => parts)
            .filter((part) => this.#bucketOf(part.grant) === grant.bucket)
        : this.#heldOf(grant, windowOf(grant, at).end, now)
    return {
      grant,
      held: sum(holds.map(({ included, overage }) => included + overage)),
      limit: grant.quantity === null ? null : grant.quantity + this.#rolledOver(grant, at, now),
      // What was given back late may be more than was used since: a credit, for which nothing more may be used at once.
      used: atLeastZero(sum(uses.map(usedBy)) + this.#carriedInto(grant, at)),
      overage: atLeastZero(sum(uses.map(({ overage }) => overage))) + sum(holds.map(({ overage }) => overage)),
    }
  }

  /** What is held of a grant's window at an instant. */
  held(grant: Grant, now: number): bigint {
    return this.#counted(grant, now, now).held
  }

  /** What is held of a grant's window is held of the one that takes its place. */
  moveHolds(from: Grant, into: Grant, now: number): void {
    const { end } = windowOf(from, now)
    const isMoved = (part: HeldPart) =>
      this.#bucketOf(part.grant) === from.bucket && (from.window === 'rolling_24h' || part.windowEnd === end)
    for (const hold of this.#liveHolds(now)) {
      const place = hold.parts.findIndex((part) => isMoved(part) || part.grant === into.id)
      if (!hold.parts.some(isMoved)) continue
      const joined = hold.parts.filter((part) => isMoved(part) || part.grant === into.id)
      const rest = hold.parts.filter((part) => !joined.includes(part))
      const moved = {
        grant: into.id,
        windowEnd: windowOf(into, now).end,
        included: sum(joined.map(({ included }) => included)),
        overage: sum(joined.map(({ overage }) => overage)),
        excess: 0n,
      }
      hold.parts = rest.toSpliced(place, 0, moved)
    }
  }

  /** What is used of a grant's window at an instant. */
  used(grant: Grant, now: number): bigint {
    return this.#counted(grant, now, now).used
  }

  #bucketOf(id: string): string | undefined {
    return this.grants.find((grant) => grant.id === id)?.bucket
  }

  #carriedInto(grant: Grant, at: number): bigint {
    const { start } = windowOf(grant, at)
    const into = this.carried.filter(({ bucket, windowStart }) => bucket === grant.bucket && windowStart === start)
    return sum(into.map(({ quantity }) => quantity))
  }

  /** What the window before left of its own limit, by the terms that held at its end. */
  #rolledOver(grant: Grant, at: number, now: number): bigint {
    if (grant.rollover === null) return 0n
    const { start } = windowOf(grant, at)
    const previous = start - 1
    const last = this.grants.findLast(
      (each) =>
        each.bucket === grant.bucket &&
        each.start < start &&
        endedAt(each) > Math.max(windowOf(grant, previous).start, each.start),
    )
    if (!last || last.rollover === null) return 0n
    const terms = last.before.find(({ until }) => until >= start) ?? last
    if (terms.quantity === null) return 0n
    const uses = this.allocations.filter(
      (use) => this.#bucketOf(use.grant) === grant.bucket && isInWindow(grant, use.countedAt, previous, previous),
    )
    const held = this.#heldOf(grant, windowOf(grant, previous).end, now).map(
      ({ included, overage }) => included + overage,
    )
    const spent = atLeastZero(sum(uses.map(usedBy)) + this.#carriedInto(grant, previous)) + sum(held)
    const unused = terms.quantity - spent
    const rolled = (atLeastZero(unused) * last.rollover.percent) / 100_000_000n
    return last.rollover.max === null ? rolled : least(rolled, last.rollover.max)
  }

  /** The seats that are taken, or the items that are owned, and those that are held. */
  #taken(kind: Kind, now: number): Taken[] {
    if (kind === 'concurrency')
      return this.leases
        .filter(({ expiresAt }) => expiresAt > now)
        .map(({ scope, units }) => ({ scope, quantity: units, isHeld: false }))
    const owned = this.items.map(({ scope, quantity }) => ({ scope, quantity, isHeld: false }))
    const held = this.#liveHolds(now).filter((hold) => hold.kind === kind)
    return [...owned, ...held.map(({ scope, quantity }) => ({ scope, quantity, isHeld: true }))]
  }

  /** When the window that holds an instant ends: one without an end of its own with the last grant of its bucket. */
  #closesAt(grant: Grant, at: number): number {
    if (grant.window !== 'none') return windowOf(grant, at).end
    return Math.max(...this.grants.filter(({ bucket }) => bucket === grant.bucket).map(endedAt))
  }

  /** A window is closed an hour after its end. What occurred in one that is closed counts now. */
  #isLate(scope: string | null, occurredAt: number, now: number): boolean {
    if (occurredAt >= now - LATE_ARRIVAL_GRACE) return false
    return this.grants.some((grant) => {
      if (grant.kind !== 'cumulative' || !covers(grant.scope, scope) || !isInForce(grant, occurredAt)) return false
      return this.#closesAt(grant, occurredAt) + LATE_ARRIVAL_GRACE <= now && !this.#isHeld(grant, occurredAt, now)
    })
  }
}

/** Stocks have no counters: what is taken is laid over what covers it, owned before held, the deepest scope first. */
function layStock(states: Counted[], taken: readonly Taken[]): void {
  const scopes = [...new Set(taken.map(({ scope }) => scope))].sort(
    (left, right) => (right?.length ?? -1) - (left?.length ?? -1) || compareText(left ?? '', right ?? ''),
  )
  for (const name of ['used', 'held'] as const)
    for (const scope of scopes) {
      const covering = states.filter(({ grant }) => covers(grant.scope, scope))
      const here = taken.filter((each) => each.scope === scope && each.isHeld === (name === 'held'))
      let left = sum(here.map(({ quantity }) => quantity))
      for (const state of covering) {
        const part = state.limit === null ? left : least(left, atLeastZero(state.limit - state.used - state.held))
        state[name] += part
        left -= part
      }
      const last = covering.at(-1)
      if (last) last[name] += left
    }
  for (const state of states)
    state.overage = state.limit === null ? 0n : atLeastZero(state.used + state.held - state.limit)
}

/** Where nothing is entitled, all is excess. */
function splitOf(parts: readonly Part[], quantity: bigint): Omit<Split, 'late'> {
  const [included, overage] = [sum(parts.map((part) => part.included)), sum(parts.map((part) => part.overage))]
  return { included, overage, excess: quantity - included - overage }
}

function isSome({ included, overage, excess }: Part): boolean {
  return included + overage + excess > 0n
}

export function covers(held: string | null, asked: string | null): boolean {
  return held === null || asked === held || (asked?.startsWith(`${held}/`) ?? false)
}

function isInForce({ start, end, revokedAt }: Grant, at: number): boolean {
  return start <= at && (end === null || end > at) && (revokedAt === null || revokedAt > at)
}

function endedAt({ end, revokedAt }: Grant): number {
  return Math.min(end ?? Number.POSITIVE_INFINITY, revokedAt ?? Number.POSITIVE_INFINITY)
}

function usedBy({ included, overage, excess }: Allocation): bigint {
  return included + overage + excess
}

function isInWindow(grant: Grant, countedAt: number, at: number, now: number): boolean {
  if (grant.window === 'rolling_24h') return countedAt > now - DAY && countedAt <= now
  return windowOf(grant, countedAt).start === windowOf(grant, at).start
}

/** The window that holds an instant; of a rolling one, the month that bills it. */
export function windowOf({ window, anchor: start }: Grant, at: number): { start: number; end: number } {
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
export function anchoredMonth(anchor: number, months: number): number {
  const date = new Date(anchor)
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth() + months]
  const day = Math.min(date.getUTCDate(), new Date(Date.UTC(year, month + 1, 0)).getUTCDate())
  return Date.UTC(year, month, day) + (anchor % DAY)
}

/** Priority, then the longer scope, then the earlier end of window or entitlement; the older last, by their places. */
export function compareDrawOrder(left: Grant, right: Grant, at: number): number {
  return (
    left.priority - right.priority ||
    (right.scope?.length ?? -1) - (left.scope?.length ?? -1) ||
    compareEnds(endOf(left, at), endOf(right, at))
  )
}

function endOf(grant: Grant, at: number): number {
  const end = grant.end ?? Number.POSITIVE_INFINITY
  if (grant.kind !== 'cumulative' || grant.window === 'rolling_24h') return end
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
