import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  check,
  index,
  integer,
  jsonb,
  numeric,
  pgTable,
  primaryKey,
  text,
  unique,
  uuid,
} from 'drizzle-orm/pg-core'
import { bytea, instant, interval, textC } from './columns.ts'

/** A tenant of the service: its own accounts, plans, rules, keys and clock. */
export const namespaces = pgTable(
  'namespaces',
  {
    namespaceId: text('namespace_id').primaryKey(),
    configVersion: bigint('config_version', { mode: 'number' }).notNull().default(1),
    isSandbox: boolean('is_sandbox').notNull().default(false),
    clockOffset: interval('clock_offset').notNull().default('0'),
    lateArrivalGrace: interval('late_arrival_grace').notNull().default('1 hour'),
    rawUuids: boolean('raw_uuids').notNull().default(false),
    accountSeed: uuid('account_seed').notNull().defaultRandom(),
    createdAt: instant('created_at').notNull().default(sql`now()`),
  },
  (t) => [
    check('namespaces_id_format', sql`${t.namespaceId} ~ '^[a-z0-9][a-z0-9-]{0,62}$'`),
    check('namespaces_grace_not_negative', sql`${t.lateArrivalGrace} >= interval '0'`),
  ],
)

/**
 * Rows appear by themselves on first use. `external_id` is the caller's own string, null where that is the UUID, or was
 * erased: `erased_at` is when personal strings last were.
 */
export const accounts = pgTable(
  'accounts',
  {
    accountId: uuid('account_id').primaryKey(),
    namespaceId: text('namespace_id').notNull().default('default'),
    externalId: text('external_id'),
    accountName: text('account_name'),
    timezone: text('timezone').notNull().default('UTC'),
    status: text('status').notNull().default('active'),
    metadata: jsonb('metadata').notNull().default({}),
    createdAt: instant('created_at').notNull().default(sql`now()`),
    erasedAt: instant('erased_at'),
  },
  (t) => [
    check('accounts_status', sql`${t.status} in ('active', 'suspended')`),
    index('accounts_by_namespace').on(t.namespaceId, t.accountId),
  ],
)

/** Only the SHA-256 of a key is kept. */
export const apiKeys = pgTable(
  'api_keys',
  {
    keyId: uuid('key_id').primaryKey().defaultRandom(),
    namespaceId: text('namespace_id')
      .notNull()
      .references(() => namespaces.namespaceId),
    keyName: text('key_name').notNull(),
    keyHash: bytea('key_hash').notNull().unique(),
    keyPrefix: text('key_prefix').notNull(),
    scopes: text('scopes').array().notNull(),
    expiresAt: instant('expires_at'),
    createdAt: instant('created_at').notNull().default(sql`now()`),
    lastUsedAt: instant('last_used_at'),
    revokedAt: instant('revoked_at'),
    /** The key that takes its place once `expires_at` has come. */
    rotatedTo: uuid('rotated_to'),
  },
  (t) => [
    check('api_keys_scopes', sql`${t.scopes} <@ array['check', 'meter', 'lease', 'read', 'admin']`),
    index('api_keys_by_namespace').on(t.namespaceId, t.createdAt, t.keyId),
  ],
)

/**
 * Where a job goes on that goes through all rows of `resource_state`, of one namespace or ('') of all, in the order of
 * their keys. Null: at the first. `from_seq`: after which entry of that chain.
 */
export const maintenanceCursors = pgTable(
  'maintenance_cursors',
  {
    job: text('job').notNull(),
    namespaceId: text('namespace_id').notNull(),
    fromAccountId: uuid('from_account_id'),
    fromResourceTypeCode: textC('from_resource_type_code'),
    fromSeq: bigint('from_seq', { mode: 'number' }),
  },
  (t) => [primaryKey({ columns: [t.job, t.namespaceId] })],
)

/** Remembered as long as the ledger: no window after which a retry is counted twice. */
export const idempotencyKeys = pgTable(
  'idempotency_keys',
  {
    accountId: uuid('account_id').notNull(),
    idempotencyKey: text('idempotency_key').notNull(),
    operation: text('operation').notNull(),
    requestHash: bytea('request_hash').notNull(),
    result: jsonb('result').notNull(),
    createdAt: instant('created_at').notNull(),
  },
  (t) => [primaryKey({ columns: [t.accountId, t.idempotencyKey] })],
)

/**
 * Who changed what, from what to what. Append-only; in real time. `actor`: `key:<id>`, `token` or `token:<account id>`,
 * `cron`, `role:<database role>`. `details_hash` stands for the personal strings, which are in `audit_details`.
 */
