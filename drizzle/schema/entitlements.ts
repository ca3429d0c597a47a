import { sql } from 'drizzle-orm'
import {
  boolean,
  check,
  foreignKey,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  unique,
  uuid,
} from 'drizzle-orm/pg-core'
import { instant, interval, quantity, textC } from './columns.ts'

export const plans = pgTable(
  'plans',
  {
    planId: text('plan_id').notNull(),
    namespaceId: text('namespace_id').notNull().default('default'),
    planName: text('plan_name').notNull(),
    status: text('status').notNull().default('draft'),
    isTrial: boolean('is_trial').notNull().default(false),
    trialDays: integer('trial_days'),
    externalId: text('external_id'),
    currentVersion: integer('current_version').notNull().default(1),
    createdAt: instant('created_at').notNull().default(sql`now()`),
    updatedAt: instant('updated_at').notNull().default(sql`now()`),
  },
  (t) => [
    primaryKey({ columns: [t.namespaceId, t.planId] }),
    check('plans_status', sql`${t.status} in ('draft', 'active', 'archived')`),
    check('plans_trial_days_positive', sql`${t.trialDays} > 0`),
  ],
)

/** A subscriber stays on the version that it subscribed to. */
export const planVersions = pgTable(
  'plan_versions',
  {
    namespaceId: text('namespace_id').notNull(),
    planId: text('plan_id').notNull(),
    planVersion: integer('plan_version').notNull(),
    createdAt: instant('created_at').notNull().default(sql`now()`),
  },
  (t) => [
    primaryKey({ columns: [t.namespaceId, t.planId, t.planVersion] }),
    foreignKey({ columns: [t.namespaceId, t.planId], foreignColumns: [plans.namespaceId, plans.planId] }),
  ],
)

/**
 * What a plan grants. The first nine columns keep the seeds' order. A template inserted again for the same plan
 * version, resource, scope, kind, window and priority replaces the earlier one (trigger), hence no references to it.
 */
export const planEntitlementTemplates = pgTable(
  'plan_entitlement_templates',
  {
    templateId: uuid('template_id').primaryKey().defaultRandom(),
    planId: text('plan_id').notNull(),
    resourceTypeCode: textC('resource_type_code').notNull(),
    resourceScope: text('resource_scope'),
    limitKindCode: text('limit_kind_code').notNull(),
    quantityAllowed: quantity('quantity_allowed'),
    unitCode: text('unit_code'),
    windowTypeCode: text('window_type_code'),
    durationDays: integer('duration_days'),
    priority: integer('priority').notNull().default(100),
    /** Null on insert: the trigger fills in the plan's namespace and current version. */
    namespaceId: text('namespace_id').notNull().default(sql`null`),
    planVersion: integer('plan_version').notNull().default(sql`null`),
    rolloverMaxQuantity: quantity('rollover_max_quantity'),
    rolloverPercent: quantity('rollover_percent'),
  },
  (t) => [
    unique('plan_entitlement_templates_key')
      .on(
        t.namespaceId,
        t.planId,
        t.planVersion,
        t.resourceTypeCode,
        t.resourceScope,
        t.limitKindCode,
        t.windowTypeCode,
        t.priority,
      )
      .nullsNotDistinct(),
    check('plan_entitlement_templates_quantity', sql`${t.quantityAllowed} >= 0`),
    check('plan_entitlement_templates_duration', sql`${t.durationDays} > 0`),
    check(
      'plan_entitlement_templates_rollover',
      sql`${t.rolloverMaxQuantity} >= 0 and ${t.rolloverPercent} between 0 and 100`,
    ),
    foreignKey({
      columns: [t.namespaceId, t.planId, t.planVersion],
      foreignColumns: [planVersions.namespaceId, planVersions.planId, planVersions.planVersion],
    }),
  ],
)

