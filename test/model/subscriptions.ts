import type { Auditor, Grant, Rollover, WindowType } from './auditor.ts'
import { anchoredMonth, windowOf } from './auditor.ts'

/** What changes of subscriptions must do, worked out on the auditor's grants. Written from API.md, not from the SQL. */

export interface Template {
  readonly scope: string | null
  readonly quantity: bigint | null
  readonly window: WindowType
  readonly priority: number
  readonly rollover: Rollover | null
}

export interface Subscription {
  readonly id: string
  readonly start: number
  plan: string
  end: number | null
  isCanceled: boolean
  pending: { readonly plan: string; readonly at: number } | null
  /** The ends that its grants had before a pending change or cancel cut them short. */
  readonly cut: Map<Grant, number | null>
  readonly grants: Grant[]
}

export type When = 'now' | 'period_end'

/** The plan of the moment: a pending one takes over by itself. */
export function settle(subscription: Subscription, now: number): void {
  const { pending } = subscription
  if (!pending || pending.at > now) return
  subscription.plan = pending.plan
  subscription.pending = null
  subscription.cut.clear()
}

export function hasEnded({ end }: Subscription, now: number): boolean {
  return end !== null && end <= now
}

/** When the billing period ends that holds an instant. */
export function periodEnd({ start }: Subscription, now: number): number {
  let months = 1
  while (anchoredMonth(start, months) <= now) months++
  return anchoredMonth(start, months)
}

/** Ends a subscription; one that has ended, or is to end by then, is left as it is. */
export function cancel(subscription: Subscription, at: number, now: number): void {
  settle(subscription, now)
  if (hasEnded(subscription, now) || (subscription.isCanceled && (subscription.end ?? 0) <= at)) return
  retract(subscription, now)
  cutAt(subscription, at, now)
  subscription.end = at
  subscription.isCanceled = true
}

/**
 * Puts another plan in the place of what a subscription grants from `at` on. What it grants is told its ids, in draw
 * order of the plan's templates, by `identify`.
 */
export function change(
  auditor: Auditor,
  subscription: Subscription,
  plan: string,
  templates: readonly Template[],
  identify: (template: Template) => string,
  at: number,
  now: number,
): void {
  settle(subscription, now)
  retract(subscription, now)
  const replaced = subscription.grants.filter(({ end, revokedAt }) => revokedAt === null && (end === null || end >= at))
  const used = new Map(replaced.map((grant) => [grant, auditor.used(grant, now)]))
  cutAt(subscription, at, now)
  const granted = grantAll(subscription, templates, identify, at, replaced)
  auditor.grants.push(...granted.toSorted((left, right) => (left.id < right.id ? -1 : 1)))
  subscription.grants.push(...granted)
  subscription.end = null
  subscription.isCanceled = false
  if (at > now) {
    subscription.pending = { plan, at }
    return
  }
  subscription.plan = plan
  subscription.cut.clear()
  carry(auditor, replaced, used, granted, now)
}

/** What was pending is off. */
function retract(subscription: Subscription, now: number): void {
  const { pending, cut, grants } = subscription
  for (const grant of grants) if (pending && grant.start >= pending.at) grant.revokedAt ??= now
  for (const [grant, end] of cut) grant.end = end
  cut.clear()
  subscription.pending = null
}

function cutAt({ grants, cut }: Subscription, at: number, now: number): void {
  for (const grant of grants) {
    if (grant.revokedAt !== null || (grant.end !== null && grant.end < at)) continue
    cut.set(grant, grant.end)
    if (grant.start < at) grant.end = at
    else grant.revokedAt = now
  }
}

/** In the place of the first of a scope and window comes the first, and so on: it takes over the counter. */
function grantAll(
  subscription: Subscription,
  templates: readonly Template[],
  identify: (template: Template) => string,
  at: number,
  replaced: readonly Grant[],
): Grant[] {
  const free = replaced.toSorted((left, right) => left.priority - right.priority)
  return templates
    .toSorted((left, right) => left.priority - right.priority)
    .map((template) => {
      const index = free.findIndex(({ scope, window }) => scope === template.scope && window === template.window)
      const [before] = index < 0 ? [] : free.splice(index, 1)
      const id = identify(template)
      return {
        ...template,
        id,
        kind: 'cumulative',
        start: at,
        end: null,
        revokedAt: null,
        bucket: before?.bucket ?? id,
        anchor: before?.anchor ?? (template.window === 'billing_cycle' ? subscription.start : at),
        rollover: template.rollover ?? (before?.rollover ? { percent: 0n, max: null } : null),
        before: [],
      }
    })
}

/** What nothing took over is carried: into what is new for its scope, one each, what remains into the last. */
function carry(
  auditor: Auditor,
  replaced: readonly Grant[],
  used: ReadonlyMap<Grant, bigint>,
  granted: readonly Grant[],
  now: number,
): void {
  const left = replaced
    .filter((grant) => !granted.some(({ bucket }) => bucket === grant.bucket))
    .filter((grant) => (used.get(grant) ?? 0n) > 0n || auditor.held(grant, now) > 0n)
    .toSorted((one, other) => one.priority - other.priority)
  for (const scope of new Set(left.map((grant) => grant.scope))) {
    const all = inOrder(granted.filter((grant) => grant.scope === scope))
    const fresh = all.filter(({ id, bucket }) => id === bucket)
    for (const [index, grant] of left.filter((each) => each.scope === scope).entries()) {
      const into = fresh.length > 0 ? fresh[Math.min(index, fresh.length - 1)] : all.at(-1)
      if (!into) continue
      const { start } = windowOf(into, now)
      auditor.carried.push({ bucket: into.bucket, windowStart: start, quantity: used.get(grant) ?? 0n })
      auditor.moveHolds(grant, into, now)
    }
  }
}

function inOrder(grants: readonly Grant[]): Grant[] {
  return grants.toSorted((left, right) => left.priority - right.priority || (left.id < right.id ? -1 : 1))
}
