import { sql } from 'drizzle-orm'
import { bigint, check, index, integer, jsonb, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import { bytea, composite, instant, quantity, textC } from './columns.ts'

/** What happens at a limit. The most specific wins: account, then plan, then resource; among equals the newest. */
export const controlRules = pgTable(
  'control_rules',
  {
    ruleId: uuid('rule_id').primaryKey().defaultRandom(),
    /** Null on insert: the trigger fills in the account's namespace, else `default`. */
    namespaceId: text('namespace_id').notNull().default(sql`null`),
    accountId: uuid('account_id'),
    /** The account, or zero: so that one index range holds an account's own rules and those of all accounts. */
    accountKey: uuid('account_key')
      .notNull()
      .generatedAlwaysAs(sql`coalesce(account_id, '00000000-0000-0000-0000-000000000000')`),
    planId: text('plan_id'),
    resourceTypeCode: textC('resource_type_code').notNull(),
    limitKindCode: text('limit_kind_code').notNull(),
    limitActionCode: text('limit_action_code').notNull(),
    warnAtPercent: quantity('warn_at_percent'),
    overageMultiplier: quantity('overage_multiplier'),
    overageCap: quantity('overage_cap'),
    gracePercent: quantity('grace_percent'),
    graceSeconds: bigint('grace_seconds', { mode: 'number' }),
    onError: text('on_error').notNull().default('deny'),
    createdAt: instant('created_at').notNull().default(sql`null`),
    /** Newest wins, also within one statement. */
    ruleNumber: bigint('rule_number', { mode: 'number' }).notNull().generatedAlwaysAsIdentity(),
  },
  (t) => [
    index('control_rules_by_resource').on(t.namespaceId, t.resourceTypeCode, t.accountKey),
    check('control_rules_warn', sql`${t.warnAtPercent} > 0 and ${t.warnAtPercent} <= 100`),
    check('control_rules_overage', sql`${t.overageMultiplier} >= 0 and ${t.overageCap} >= 0`),
    check('control_rules_grace', sql`${t.gracePercent} >= 0 and ${t.graceSeconds} >= 0`),
    check('control_rules_on_error', sql`${t.onError} in ('allow', 'deny')`),
  ],
)

/**
 * The row that every command on an (account, resource) locks. The grace clocks are the instants at which a limit was
 * crossed; the cumulative one ends with the earliest-ending window of that moment (null: it has no such end), and stands
 * until the limit is exceeded in a later one.
 * `chain_seq`, `chain_hash`: of the last entry in the ledger; hash null: there is none. `continuation`: what the last
 * consume left to the next, good as long as its `key_version` is the row's.
 */
export const resourceState = pgTable(
  'resource_state',
  {
    accountId: uuid('account_id').notNull(),
    resourceTypeCode: textC('resource_type_code').notNull(),
    keyVersion: bigint('key_version', { mode: 'number' }).notNull().default(0),
    lastFencingToken: bigint('last_fencing_token', { mode: 'number' }).notNull().default(0),
    cumulativeExceededAt: instant('cumulative_exceeded_at'),
    cumulativeGraceEnd: instant('cumulative_grace_end'),
    inventoryExceededAt: instant('inventory_exceeded_at'),
    concurrencyExceededAt: instant('concurrency_exceeded_at'),
    chainSeq: bigint('chain_seq', { mode: 'number' }).notNull().default(0),
    chainHash: bytea('chain_hash'),
    continuation: composite('continuation')('continuation'),
  },
  (t) => [primaryKey({ columns: [t.accountId, t.resourceTypeCode] })],
)

/**
 * Floating seats. A lease past `expires_at` holds none, whatever `ended_at` says. `due_at`, never after `expires_at` was
 * when it was last looked at: when to look whether it has ended. A heartbeat leaves it where it is, so that it touches no
 * indexed column; whoever looks and finds the lease alive moves it on.
 */
export const concurrencyLeases = pgTable(
  'concurrency_leases',
  {
    leaseId: uuid('lease_id').primaryKey(),
    namespaceId: text('namespace_id').notNull(),
    accountId: uuid('account_id').notNull(),
    resourceTypeCode: textC('resource_type_code').notNull(),
    resourceScope: text('resource_scope'),
    holder: text('holder').notNull(),
    units: integer('units').notNull(),
    fencingToken: bigint('fencing_token', { mode: 'number' }).notNull(),
    acquiredAt: instant('acquired_at').notNull(),
    heartbeatAt: instant('heartbeat_at').notNull(),
    expiresAt: instant('expires_at').notNull(),
    ttlSeconds: integer('ttl_seconds').notNull(),
    dueAt: instant('due_at').notNull(),
    endStatus: text('end_status'),
    endedAt: instant('ended_at'),
    endReason: text('end_reason'),
    metadata: jsonb('metadata').notNull().default({}),
  },
  (t) => [
    index('concurrency_leases_open').on(t.accountId, t.resourceTypeCode).where(sql`${t.endedAt} is null`),
    index('concurrency_leases_due').on(t.namespaceId, t.dueAt).where(sql`${t.endedAt} is null`),
    index('concurrency_leases_by_account').on(t.accountId, t.leaseId),
    index('concurrency_leases_by_namespace').on(t.namespaceId, t.leaseId),
    check('concurrency_leases_units_positive', sql`${t.units} > 0`),
    check('concurrency_leases_end', sql`(${t.endStatus} is null) = (${t.endedAt} is null)`),
    check('concurrency_leases_end_status', sql`${t.endStatus} in ('released', 'expired', 'revoked')`),
  ],
)

/**
 * Quantity held for work whose size is known at its end. A live one counts as spent until `expires_at`. A committed one
 * ended when its entry occurred, so that at each instant either the hold counts or the entry. `committed_state` is what
 * the commit answered, for its repetition.
 */
export const reservations = pgTable(
  'reservations',
  {
    reservationId: uuid('reservation_id').primaryKey(),
    namespaceId: text('namespace_id').notNull(),
    accountId: uuid('account_id').notNull(),
    resourceTypeCode: textC('resource_type_code').notNull(),
    resourceScope: text('resource_scope'),
    idempotencyKey: text('idempotency_key').notNull(),
    limitKindCode: text('limit_kind_code').notNull(),
    quantity: quantity('quantity').notNull(),
    overageQuantity: quantity('overage_quantity').notNull(),
    reservedAt: instant('reserved_at').notNull(),
    expiresAt: instant('expires_at').notNull(),
    endStatus: text('end_status'),
    endedAt: instant('ended_at'),
    entryId: uuid('entry_id'),
    committedQuantity: quantity('committed_quantity'),
    committedState: jsonb('committed_state'),
  },
  (t) => [
    index('reservations_open').on(t.accountId, t.resourceTypeCode).where(sql`${t.endedAt} is null`),
    index('reservations_due').on(t.namespaceId, t.expiresAt).where(sql`${t.endedAt} is null`),
    // A hold lasts a day at most: what was held at an instant is one range.
    index('reservations_by_time').on(t.accountId, t.resourceTypeCode, t.reservedAt),
    check('reservations_end', sql`(${t.endStatus} is null) = (${t.endedAt} is null)`),
    check('reservations_end_status', sql`${t.endStatus} in ('committed', 'released', 'expired')`),
    check(
      'reservations_commit',
      sql`(${t.endStatus} is not distinct from 'committed') = (${t.committedQuantity} is not null)`,
    ),
    check(
      'reservations_ttl',
      sql`${t.expiresAt} > ${t.reservedAt} and ${t.expiresAt} <= ${t.reservedAt} + interval '24 hours'`,
    ),
  ],
)

/**
 * What a reservation holds, by entitlement and window; a commit draws on these, in this order. A change of plan may move
 * it to what takes an entitlement's place: rows say from when until when.
 */
export const reservationAllocations = pgTable(
  'reservation_allocations',
  {
    reservationId: uuid('reservation_id').notNull(),
    entitlementId: uuid('entitlement_id').notNull(),
    drawOrder: integer('draw_order').notNull(),
    bucketId: uuid('bucket_id').notNull(),
    windowStart: instant('window_start').notNull(),
    windowEnd: instant('window_end').notNull(),
    includedQuantity: quantity('included_quantity').notNull(),
    overageQuantity: quantity('overage_quantity').notNull(),
    heldFrom: instant('held_from').notNull().default(sql`'-infinity'`),
    heldUntil: instant('held_until').notNull().default(sql`'infinity'`),
  },
  (t) => [primaryKey({ columns: [t.reservationId, t.entitlementId] })],
)

/** Named items that an account holds; assignment and release are ledger entries. `decision` is what the assignment answered, for its repetition. */
export const inventoryItems = pgTable(
  'inventory_items',
  {
    namespaceId: text('namespace_id').notNull(),
    accountId: uuid('account_id').notNull(),
    resourceTypeCode: textC('resource_type_code').notNull(),
    item: text('item').notNull(),
    resourceScope: text('resource_scope'),
    entryId: uuid('entry_id').notNull(),
    assignedAt: instant('assigned_at').notNull(),
    metadata: jsonb('metadata').notNull().default({}),
    decision: jsonb('decision').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.accountId, t.resourceTypeCode, t.item] }),
    index('inventory_items_by_account').on(t.accountId, t.entryId),
    index('inventory_items_by_namespace').on(t.namespaceId, t.entryId),
  ],
)
