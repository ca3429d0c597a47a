import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  check,
  date,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uuid,
} from 'drizzle-orm/pg-core'
import { bytea, instant, quantity, textC } from './columns.ts'

/**
 * Append-only record of what was done; a correction is a reversal. No unique index beyond its id, so that it can be
 * partitioned by month. `counted_at` = `occurred_at`, or `recorded_at` of a late entry and of one that nothing covered
 * when it occurred. `limit_kind_code` is what it drew on; null when nothing was entitled. `chain_seq` numbers the entries
 * of an (account, resource) as they were recorded; `chain_hash` covers the entry and all before it: docs/LEDGER_CHAIN.md.
 */
export const consumptionLedger = pgTable(
  'consumption_ledger',
  {
    entryId: uuid('entry_id').primaryKey(),
    namespaceId: text('namespace_id').notNull(),
    accountId: uuid('account_id').notNull(),
    resourceTypeCode: textC('resource_type_code').notNull(),
    resourceScope: text('resource_scope'),
    entryKind: text('entry_kind').notNull(),
    limitKindCode: text('limit_kind_code'),
    idempotencyKey: text('idempotency_key').notNull(),
    quantity: quantity('quantity').notNull(),
    unitCode: text('unit_code').notNull(),
    originalQuantity: quantity('original_quantity').notNull(),
    originalUnitCode: text('original_unit_code').notNull(),
    occurredAt: instant('occurred_at').notNull(),
    recordedAt: instant('recorded_at').notNull(),
    countedAt: instant('counted_at').notNull(),
    isLate: boolean('is_late').notNull(),
    reversesEntryId: uuid('reverses_entry_id'),
    includedQuantity: quantity('included_quantity').notNull(),
    overageQuantity: quantity('overage_quantity').notNull(),
    excessQuantity: quantity('excess_quantity').notNull(),
    detailsHash: bytea('details_hash'),
    chainSeq: bigint('chain_seq', { mode: 'number' }).notNull(),
    chainHash: bytea('chain_hash').notNull(),
  },
  (t) => [
    index('consumption_ledger_by_resource').on(t.accountId, t.resourceTypeCode, t.occurredAt, t.entryId),
    index('consumption_ledger_by_namespace').on(t.namespaceId, t.occurredAt, t.entryId),
    index('consumption_ledger_reversals')
      .on(t.accountId, t.resourceTypeCode, t.recordedAt)
      .where(sql`${t.entryKind} = 'reversal'`),
    index('consumption_ledger_chain').on(t.accountId, t.resourceTypeCode, t.chainSeq),
    index('consumption_ledger_reversed').on(t.reversesEntryId).where(sql`${t.reversesEntryId} is not null`),
  ],
)

/**
 * What an entry drew on: one row for each entitlement, with the billing facts as of recording; a reversal gives back in
 * the reverse of `draw_order`.
 */
export const consumptionAllocations = pgTable(
  'consumption_allocations',
  {
    entryId: uuid('entry_id').notNull(),
    entitlementId: uuid('entitlement_id').notNull(),
    accountId: uuid('account_id').notNull(),
    resourceTypeCode: textC('resource_type_code').notNull(),
    bucketId: uuid('bucket_id').notNull(),
    windowStart: instant('window_start').notNull(),
    windowEnd: instant('window_end').notNull(),
    countedAt: instant('counted_at').notNull(),
    includedQuantity: quantity('included_quantity').notNull(),
    overageQuantity: quantity('overage_quantity').notNull(),
    excessQuantity: quantity('excess_quantity').notNull(),
    billableQuantity: quantity('billable_quantity').notNull(),
    overageMultiplier: quantity('overage_multiplier').notNull(),
    drawOrder: integer('draw_order').notNull().default(1),
  },
  (t) => [
    primaryKey({ columns: [t.entryId, t.entitlementId] }),
    // With the quantities, so that the edges of a rolling window are read from the index alone.
    index('consumption_allocations_by_bucket').on(
      t.bucketId,
      t.countedAt,
      t.includedQuantity,
      t.overageQuantity,
      t.excessQuantity,
    ),
    // What was given back leaves a rolling window, too, and that narrows it.
    index('consumption_allocations_given_back')
      .on(t.bucketId, t.countedAt)
      .where(sql`${t.includedQuantity} + ${t.overageQuantity} + ${t.excessQuantity} < 0`),
    // When a window's limit was first exceeded.
    index('consumption_allocations_over')
      .on(t.bucketId, t.countedAt)
      .where(sql`${t.overageQuantity} + ${t.excessQuantity} > 0`),
  ],
)