export const auditLog = pgTable(
  'audit_log',
  {
    auditId: uuid('audit_id').primaryKey(),
    namespaceId: text('namespace_id').notNull(),
    accountId: uuid('account_id'),
    actor: text('actor').notNull(),
    requestId: text('request_id'),
    action: text('action').notNull(),
    objectType: text('object_type').notNull(),
    objectId: text('object_id').notNull(),
    before: jsonb('before'),
    after: jsonb('after'),
    detailsHash: bytea('details_hash'),
    changedAt: instant('changed_at').notNull(),
  },
  (t) => [
    index('audit_log_by_namespace').on(t.namespaceId, t.changedAt, t.auditId),
    index('audit_log_by_account').on(t.accountId, t.changedAt, t.auditId).where(sql`${t.accountId} is not null`),
    index('audit_log_by_object').on(t.namespaceId, t.objectId, t.changedAt, t.auditId),
  ],
)

/**
 * The hash chain of each namespace's trail, in the order of the commits: a row for each of `audit_log`, whose hash covers
 * that and all before it (docs/LEDGER_CHAIN.md). Apart from the trail, as it is known only at the commit.
 */
export const auditChain = pgTable(
  'audit_chain',
  {
    namespaceId: text('namespace_id').notNull(),
    chainSeq: bigint('chain_seq', { mode: 'number' }).notNull(),
    auditId: uuid('audit_id').notNull().unique(),
    chainHash: bytea('chain_hash').notNull(),
  },
  (t) => [primaryKey({ columns: [t.namespaceId, t.chainSeq] })],
)

/** The last link of each namespace's audit chain: the row that is locked to add one, last of all locks. */
export const auditHeads = pgTable('audit_heads', {
  namespaceId: text('namespace_id').primaryKey(),
  chainSeq: bigint('chain_seq', { mode: 'number' }).notNull().default(0),
  chainHash: bytea('chain_hash'),
})

/** Personal strings of the trail, outside it so that they can be erased; the trail keeps their salted SHA-256. */
export const auditDetails = pgTable(
  'audit_details',
  {
    auditId: uuid('audit_id').primaryKey(),
    accountId: uuid('account_id'),
    before: jsonb('before'),
    after: jsonb('after'),
    salt: bytea('salt').notNull(),
  },
  (t) => [index('audit_details_by_account').on(t.accountId).where(sql`${t.accountId} is not null`)],
)

/** `namespace_id` null: known to all namespaces (look-ups alike below). */
export const resourceTypes = pgTable(
  'resource_types',
  {
    namespaceId: text('namespace_id'),
    resourceTypeCode: text('resource_type_code').notNull(),
    resourceName: text('resource_name').notNull(),
    unitCode: text('unit_code').notNull(),
    createdAt: instant('created_at').notNull().default(sql`now()`),
  },
  (t) => [unique('resource_types_code').on(t.resourceTypeCode, t.namespaceId).nullsNotDistinct()],
)

/** `factor` × a quantity in this unit = the quantity in the dimension's base unit. */
export const unitTypes = pgTable(
  'unit_types',
  {
    namespaceId: text('namespace_id'),
    unitCode: text('unit_code').notNull(),
    dimension: text('dimension').notNull(),
    factor: numeric('factor').notNull(),
    createdAt: instant('created_at').notNull().default(sql`now()`),
  },
  (t) => [
    unique('unit_types_code').on(t.unitCode, t.namespaceId).nullsNotDistinct(),
    check('unit_types_factor_positive', sql`${t.factor} > 0`),
  ],
)

/** `decision_order`: which kind's answer leads among equals. */
export const limitKinds = pgTable('limit_kinds', {
  limitKindCode: text('limit_kind_code').primaryKey(),
  decisionOrder: integer('decision_order').notNull(),
  description: text('description').notNull(),
})

/** A new window is a row: its class and its period (months, days or an exact time, never a mixture). */
export const windowTypes = pgTable(
  'window_types',
  {
    windowTypeCode: text('window_type_code').primaryKey(),
    windowClass: text('window_class').notNull(),
    period: interval('period'),
    description: text('description').notNull(),
  },
  (t) => [
    check('window_types_class', sql`${t.windowClass} in ('calendar', 'anchored', 'rolling', 'none')`),
    check('window_types_period', sql`(${t.windowClass} = 'none') = (${t.period} is null)`),
    check(
      'window_types_period_of_one_unit',
      sql`${t.period} is null or (extract(epoch from ${t.period}) > 0 and 1 =
        (extract(year from ${t.period}) * 12 + extract(month from ${t.period}) > 0)::int
        + (extract(day from ${t.period}) > 0)::int
        + (${t.period} - date_trunc('day', ${t.period}) > interval '0')::int)`,
    ),
  ],
)

export const limitActions = pgTable('limit_actions', {
  limitActionCode: text('limit_action_code').primaryKey(),
  description: text('description').notNull(),
})
