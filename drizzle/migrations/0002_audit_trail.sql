CREATE TABLE "audit_details" (
	"audit_id" uuid PRIMARY KEY NOT NULL,
	"account_id" uuid,
	"before" jsonb,
	"after" jsonb,
	"salt" "bytea" NOT NULL
);
--> statement-breakpoint
DROP INDEX "audit_log_by_namespace";--> statement-breakpoint
ALTER TABLE "audit_log" ADD COLUMN "account_id" uuid;--> statement-breakpoint
ALTER TABLE "audit_log" ADD COLUMN "details_hash" "bytea";--> statement-breakpoint
CREATE INDEX "audit_details_by_account" ON "audit_details" USING btree ("account_id") WHERE "audit_details"."account_id" is not null;--> statement-breakpoint
CREATE INDEX "audit_log_by_account" ON "audit_log" USING btree ("account_id","changed_at","audit_id") WHERE "audit_log"."account_id" is not null;--> statement-breakpoint
CREATE INDEX "audit_log_by_object" ON "audit_log" USING btree ("namespace_id","object_id","changed_at","audit_id");--> statement-breakpoint
CREATE INDEX "audit_log_by_namespace" ON "audit_log" USING btree ("namespace_id","changed_at","audit_id");