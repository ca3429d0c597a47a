CREATE TABLE "maintenance_cursors" (
	"job" text NOT NULL,
	"namespace_id" text NOT NULL,
	"from_account_id" uuid,
	"from_resource_type_code" text COLLATE "C",
	CONSTRAINT "maintenance_cursors_job_namespace_id_pk" PRIMARY KEY("job","namespace_id")
);
--> statement-breakpoint
ALTER TABLE "api_keys" ADD COLUMN "rotated_to" uuid;--> statement-breakpoint
ALTER TABLE "concurrency_leases" ADD COLUMN "due_at" timestamp with time zone;--> statement-breakpoint
UPDATE "concurrency_leases" SET "due_at" = "expires_at";--> statement-breakpoint
ALTER TABLE "concurrency_leases" ALTER COLUMN "due_at" SET NOT NULL;--> statement-breakpoint
CREATE INDEX "accounts_by_namespace" ON "accounts" USING btree ("namespace_id","account_id");--> statement-breakpoint
CREATE INDEX "entitlement_windows_open" ON "entitlement_windows" USING btree ("account_id","window_end") WHERE "entitlement_windows"."frozen_at" is null;--> statement-breakpoint
CREATE INDEX "concurrency_leases_due" ON "concurrency_leases" USING btree ("namespace_id","due_at") WHERE "concurrency_leases"."ended_at" is null;--> statement-breakpoint
CREATE INDEX "reservations_due" ON "reservations" USING btree ("namespace_id","expires_at") WHERE "reservations"."ended_at" is null;