/**
 * What an account is subscribed to. The plan is the one of now until `pending_at`, from then on the pending one: no job
 * moves it (`fn_subscription_at`). `plan_start` is when the plan began, whatever its version: trials and durations count
 * from there; `trial_end` is when the plan's trial ends, `end_at` when the subscription does. `cut_ends` has the ends that
 * entitlements had before a pending change or cancel cut them short, by their ids.
 */
export const subscriptions = pgTable(
  'subscriptions',
  {
    subscriptionId: uuid('subscription_id').primaryKey(),
    namespaceId: text('namespace_id').notNull(),
    accountId: uuid('account_id').notNull(),
    planId: text('plan_id').notNull(),
    planVersion: integer('plan_version').notNull(),
    quantity: quantity('quantity').notNull().default('1'),
    startAt: instant('start_at').notNull(),
    endAt: instant('end_at'),
    billingAnchor: instant('billing_anchor').notNull(),
    canceledAt: instant('canceled_at'),
    createdAt: instant('created_at').notNull(),
    planStart: instant('plan_start').notNull(),
    trialEnd: instant('trial_end'),
    pendingAt: instant('pending_at'),
    pendingPlanId: text('pending_plan_id'),
    pendingPlanVersion: integer('pending_plan_version'),
    pendingQuantity: quantity('pending_quantity'),
    cutEnds: jsonb('cut_ends').notNull().default({}),
  },
  (t) => [
    index('subscriptions_by_account').on(t.accountId, t.subscriptionId),
    index('subscriptions_by_plan').on(t.namespaceId, t.planId, t.subscriptionId),
    index('subscriptions_by_pending_plan')
      .on(t.namespaceId, t.pendingPlanId, t.subscriptionId)
      .where(sql`${t.pendingAt} is not null`),
    check('subscriptions_quantity_positive', sql`${t.quantity} > 0 and ${t.pendingQuantity} > 0`),
    check(
      'subscriptions_pending',
      sql`num_nulls(${t.pendingAt}, ${t.pendingPlanId}, ${t.pendingPlanVersion}, ${t.pendingQuantity}) in (0, 4)`,
    ),
    foreignKey({
      columns: [t.namespaceId, t.planId, t.planVersion],
      foreignColumns: [planVersions.namespaceId, planVersions.planId, planVersions.planVersion],
    }),
  ],
)

/**
 * What an account holds. `bucket_id` names its counter, which a plan change hands on together with `window_anchor`;
 * `limit_quantity` is `quantity_allowed` in the resource's own unit; class and period are those of the window type, kept
 * here so that a check need not look them up. `rollover_limit`, in the resource's own unit too, says that it has rollover:
 * at most how much ('Infinity' = no bound). All of these, and the start, are filled in by trigger.
 */
export const entitlements = pgTable(
  'entitlements',
  {
    entitlementId: uuid('entitlement_id').primaryKey().defaultRandom(),
    accountId: uuid('account_id').notNull(),
    resourceTypeCode: textC('resource_type_code').notNull(),
    resourceScope: text('resource_scope'),
    limitKindCode: text('limit_kind_code').notNull(),
    quantityAllowed: quantity('quantity_allowed'),
    unitCode: text('unit_code'),
    windowTypeCode: text('window_type_code'),
    priority: integer('priority').notNull().default(100),
    effectiveStart: instant('effective_start').notNull().default(sql`null`),
    effectiveEnd: instant('effective_end'),
    revokedAt: instant('revoked_at'),
    sourceType: text('source_type').notNull().default('manual'),
    planId: text('plan_id'),
    planVersion: integer('plan_version'),
    subscriptionId: uuid('subscription_id'),
    bucketId: uuid('bucket_id').notNull().default(sql`null`),
    windowAnchor: instant('window_anchor').notNull().default(sql`null`),
    limitQuantity: quantity('limit_quantity'),
    windowClass: text('window_class'),
    windowPeriod: interval('window_period'),
    metadata: jsonb('metadata').notNull().default({}),
    createdAt: instant('created_at').notNull().default(sql`null`),
    rolloverMaxQuantity: quantity('rollover_max_quantity'),
    rolloverPercent: quantity('rollover_percent'),
    rolloverLimit: quantity('rollover_limit'),
    revokeReason: text('revoke_reason'),
  },
  (t) => [
    index('entitlements_by_resource').on(t.accountId, t.resourceTypeCode),
    index('entitlements_by_subscription').on(t.subscriptionId).where(sql`${t.subscriptionId} is not null`),
    check('entitlements_quantity', sql`${t.quantityAllowed} >= 0`),
    check('entitlements_end_after_start', sql`${t.effectiveEnd} > ${t.effectiveStart}`),
    check('entitlements_window', sql`(${t.limitKindCode} = 'cumulative') = (${t.windowClass} is not null)`),
    check('entitlements_source', sql`${t.sourceType} in ('plan', 'manual')`),
    check('entitlements_rollover', sql`${t.rolloverMaxQuantity} >= 0 and ${t.rolloverPercent} between 0 and 100`),
  ],
)

