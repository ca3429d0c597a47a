import { parseQuantity, renderQuantity } from './quantity.ts'
import type { KindSnapshot, Millionths, Snapshot, Window } from './snapshot.ts'
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

/** What one limit kind answers for the quantity it was asked for. */
export interface KindVerdict {
  readonly limit_kind: LimitKind
  readonly outcome: Outcome
  readonly reason: Reason
  /** How much of the quantity is beyond the headroom. */
  readonly over: Millionths
  /** What grace permits beyond that; null without grace, and without a bound. */
  readonly grace_left: Millionths | null
}

interface Asked {
  readonly kind: KindSnapshot
  readonly quantity: bigint
}

const ONE = 1_000_000n
/** What a decision shows of a kind. */
type Shown = Omit<KindSnapshot, 'limit_kind' | 'on_error' | 'bands'>

const NOTHING_HELD: Shown = {
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
const NOTHING_OVER = { over: '0', grace_left: null } as const

/** Picks the band of every limit kind that the question concerns. */
export function decideFromSnapshot(snapshot: Snapshot, question: Question): Verdict {
  const asked = kindsAsked(snapshot.kinds, question.purpose, parseQuantity(question.quantity))
  return renderDecision(snapshot, question, asked.map(answer))
}

/**
 * The decision that verdicts make, with the counts of a snapshot: the worst outcome leads, of equals the earlier kind.
 * @param verdicts each on a kind of the snapshot, in its order
 */
export function renderDecision(snapshot: Snapshot, question: Question, verdicts: readonly KindVerdict[]): Verdict {
  const answers = verdicts.map((verdict) => ({ verdict, kind: kindOf(snapshot, verdict) }))
  const [first, ...others] = answers
  if (!first) {
    const reason = snapshot.suspended ? 'account_suspended' : snapshot.absent[question.purpose]
    return decision(question, NOTHING_HELD, { ...NOTHING_OVER, outcome: 'block', reason }, [])
  }
  const leading = others.reduce(
    (worst, next) => (severity(next.verdict) > severity(worst.verdict) ? next : worst),
    first,
  )
  return decision(question, leading.kind, leading.verdict, answers.map(limitVerdict))
}

/** The `on_error` of the rules that decide a question: allow if that of each kind that it asks allows. */
export function onErrorOf(snapshot: Snapshot, { purpose, quantity }: Question): OnError {
  const asked = kindsAsked(snapshot.kinds, purpose, parseQuantity(quantity))
  return asked.length > 0 && asked.every(({ kind }) => kind.on_error === 'allow') ? 'allow' : 'deny'
}

/** The decision when no store could answer: the request's or the rule's `on_error` decides. */
export function decideWithoutState(question: Question, onError: OnError): Verdict {
  const answer: Pick<KindVerdict, 'outcome' | 'reason'> =
    onError === 'allow'
      ? { outcome: 'allow', reason: 'unavailable_allowed' }
      : { outcome: 'block', reason: 'unavailable_denied' }
  return decision(question, NOTHING_HELD, { ...NOTHING_OVER, ...answer }, [])
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

function answer({ kind, quantity }: Asked): KindVerdict {
  const band = kind.bands.find((candidate) => candidate.up_to === null || quantity <= BigInt(candidate.up_to))
  // A snapshot always ends with an open band; one that doesn't is broken, and a broken one must not allow.
  if (!band) throw new RangeError(`no band of ${kind.limit_kind} covers ${quantity}`)
  const over = kind.remaining === null ? 0n : notNegative(quantity - BigInt(kind.remaining))
  const graceLeft = kind.grace?.quantity_left ?? null
  return {
    limit_kind: kind.limit_kind,
    outcome: band.outcome,
    reason: band.reason,
    over: String(over),
    grace_left: graceLeft === null ? null : String(notNegative(BigInt(graceLeft) - over)),
  }
}

function kindOf(snapshot: Snapshot, verdict: KindVerdict): KindSnapshot {
  const kind = snapshot.kinds.find((candidate) => candidate.limit_kind === verdict.limit_kind)
  if (!kind) throw new RangeError(`a verdict on ${verdict.limit_kind}, of which the snapshot has nothing`)
  return kind
}

function severity(verdict: KindVerdict): number {
  return OUTCOMES.indexOf(verdict.outcome)
}

function limitVerdict({ kind, verdict }: { kind: KindSnapshot; verdict: KindVerdict }): LimitVerdict {
  return {
    limit_kind: kind.limit_kind,
    limit: render(kind.limit),
    used: renderQuantity(kind.used),
    held: renderQuantity(kind.held),
    remaining: render(kind.remaining),
    outcome: verdict.outcome,
    reason: verdict.reason,
    window: kind.window,
  }
}

function decision(
  question: Question,
  kind: Shown,
  verdict: Omit<KindVerdict, 'limit_kind'>,
  limits: readonly LimitVerdict[],
): Verdict {
  return {
    allowed: verdict.outcome !== 'block',
    outcome: verdict.outcome,
    reason: verdict.reason,
    account_id: question.account_id,
    resource: question.resource,
    scope: question.scope,
    quantity: question.quantity,
    limit: render(kind.limit),
    used: renderQuantity(kind.used),
    held: renderQuantity(kind.held),
    remaining: render(kind.remaining),
    window: kind.window,
    action: kind.action,
    warn_at_percent: kind.warn_at_percent,
    overage: { quantity: renderQuantity(verdict.over), multiplier: kind.overage_multiplier },
    grace: kind.grace && { quantity_left: render(verdict.grace_left), until: kind.grace.until },
    limits,
  }
}

function notNegative(millionths: bigint): bigint {
  return millionths > 0n ? millionths : 0n
}

function render(millionths: Millionths | null): number | null {
  return millionths === null ? null : renderQuantity(millionths)
}