/** Personal strings of entries, outside the ledger so that they can be erased; the ledger keeps their salted SHA-256. */
export const ledgerDetails = pgTable(
  'ledger_details',
  {
    entryId: uuid('entry_id').primaryKey(),
    metadata: jsonb('metadata').notNull(),
    salt: bytea('salt').notNull(),
    accountId: uuid('account_id').notNull(),
  },
  (t) => [index('ledger_details_by_account').on(t.accountId)],
)

/**
 * Heads of chains, signed outside the database with a key that is not in it. Append-only. Each signature covers the one
 * before it of its namespace, so that none can be taken out. `chain`: `ledger`, of an (account, resource), or `audit`, of
 * the namespace. Columns as the Worker signed them; docs/LEDGER_CHAIN.md.
 */
export const signedHeads = pgTable(
  'signed_heads',
  {
    namespaceId: text('namespace_id').notNull(),
    headNumber: bigint('head_number', { mode: 'number' }).notNull(),
    chain: text('chain').notNull(),
    accountId: uuid('account_id'),
    resourceTypeCode: textC('resource_type_code'),
    chainSeq: bigint('chain_seq', { mode: 'number' }).notNull(),
    chainHash: bytea('chain_hash').notNull(),
    signedAt: instant('signed_at').notNull(),
    keyId: text('key_id').notNull(),
    previousSignature: bytea('previous_signature'),
    signature: bytea('signature').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.namespaceId, t.headNumber] }),
    index('signed_heads_by_resource')
      .on(t.accountId, t.resourceTypeCode, t.chainSeq)
      .where(sql`${t.accountId} is not null`),
    index('signed_heads_of_audit').on(t.namespaceId, t.chainSeq).where(sql`${t.accountId} is null`),
    check('signed_heads_chain', sql`${t.chain} in ('ledger', 'audit')`),
    check('signed_heads_of', sql`(${t.chain} = 'ledger') = (num_nulls(${t.accountId}, ${t.resourceTypeCode}) = 0)`),
  ],
)

/** Of the signed heads of a namespace: the last one, on which the next follows, and how many have been exported. */
export const headSigning = pgTable('head_signing', {
  namespaceId: text('namespace_id').primaryKey(),
  lastNumber: bigint('last_number', { mode: 'number' }).notNull().default(0),
  lastSignature: bytea('last_signature'),
  exportedNumber: bigint('exported_number', { mode: 'number' }).notNull().default(0),
})

/**
 * Usage by UTC day and quarter of an hour (1–96; all timezones' days align with quarters) in which it counts, by bucket;
 * bucket 0 takes what drew on no cumulative entitlement. One row a day keeps every window's sum within a bounded number
 * of rows. Bucket f…f moves what counts at another time than it occurred: added when it occurred, taken off when it
 * counts, so that all buckets together are the usage by `occurred_at`.
 */
export const usageRollups = pgTable(
  'usage_rollups',
  {
    accountId: uuid('account_id').notNull(),
    resourceTypeCode: textC('resource_type_code').notNull(),
    bucketId: uuid('bucket_id').notNull(),
    day: date('day').notNull(),
    quantity: quantity('quantity').notNull(),
    overageQuantity: quantity('overage_quantity').notNull(),
    quarters: quantity('quarters').array().notNull(),
    overageQuarters: quantity('overage_quarters').array().notNull(),
  },
  (t) => [primaryKey({ columns: [t.accountId, t.resourceTypeCode, t.bucketId, t.day] })],
)

/** The stock of an inventory resource per scope ('' = none): the sum of its ledger entries that drew on no window. */
export const inventoryTotals = pgTable(
  'inventory_totals',
  {
    accountId: uuid('account_id').notNull(),
    resourceTypeCode: textC('resource_type_code').notNull(),
    resourceScope: text('resource_scope').notNull(),
    quantity: quantity('quantity').notNull(),
  },
  (t) => [primaryKey({ columns: [t.accountId, t.resourceTypeCode, t.resourceScope] })],
)