/** What an entitlement with rollover granted until it was changed: a closed window rolls over what it had then. */
export const entitlementTerms = pgTable(
  'entitlement_terms',
  {
    entitlementId: uuid('entitlement_id').notNull(),
    validUntil: instant('valid_until').notNull(),
    limitQuantity: quantity('limit_quantity'),
    rolloverLimit: quantity('rollover_limit'),
    rolloverPercent: quantity('rollover_percent'),
  },
  (t) => [primaryKey({ columns: [t.entitlementId, t.validUntil] })],
)

/**
 * Cumulative counters, by bucket and window; a window without a row is at zero. Keyed by the end, so that the windows
 * still running are one short range however many have passed. used = carried + the sum of its allocations. From
 * `frozen_at` on the row never changes again (trigger). Bucket 0 takes what drew on no cumulative entitlement, by the UTC
 * month of its recording.
 */
export const entitlementWindows = pgTable(
  'entitlement_windows',
  {
    accountId: uuid('account_id').notNull(),
    resourceTypeCode: textC('resource_type_code').notNull(),
    windowEnd: instant('window_end').notNull(),
    bucketId: uuid('bucket_id').notNull(),
    windowStart: instant('window_start').notNull(),
    carried: quantity('carried').notNull().default('0'),
    used: quantity('used').notNull(),
    includedQuantity: quantity('included_quantity').notNull(),
    overageQuantity: quantity('overage_quantity').notNull(),
    excessQuantity: quantity('excess_quantity').notNull(),
    billableQuantity: quantity('billable_quantity').notNull(),
    billableAmount: quantity('billable_amount').notNull(),
    frozenAt: instant('frozen_at'),
  },
  (t) => [
    primaryKey({ columns: [t.accountId, t.resourceTypeCode, t.windowEnd, t.bucketId] }),
    // No column of it is one that a use changes.
    index('entitlement_windows_open').on(t.accountId, t.windowEnd).where(sql`${t.frozenAt} is null`),
  ],
)

/**
 * Of a bucket that was handed on, what each entitlement but its first has drawn in a window; the rest of the window's
 * counter is the first one's. Kept apart because each is billed on its own, and few buckets ever need it.
 */
export const entitlementWindowParts = pgTable(
  'entitlement_window_parts',
  {
    accountId: uuid('account_id').notNull(),
    resourceTypeCode: textC('resource_type_code').notNull(),
    windowEnd: instant('window_end').notNull(),
    bucketId: uuid('bucket_id').notNull(),
    entitlementId: uuid('entitlement_id').notNull(),
    includedQuantity: quantity('included_quantity').notNull(),
    overageQuantity: quantity('overage_quantity').notNull(),
    excessQuantity: quantity('excess_quantity').notNull(),
    billableQuantity: quantity('billable_quantity').notNull(),
    billableAmount: quantity('billable_amount').notNull(),
  },
  (t) => [
    primaryKey({
      name: 'entitlement_window_parts_pk',
      columns: [t.accountId, t.resourceTypeCode, t.windowEnd, t.bucketId, t.entitlementId],
    }),
  ],
)
