CREATE TABLE "accounts" (
	"account_id" uuid PRIMARY KEY NOT NULL,
	"namespace_id" text DEFAULT 'default' NOT NULL,
	"external_id" text,
	"account_name" text,
	"timezone" text DEFAULT 'UTC' NOT NULL,
	"status" text DEFAULT 'active' NOT NULL,
	"metadata" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "accounts_status" CHECK ("accounts"."status" in ('active', 'suspended'))
);
--> statement-breakpoint
CREATE TABLE "api_keys" (
	"key_id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"namespace_id" text NOT NULL,
	"key_name" text NOT NULL,
	"key_hash" "bytea" NOT NULL,
	"key_prefix" text NOT NULL,
	"scopes" text[] NOT NULL,
	"expires_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"last_used_at" timestamp with time zone,
	"revoked_at" timestamp with time zone,
	CONSTRAINT "api_keys_key_hash_unique" UNIQUE("key_hash"),
	CONSTRAINT "api_keys_scopes" CHECK ("api_keys"."scopes" <@ array['check', 'meter', 'lease', 'read', 'admin'])
);
--> statement-breakpoint
CREATE TABLE "audit_log" (
	"audit_id" uuid PRIMARY KEY NOT NULL,
	"namespace_id" text NOT NULL,
	"actor" text NOT NULL,
	"request_id" text,
	"action" text NOT NULL,
	"object_type" text NOT NULL,
	"object_id" text NOT NULL,
	"before" jsonb,
	"after" jsonb,
	"changed_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "idempotency_keys" (
	"account_id" uuid NOT NULL,
	"idempotency_key" text NOT NULL,
	"operation" text NOT NULL,
	"request_hash" "bytea" NOT NULL,
	"result" jsonb NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	CONSTRAINT "idempotency_keys_account_id_idempotency_key_pk" PRIMARY KEY("account_id","idempotency_key")
);
--> statement-breakpoint
CREATE TABLE "limit_actions" (
	"limit_action_code" text PRIMARY KEY NOT NULL,
	"description" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "limit_kinds" (
	"limit_kind_code" text PRIMARY KEY NOT NULL,
	"decision_order" integer NOT NULL,
	"description" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "namespaces" (
	"namespace_id" text PRIMARY KEY NOT NULL,
	"config_version" bigint DEFAULT 1 NOT NULL,
	"is_sandbox" boolean DEFAULT false NOT NULL,
	"clock_offset" interval DEFAULT '0' NOT NULL,
	"late_arrival_grace" interval DEFAULT '1 hour' NOT NULL,
	"raw_uuids" boolean DEFAULT false NOT NULL,
	"account_seed" uuid DEFAULT gen_random_uuid() NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "namespaces_id_format" CHECK ("namespaces"."namespace_id" ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
	CONSTRAINT "namespaces_grace_not_negative" CHECK ("namespaces"."late_arrival_grace" >= interval '0')
);
--> statement-breakpoint
CREATE TABLE "resource_types" (
	"namespace_id" text,
	"resource_type_code" text NOT NULL,
	"resource_name" text NOT NULL,
	"unit_code" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "resource_types_code" UNIQUE NULLS NOT DISTINCT("resource_type_code","namespace_id")
);
--> statement-breakpoint
CREATE TABLE "unit_types" (
	"namespace_id" text,
	"unit_code" text NOT NULL,
	"dimension" text NOT NULL,
	"factor" numeric NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "unit_types_code" UNIQUE NULLS NOT DISTINCT("unit_code","namespace_id"),
	CONSTRAINT "unit_types_factor_positive" CHECK ("unit_types"."factor" > 0)
);
--> statement-breakpoint
CREATE TABLE "window_types" (
	"window_type_code" text PRIMARY KEY NOT NULL,
	"window_class" text NOT NULL,
	"period" interval,
	"description" text NOT NULL,
	CONSTRAINT "window_types_class" CHECK ("window_types"."window_class" in ('calendar', 'anchored', 'rolling', 'none')),
	CONSTRAINT "window_types_period" CHECK (("window_types"."window_class" = 'none') = ("window_types"."period" is null)),
	CONSTRAINT "window_types_period_of_one_unit" CHECK ("window_types"."period" is null or (extract(epoch from "window_types"."period") > 0 and 1 =
        (extract(year from "window_types"."period") * 12 + extract(month from "window_types"."period") > 0)::int
        + (extract(day from "window_types"."period") > 0)::int
        + ("window_types"."period" - date_trunc('day', "window_types"."period") > interval '0')::int))
);
--> statement-breakpoint
CREATE TABLE "consumption_allocations" (
	"entry_id" uuid NOT NULL,
	"entitlement_id" uuid NOT NULL,
	"account_id" uuid NOT NULL,
	"resource_type_code" text COLLATE "C" NOT NULL,
	"bucket_id" uuid NOT NULL,
	"window_start" timestamp with time zone NOT NULL,
	"window_end" timestamp with time zone NOT NULL,
	"counted_at" timestamp with time zone NOT NULL,
	"included_quantity" numeric NOT NULL,
	"overage_quantity" numeric NOT NULL,
	"excess_quantity" numeric NOT NULL,
	"billable_quantity" numeric NOT NULL,
	"overage_multiplier" numeric NOT NULL,
	CONSTRAINT "consumption_allocations_entry_id_entitlement_id_pk" PRIMARY KEY("entry_id","entitlement_id")
);
--> statement-breakpoint
CREATE TABLE "consumption_ledger" (
	"entry_id" uuid PRIMARY KEY NOT NULL,
	"namespace_id" text NOT NULL,
	"account_id" uuid NOT NULL,
	"resource_type_code" text COLLATE "C" NOT NULL,
	"resource_scope" text,
	"entry_kind" text NOT NULL,
	"limit_kind_code" text,
	"idempotency_key" text NOT NULL,
	"quantity" numeric NOT NULL,
	"unit_code" text NOT NULL,
	"original_quantity" numeric NOT NULL,
	"original_unit_code" text NOT NULL,
	"occurred_at" timestamp with time zone NOT NULL,
	"recorded_at" timestamp with time zone NOT NULL,
	"counted_at" timestamp with time zone NOT NULL,
	"is_late" boolean NOT NULL,
	"reverses_entry_id" uuid,
	"included_quantity" numeric NOT NULL,
	"overage_quantity" numeric NOT NULL,
	"excess_quantity" numeric NOT NULL,
	"details_hash" "bytea"
);
--> statement-breakpoint
CREATE TABLE "inventory_totals" (
	"account_id" uuid NOT NULL,
	"resource_type_code" text COLLATE "C" NOT NULL,
	"resource_scope" text NOT NULL,
	"quantity" numeric NOT NULL,
	CONSTRAINT "inventory_totals_account_id_resource_type_code_resource_scope_pk" PRIMARY KEY("account_id","resource_type_code","resource_scope")
);
--> statement-breakpoint
CREATE TABLE "ledger_details" (
	"entry_id" uuid PRIMARY KEY NOT NULL,
	"metadata" jsonb NOT NULL,
	"salt" "bytea" NOT NULL
);
--> statement-breakpoint
CREATE TABLE "usage_rollups" (
	"account_id" uuid NOT NULL,
	"resource_type_code" text COLLATE "C" NOT NULL,
	"bucket_id" uuid NOT NULL,
	"day" date NOT NULL,
	"quantity" numeric NOT NULL,
	"overage_quantity" numeric NOT NULL,
	"quarters" numeric[] NOT NULL,
	"overage_quarters" numeric[] NOT NULL,
	CONSTRAINT "usage_rollups_account_id_resource_type_code_bucket_id_day_pk" PRIMARY KEY("account_id","resource_type_code","bucket_id","day")
);
--> statement-breakpoint
CREATE TABLE "entitlement_windows" (
	"account_id" uuid NOT NULL,
	"resource_type_code" text COLLATE "C" NOT NULL,
	"window_end" timestamp with time zone NOT NULL,
	"bucket_id" uuid NOT NULL,
	"window_start" timestamp with time zone NOT NULL,
	"carried" numeric DEFAULT '0' NOT NULL,
	"used" numeric NOT NULL,
	"included_quantity" numeric NOT NULL,
	"overage_quantity" numeric NOT NULL,
	"excess_quantity" numeric NOT NULL,
	"billable_quantity" numeric NOT NULL,
	"billable_amount" numeric NOT NULL,
	"frozen_at" timestamp with time zone,
	CONSTRAINT "entitlement_windows_account_id_resource_type_code_window_end_bucket_id_pk" PRIMARY KEY("account_id","resource_type_code","window_end","bucket_id")
);
--> statement-breakpoint
CREATE TABLE "entitlements" (
	"entitlement_id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"account_id" uuid NOT NULL,
	"resource_type_code" text COLLATE "C" NOT NULL,
	"resource_scope" text,
	"limit_kind_code" text NOT NULL,
	"quantity_allowed" numeric,
	"unit_code" text,
	"window_type_code" text,
	"priority" integer DEFAULT 100 NOT NULL,
	"effective_start" timestamp with time zone DEFAULT null NOT NULL,
	"effective_end" timestamp with time zone,
	"revoked_at" timestamp with time zone,
	"source_type" text DEFAULT 'manual' NOT NULL,
	"plan_id" text,
	"plan_version" integer,
	"subscription_id" uuid,
	"bucket_id" uuid DEFAULT null NOT NULL,
	"window_anchor" timestamp with time zone DEFAULT null NOT NULL,
	"limit_quantity" numeric,
	"window_class" text,
	"window_period" interval,
	"metadata" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"created_at" timestamp with time zone DEFAULT null NOT NULL,
	CONSTRAINT "entitlements_quantity" CHECK ("entitlements"."quantity_allowed" >= 0),
	CONSTRAINT "entitlements_end_after_start" CHECK ("entitlements"."effective_end" > "entitlements"."effective_start"),
	CONSTRAINT "entitlements_window" CHECK (("entitlements"."limit_kind_code" = 'cumulative') = ("entitlements"."window_class" is not null)),
	CONSTRAINT "entitlements_source" CHECK ("entitlements"."source_type" in ('plan', 'manual'))
);
--> statement-breakpoint
CREATE TABLE "plan_entitlement_templates" (
	"template_id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"plan_id" text NOT NULL,
	"resource_type_code" text COLLATE "C" NOT NULL,
	"resource_scope" text,
	"limit_kind_code" text NOT NULL,
	"quantity_allowed" numeric,
	"unit_code" text,
	"window_type_code" text,
	"duration_days" integer,
	"priority" integer DEFAULT 100 NOT NULL,
	"namespace_id" text DEFAULT null NOT NULL,
	"plan_version" integer DEFAULT null NOT NULL,
	CONSTRAINT "plan_entitlement_templates_key" UNIQUE NULLS NOT DISTINCT("namespace_id","plan_id","plan_version","resource_type_code","resource_scope","limit_kind_code","window_type_code","priority"),
	CONSTRAINT "plan_entitlement_templates_quantity" CHECK ("plan_entitlement_templates"."quantity_allowed" >= 0),
	CONSTRAINT "plan_entitlement_templates_duration" CHECK ("plan_entitlement_templates"."duration_days" > 0)
);
--> statement-breakpoint
CREATE TABLE "plan_versions" (
	"namespace_id" text NOT NULL,
	"plan_id" text NOT NULL,
	"plan_version" integer NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "plan_versions_namespace_id_plan_id_plan_version_pk" PRIMARY KEY("namespace_id","plan_id","plan_version")
);
--> statement-breakpoint
CREATE TABLE "plans" (
	"plan_id" text NOT NULL,
	"namespace_id" text DEFAULT 'default' NOT NULL,
	"plan_name" text NOT NULL,
	"status" text DEFAULT 'draft' NOT NULL,
	"is_trial" boolean DEFAULT false NOT NULL,
	"trial_days" integer,
	"external_id" text,
	"current_version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "plans_namespace_id_plan_id_pk" PRIMARY KEY("namespace_id","plan_id"),
	CONSTRAINT "plans_status" CHECK ("plans"."status" in ('draft', 'active', 'archived')),
	CONSTRAINT "plans_trial_days_positive" CHECK ("plans"."trial_days" > 0)
);
--> statement-breakpoint
CREATE TABLE "subscriptions" (
	"subscription_id" uuid PRIMARY KEY NOT NULL,
	"namespace_id" text NOT NULL,
	"account_id" uuid NOT NULL,
	"plan_id" text NOT NULL,
	"plan_version" integer NOT NULL,
	"quantity" numeric DEFAULT '1' NOT NULL,
	"start_at" timestamp with time zone NOT NULL,
	"end_at" timestamp with time zone,
	"billing_anchor" timestamp with time zone NOT NULL,
	"canceled_at" timestamp with time zone,
	"created_at" timestamp with time zone NOT NULL,
	CONSTRAINT "subscriptions_quantity_positive" CHECK ("subscriptions"."quantity" > 0)
);
--> statement-breakpoint
CREATE TABLE "concurrency_leases" (
	"lease_id" uuid PRIMARY KEY NOT NULL,
	"namespace_id" text NOT NULL,
	"account_id" uuid NOT NULL,
	"resource_type_code" text COLLATE "C" NOT NULL,
	"resource_scope" text,
	"holder" text NOT NULL,
	"units" integer NOT NULL,
	"fencing_token" bigint NOT NULL,
	"acquired_at" timestamp with time zone NOT NULL,
	"heartbeat_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"ttl_seconds" integer NOT NULL,
	"end_status" text,
	"ended_at" timestamp with time zone,
	"end_reason" text,
	"metadata" jsonb DEFAULT '{}'::jsonb NOT NULL,
	CONSTRAINT "concurrency_leases_units_positive" CHECK ("concurrency_leases"."units" > 0),
	CONSTRAINT "concurrency_leases_end" CHECK (("concurrency_leases"."end_status" is null) = ("concurrency_leases"."ended_at" is null)),
	CONSTRAINT "concurrency_leases_end_status" CHECK ("concurrency_leases"."end_status" in ('released', 'expired', 'revoked'))
);
--> statement-breakpoint
CREATE TABLE "control_rules" (
	"rule_id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"namespace_id" text DEFAULT null NOT NULL,
	"account_id" uuid,
	"account_key" uuid GENERATED ALWAYS AS (coalesce(account_id, '00000000-0000-0000-0000-000000000000')) STORED NOT NULL,
	"plan_id" text,
	"resource_type_code" text COLLATE "C" NOT NULL,
	"limit_kind_code" text NOT NULL,
	"limit_action_code" text NOT NULL,
	"warn_at_percent" numeric,
	"overage_multiplier" numeric,
	"overage_cap" numeric,
	"grace_percent" numeric,
	"grace_seconds" bigint,
	"on_error" text DEFAULT 'deny' NOT NULL,
	"created_at" timestamp with time zone DEFAULT null NOT NULL,
	"rule_number" bigint GENERATED ALWAYS AS IDENTITY (sequence name "control_rules_rule_number_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	CONSTRAINT "control_rules_warn" CHECK ("control_rules"."warn_at_percent" > 0 and "control_rules"."warn_at_percent" <= 100),
	CONSTRAINT "control_rules_overage" CHECK ("control_rules"."overage_multiplier" >= 0 and "control_rules"."overage_cap" >= 0),
	CONSTRAINT "control_rules_grace" CHECK ("control_rules"."grace_percent" >= 0 and "control_rules"."grace_seconds" >= 0),
	CONSTRAINT "control_rules_on_error" CHECK ("control_rules"."on_error" in ('allow', 'deny'))
);
--> statement-breakpoint
CREATE TABLE "inventory_items" (
	"account_id" uuid NOT NULL,
	"resource_type_code" text COLLATE "C" NOT NULL,
	"item" text NOT NULL,
	"resource_scope" text,
	"entry_id" uuid NOT NULL,
	"assigned_at" timestamp with time zone NOT NULL,
	"metadata" jsonb DEFAULT '{}'::jsonb NOT NULL,
	CONSTRAINT "inventory_items_account_id_resource_type_code_item_pk" PRIMARY KEY("account_id","resource_type_code","item")
);
--> statement-breakpoint
CREATE TABLE "reservation_allocations" (
	"reservation_id" uuid NOT NULL,
	"entitlement_id" uuid NOT NULL,
	"bucket_id" uuid NOT NULL,
	"window_start" timestamp with time zone NOT NULL,
	"window_end" timestamp with time zone NOT NULL,
	"included_quantity" numeric NOT NULL,
	"overage_quantity" numeric NOT NULL,
	CONSTRAINT "reservation_allocations_reservation_id_entitlement_id_pk" PRIMARY KEY("reservation_id","entitlement_id")
);
--> statement-breakpoint
CREATE TABLE "reservations" (
	"reservation_id" uuid PRIMARY KEY NOT NULL,
	"namespace_id" text NOT NULL,
	"account_id" uuid NOT NULL,
	"resource_type_code" text COLLATE "C" NOT NULL,
	"resource_scope" text,
	"quantity" numeric NOT NULL,
	"reserved_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"end_status" text,
	"ended_at" timestamp with time zone,
	"entry_id" uuid,
	CONSTRAINT "reservations_end" CHECK (("reservations"."end_status" is null) = ("reservations"."ended_at" is null)),
	CONSTRAINT "reservations_end_status" CHECK ("reservations"."end_status" in ('committed', 'released', 'expired'))
);
--> statement-breakpoint
CREATE TABLE "resource_state" (
	"account_id" uuid NOT NULL,
	"resource_type_code" text COLLATE "C" NOT NULL,
	"key_version" bigint DEFAULT 0 NOT NULL,
	"last_fencing_token" bigint DEFAULT 0 NOT NULL,
	"cumulative_exceeded_at" timestamp with time zone,
	"cumulative_grace_end" timestamp with time zone,
	"inventory_exceeded_at" timestamp with time zone,
	"concurrency_exceeded_at" timestamp with time zone,
	CONSTRAINT "resource_state_account_id_resource_type_code_pk" PRIMARY KEY("account_id","resource_type_code")
);
--> statement-breakpoint
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_namespace_id_namespaces_namespace_id_fk" FOREIGN KEY ("namespace_id") REFERENCES "public"."namespaces"("namespace_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "plan_entitlement_templates" ADD CONSTRAINT "plan_entitlement_templates_namespace_id_plan_id_plan_version_plan_versions_namespace_id_plan_id_plan_version_fk" FOREIGN KEY ("namespace_id","plan_id","plan_version") REFERENCES "public"."plan_versions"("namespace_id","plan_id","plan_version") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "plan_versions" ADD CONSTRAINT "plan_versions_namespace_id_plan_id_plans_namespace_id_plan_id_fk" FOREIGN KEY ("namespace_id","plan_id") REFERENCES "public"."plans"("namespace_id","plan_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "subscriptions" ADD CONSTRAINT "subscriptions_namespace_id_plan_id_plan_version_plan_versions_namespace_id_plan_id_plan_version_fk" FOREIGN KEY ("namespace_id","plan_id","plan_version") REFERENCES "public"."plan_versions"("namespace_id","plan_id","plan_version") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "api_keys_by_namespace" ON "api_keys" USING btree ("namespace_id","created_at","key_id");--> statement-breakpoint
CREATE INDEX "audit_log_by_namespace" ON "audit_log" USING btree ("namespace_id","audit_id");--> statement-breakpoint
CREATE INDEX "consumption_allocations_by_bucket" ON "consumption_allocations" USING btree ("bucket_id","counted_at","included_quantity","overage_quantity","excess_quantity");--> statement-breakpoint
CREATE INDEX "consumption_ledger_by_resource" ON "consumption_ledger" USING btree ("account_id","resource_type_code","occurred_at","entry_id");--> statement-breakpoint
CREATE INDEX "consumption_ledger_by_namespace" ON "consumption_ledger" USING btree ("namespace_id","occurred_at","entry_id");--> statement-breakpoint
CREATE INDEX "consumption_ledger_reversals" ON "consumption_ledger" USING btree ("account_id","resource_type_code","recorded_at") WHERE "consumption_ledger"."entry_kind" = 'reversal';--> statement-breakpoint
CREATE INDEX "entitlements_by_resource" ON "entitlements" USING btree ("account_id","resource_type_code");--> statement-breakpoint
CREATE INDEX "entitlements_by_subscription" ON "entitlements" USING btree ("subscription_id") WHERE "entitlements"."subscription_id" is not null;--> statement-breakpoint
CREATE INDEX "subscriptions_by_account" ON "subscriptions" USING btree ("account_id","subscription_id");--> statement-breakpoint
CREATE INDEX "concurrency_leases_open" ON "concurrency_leases" USING btree ("account_id","resource_type_code") WHERE "concurrency_leases"."ended_at" is null;--> statement-breakpoint
CREATE INDEX "concurrency_leases_by_account" ON "concurrency_leases" USING btree ("account_id","lease_id");--> statement-breakpoint
CREATE INDEX "concurrency_leases_by_namespace" ON "concurrency_leases" USING btree ("namespace_id","lease_id");--> statement-breakpoint
CREATE INDEX "control_rules_by_resource" ON "control_rules" USING btree ("namespace_id","resource_type_code","account_key");--> statement-breakpoint
CREATE INDEX "reservations_open" ON "reservations" USING btree ("account_id","resource_type_code") WHERE "reservations"."ended_at" is null;