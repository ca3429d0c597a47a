/** The closed sets of the contract. Schemas and types are made from these lists. */

export const LIMIT_KINDS = ['cumulative', 'inventory', 'concurrency', 'time_access'] as const
export type LimitKind = (typeof LIMIT_KINDS)[number]

/** From best to worst: of several limit kinds the worst outcome leads. */
export const OUTCOMES = ['allow', 'warn', 'grace', 'overage', 'block'] as const
export type Outcome = (typeof OUTCOMES)[number]

export const ACTIONS = ['block', 'warn', 'grace', 'overage'] as const
export type Action = (typeof ACTIONS)[number]

export const REASONS = [
  'within_limit',
  'near_limit',
  'over_limit_warned',
  'over_limit_grace',
  'over_limit_overage',
  'limit_exceeded',
  'grace_exhausted',
  'overage_cap_reached',
  'no_entitlement',
  'not_started',
  'expired',
  'revoked',
  'account_suspended',
  'unavailable_allowed',
  'unavailable_denied',
] as const
export type Reason = (typeof REASONS)[number]

export const PURPOSES = ['any', 'consume', 'lease', 'assign'] as const
export type Purpose = (typeof PURPOSES)[number]

export const ON_ERROR = ['allow', 'deny'] as const
export type OnError = (typeof ON_ERROR)[number]

export const SOURCES = ['memory', 'redis', 'postgres', 'none'] as const
export type Source = (typeof SOURCES)[number]

export const SCOPES = ['check', 'meter', 'lease', 'read', 'admin'] as const
export type Scope = (typeof SCOPES)[number]

/** What cron does. Each job only records what has already become true by itself. */
export const JOBS = [
  'expire_leases',
  'expire_reservations',
  'close_windows',
  'reconcile',
  'verify_chain',
  'sign_heads',
] as const
export type Job = (typeof JOBS)[number]
