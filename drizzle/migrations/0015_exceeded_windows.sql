CREATE INDEX "consumption_allocations_over" ON "consumption_allocations" USING btree ("bucket_id","counted_at") WHERE "consumption_allocations"."overage_quantity" + "consumption_allocations"."excess_quantity" > 0;--> statement-breakpoint
-- Snapshots say something else about some grace clocks.
UPDATE namespaces SET config_version = config_version + 1;
