CREATE TABLE "entitlement_terms" (
	"entitlement_id" uuid NOT NULL,
	"valid_until" timestamp with time zone NOT NULL,
	"limit_quantity" numeric,
	"rollover_limit" numeric,
	"rollover_percent" numeric,
	CONSTRAINT "entitlement_terms_entitlement_id_valid_until_pk" PRIMARY KEY("entitlement_id","valid_until")
);
--> statement-breakpoint
ALTER TABLE "subscriptions" DROP CONSTRAINT "subscriptions_quantity_positive";--> statement-breakpoint
ALTER TABLE "entitlements" ADD COLUMN "rollover_max_quantity" numeric;--> statement-breakpoint
ALTER TABLE "entitlements" ADD COLUMN "rollover_percent" numeric;--> statement-breakpoint
ALTER TABLE "entitlements" ADD COLUMN "rollover_limit" numeric;--> statement-breakpoint
ALTER TABLE "plan_entitlement_templates" ADD COLUMN "rollover_max_quantity" numeric;--> statement-breakpoint
ALTER TABLE "plan_entitlement_templates" ADD COLUMN "rollover_percent" numeric;--> statement-breakpoint
ALTER TABLE "subscriptions" ADD COLUMN "plan_start" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "subscriptions" ADD COLUMN "trial_end" timestamp with time zone;--> statement-breakpoint
UPDATE "subscriptions" SET "plan_start" = "start_at", "trial_end" = "end_at";--> statement-breakpoint
ALTER TABLE "subscriptions" ALTER COLUMN "plan_start" SET NOT NULL;--> statement-breakpoint
ALTER TABLE "subscriptions" ADD COLUMN "pending_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "subscriptions" ADD COLUMN "pending_plan_id" text;--> statement-breakpoint
ALTER TABLE "subscriptions" ADD COLUMN "pending_plan_version" integer;--> statement-breakpoint
ALTER TABLE "subscriptions" ADD COLUMN "pending_quantity" numeric;--> statement-breakpoint
ALTER TABLE "subscriptions" ADD COLUMN "cut_ends" jsonb DEFAULT '{}'::jsonb NOT NULL;--> statement-breakpoint
CREATE INDEX "subscriptions_by_plan" ON "subscriptions" USING btree ("namespace_id","plan_id","subscription_id");--> statement-breakpoint
CREATE INDEX "subscriptions_by_pending_plan" ON "subscriptions" USING btree ("namespace_id","pending_plan_id","subscription_id") WHERE "subscriptions"."pending_at" is not null;--> statement-breakpoint
ALTER TABLE "entitlements" ADD CONSTRAINT "entitlements_rollover" CHECK ("entitlements"."rollover_max_quantity" >= 0 and "entitlements"."rollover_percent" between 0 and 100);--> statement-breakpoint
ALTER TABLE "plan_entitlement_templates" ADD CONSTRAINT "plan_entitlement_templates_rollover" CHECK ("plan_entitlement_templates"."rollover_max_quantity" >= 0 and "plan_entitlement_templates"."rollover_percent" between 0 and 100);--> statement-breakpoint
ALTER TABLE "subscriptions" ADD CONSTRAINT "subscriptions_pending" CHECK (num_nulls("subscriptions"."pending_at", "subscriptions"."pending_plan_id", "subscriptions"."pending_plan_version", "subscriptions"."pending_quantity") in (0, 4));--> statement-breakpoint
ALTER TABLE "subscriptions" ADD CONSTRAINT "subscriptions_quantity_positive" CHECK ("subscriptions"."quantity" > 0 and "subscriptions"."pending_quantity" > 0);