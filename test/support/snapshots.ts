import type { Snapshot } from '../../functions/core/snapshot.ts'

/** A snapshot of an account that has used `used` of 100, as SQL would give it. */
export function snapshotOf(fields: Partial<Snapshot> & { used?: number; remaining?: number } = {}): Snapshot {
  const { used = 0, remaining = 100 - used, ...rest } = fields
  return {
    account_id: '6ba7b810-9dad-51d1-80b4-00c04fd430c8',
    namespace: 'default',
    resource: 'benchmark_runs',
    scope: null,
    config_version: 1,
    key_version: 1,
    clock_offset_ms: 0,
    as_of: '2026-11-21T10:00:00.000Z',
    valid_until: null,
    improves_at: null,
    suspended: false,
    kinds: [
      {
        limit_kind: 'cumulative',
        limit: '100000000',
        used: `${used}000000`,
        held: '0',
        remaining: `${remaining}000000`,
        window: { type: 'none', start: '2026-11-01T00:00:00Z', end: null },
        action: 'block',
        warn_at_percent: null,
        overage_multiplier: 1,
        grace: null,
        on_error: 'deny',
        bands: [
          { up_to: `${remaining}000000`, outcome: 'allow', reason: 'within_limit' },
          { up_to: null, outcome: 'block', reason: 'limit_exceeded' },
        ],
      },
    ],
    absent: { any: 'no_entitlement', consume: 'no_entitlement', lease: 'no_entitlement', assign: 'no_entitlement' },
    ...rest,
  }
}
