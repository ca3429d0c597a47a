import { type Lease, MAX_HOLDERS } from './changes.ts'
import type { Band, KindSnapshot, Snapshot, SnapshotGrace, Window } from './snapshot.ts'
import { ACTIONS, LIMIT_KINDS, ON_ERROR, OUTCOMES, PURPOSES, REASONS } from './vocabulary.ts'

/**
 * What comes out of Redis may be anything: another version's, half a value, somebody's mistake. These tell whether it
 * has the shape that it should have, field by field, because a check cannot wait for a general validator.
 */

type Fields<Type> = { readonly [Name in keyof Type]?: unknown }

const MILLIONTHS = /^-?\d{1,40}$/

export function isSnapshot(value: unknown): value is Snapshot {
  if (!isObject<Snapshot>(value)) return false
  return (
    isText(value.account_id) &&
    isText(value.namespace) &&
    isText(value.resource) &&
    isNullOr(isText, value.scope) &&
    isInteger(value.config_version) &&
    isInteger(value.clock_offset_ms) &&
    isInteger(value.key_version) &&
    isInstant(value.as_of) &&
    isNullOr(isInstant, value.valid_until) &&
    isNullOr(isInstant, value.improves_at) &&
    typeof value.suspended === 'boolean' &&
    isListOf(isKind, value.kinds) &&
    isAbsent(value.absent)
  )
}

export function isHolders(value: unknown): value is readonly Lease[] {
  return isListOf(isLease, value) && value.length <= MAX_HOLDERS
}

function isKind(value: unknown): value is KindSnapshot {
  if (!isObject<KindSnapshot>(value)) return false
  return (
    isOneOf(LIMIT_KINDS, value.limit_kind) &&
    isNullOr(isMillionths, value.limit) &&
    isMillionths(value.used) &&
    isMillionths(value.held) &&
    isNullOr(isMillionths, value.remaining) &&
    isNullOr(isWindow, value.window) &&
    isOneOf(ACTIONS, value.action) &&
    isNullOr(isNumber, value.warn_at_percent) &&
    isNumber(value.overage_multiplier) &&
    isNullOr(isGrace, value.grace) &&
    isOneOf(ON_ERROR, value.on_error) &&
    isListOf(isBand, value.bands) &&
    // The last one is open: every quantity has its answer.
    value.bands.at(-1)?.up_to === null
  )
}

function isBand(value: unknown): value is Band {
  if (!isObject<Band>(value)) return false
  return isNullOr(isMillionths, value.up_to) && isOneOf(OUTCOMES, value.outcome) && isOneOf(REASONS, value.reason)
}

function isWindow(value: unknown): value is Window {
  if (!isObject<Window>(value)) return false
  return isText(value.type) && isText(value.start) && isNullOr(isText, value.end)
}

function isGrace(value: unknown): value is SnapshotGrace {
  if (!isObject<SnapshotGrace>(value)) return false
  return isNullOr(isMillionths, value.quantity_left) && isNullOr(isText, value.until)
}

function isAbsent(value: unknown): value is Snapshot['absent'] {
  return isObject<Snapshot['absent']>(value) && PURPOSES.every((purpose) => isOneOf(REASONS, value[purpose]))
}

function isLease(value: unknown): value is Lease {
  if (!isObject<Lease>(value)) return false
  return (
    isText(value.lease_id) &&
    isText(value.account_id) &&
    isText(value.resource) &&
    isNullOr(isText, value.scope) &&
    isText(value.holder) &&
    isNumber(value.units) &&
    value.status === 'active' &&
    isInteger(value.fencing_token) &&
    isInstant(value.acquired_at) &&
    isInstant(value.heartbeat_at) &&
    isInstant(value.expires_at) &&
    value.released_at === null &&
    isObject(value.metadata)
  )
}

function isObject<Type>(value: unknown): value is Fields<Type> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isListOf<Item>(isItem: (item: unknown) => item is Item, value: unknown): value is readonly Item[] {
  return Array.isArray(value) && value.every(isItem)
}

function isNullOr<Type>(isType: (value: unknown) => value is Type, value: unknown): value is Type | null {
  return value === null || isType(value)
}

function isOneOf<Word extends string>(words: readonly Word[], value: unknown): value is Word {
  return words.some((word) => word === value)
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

function isInteger(value: unknown): value is number {
  return Number.isSafeInteger(value)
}

function isMillionths(value: unknown): value is string {
  return typeof value === 'string' && MILLIONTHS.test(value)
}

function isInstant(value: unknown): value is string {
  return typeof value === 'string' && !Number.isNaN(Date.parse(value))
}
