import { parseQuantity, renderQuantity } from './quantity.ts'
import type { Band, KindSnapshot, Millionths, Snapshot, SnapshotGrace, Window } from './snapshot.ts'
import {
  type Action,
  type LimitKind,
  type OnError,
  OUTCOMES,
  type Outcome,
  type Purpose,
  type Reason,
} from './vocabulary.ts'

/** What is asked: `quantity` as on the wire, `account_id` as the caller wrote it. */
export interface Question {
  readonly account_id: string
  readonly resource: string
  readonly scope: string | null
  readonly quantity: number
  readonly purpose: Purpose
}

export interface LimitVerdict {
  readonly limit_kind: LimitKind
  readonly limit: number | null
  readonly used: number
  readonly held: number
  readonly remaining: number | null
  readonly outcome: Outcome
  readonly reason: Reason
  readonly window: Window | null
}

/** A decision, but for where it came from and how old it is. Field order is the contract's. */
export interface Verdict {
  readonly allowed: boolean
  readonly outcome: Outcome
  readonly reason: Reason
  readonly account_id: string
  readonly resource: string
  readonly scope: string | null
  readonly quantity: number
  readonly limit: number | null
  readonly used: number
  readonly held: number
  readonly remaining: number | null
  readonly window: Window | null
  readonly action: Action
  readonly warn_at_percent: number | null
  readonly overage: { readonly quantity: number; readonly multiplier: number }
  readonly grace: { readonly quantity_left: number | null; readonly until: string | null } | null
  readonly limits: readonly LimitVerdict[]
}

interface Asked {
  readonly kind: KindSnapshot
  readonly quantity: bigint
}

const ONE = 1_000_000n
const NOTHING_HELD: Omit<KindSnapshot, 'limit_kind' | 'bands'> = {
  limit: '0',
  used: '0',
  held: '0',
  remaining: '0',
  window: null,
  action: 'block',
  warn_at_percent: null,
  overage_multiplier: 1,
  grace: null,
}

/** Picks the band of every limit kind that the question concerns; the worst outcome leads, of equals the earlier kind. */
export function decideFromSnapshot(snapshot: Snapshot, question: Question): Verdict {
  const answers = kindsAsked(snapshot.kinds, question.purpose, parseQuantity(question.quantity)).map(answer)
  const [first, ...others] = answers
  if (!first) {
    const reason = snapshot.suspended ? 'account_suspended' : snapshot.absent[question.purpose]
    return verdict(question, NOTHING_HELD, { outcome: 'block', reason }, 0n, [])
  }
  const leading = others.reduce((worst, next) => (severity(next.band) > severity(worst.band) ? next : worst), first)
  return verdict(question, leading.kind, leading.band, leading.quantity, answers.map(limitVerdict))
}

/** The decision when no store could answer: the request's or the rule's `on_error` decides. */
export function decideWithoutState(question: Question, onError: OnError): Verdict {
  const band: Omit<Band, 'up_to'> =
    onError === 'allow'
      ? { outcome: 'allow', reason: 'unavailable_allowed' }
      : { outcome: 'block', reason: 'unavailable_denied' }
  return verdict(question, NOTHING_HELD, band, 0n, [])
}

function kindsAsked(kinds: readonly KindSnapshot[], purpose: Purpose, quantity: bigint): readonly Asked[] {
  const timeAccess = kinds.find((kind) => kind.limit_kind === 'time_access')
  switch (purpose) {
    case 'any': {
      const counted = kinds.find((kind) => kind.limit_kind !== 'time_access') ?? timeAccess
      const rest = quantity === 0n ? 0n : ONE
      return kinds.map((kind) => ({ kind, quantity: kind === counted ? quantity : rest }))
    }
    case 'consume': {
      const drawn = kinds.find((kind) => kind.limit_kind !== 'concurrency')
      const asked = drawn === timeAccess ? [drawn] : [drawn, timeAccess]
      return asked.filter((kind) => kind !== undefined).map((kind) => ({ kind, quantity }))
    }
    case 'lease':
      return kinds.filter((kind) => kind.limit_kind === 'concurrency').map((kind) => ({ kind, quantity }))
    case 'assign':
      return kinds.filter((kind) => kind.limit_kind === 'inventory').map((kind) => ({ kind, quantity }))
  }
}

function answer({ kind, quantity }: Asked) {
  const band = kind.bands.find((candidate) => candidate.up_to === null || quantity <= BigInt(candidate.up_to))
  // A snapshot always ends with an open band; one that doesn't is broken, and a broken one must not allow.
  if (!band) throw new RangeError(`no band of ${kind.limit_kind} covers ${quantity}`)
  return { kind, quantity, band }
}

function severity(band: Band): number {
  return OUTCOMES.indexOf(band.outcome)
}

function limitVerdict({ kind, band }: { kind: KindSnapshot; band: Band }): LimitVerdict {
  return {
    limit_kind: kind.limit_kind,
    limit: render(kind.limit),
    used: renderQuantity(BigInt(kind.used)),
    held: renderQuantity(BigInt(kind.held)),
    remaining: render(kind.remaining),
    outcome: band.outcome,
    reason: band.reason,
    window: kind.window,
  }
}

function verdict(
  question: Question,
  kind: Omit<KindSnapshot, 'limit_kind' | 'bands'>,
  band: Omit<Band, 'up_to'>,
  asked: bigint,
  limits: readonly LimitVerdict[],
): Verdict {
  const over = kind.remaining === null ? 0n : notNegative(asked - BigInt(kind.remaining))
  return {
    allowed: band.outcome !== 'block',
    outcome: band.outcome,
    reason: band.reason,
    account_id: question.account_id,
    resource: question.resource,
    scope: question.scope,
    quantity: question.quantity,
    limit: render(kind.limit),
    used: renderQuantity(BigInt(kind.used)),
    held: renderQuantity(BigInt(kind.held)),
    remaining: render(kind.remaining),
    window: kind.window,
    action: kind.action,
    warn_at_percent: kind.warn_at_percent,
    overage: { quantity: renderQuantity(over), multiplier: kind.overage_multiplier },
    grace: kind.grace && graceAfter(kind.grace, over),
    limits,
  }
}

function graceAfter(grace: SnapshotGrace, over: bigint) {
  const left = grace.quantity_left === null ? null : renderQuantity(notNegative(BigInt(grace.quantity_left) - over))
  return { quantity_left: left, until: grace.until }
}

function notNegative(millionths: bigint): bigint {
  return millionths > 0n ? millionths : 0n
}

function render(millionths: Millionths | null): number | null {
  return millionths === null ? null : renderQuantity(BigInt(millionths))
}
