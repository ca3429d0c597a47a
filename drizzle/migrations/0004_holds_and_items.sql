ALTER TABLE "inventory_items" ADD COLUMN "namespace_id" text NOT NULL;--> statement-breakpoint
ALTER TABLE "inventory_items" ADD COLUMN "decision" jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "reservation_allocations" ADD COLUMN "draw_order" integer NOT NULL;--> statement-breakpoint
ALTER TABLE "reservations" ADD COLUMN "idempotency_key" text NOT NULL;--> statement-breakpoint
ALTER TABLE "reservations" ADD COLUMN "limit_kind_code" text NOT NULL;--> statement-breakpoint
ALTER TABLE "reservations" ADD COLUMN "overage_quantity" numeric NOT NULL;--> statement-breakpoint
ALTER TABLE "reservations" ADD COLUMN "committed_quantity" numeric;--> statement-breakpoint
ALTER TABLE "reservations" ADD COLUMN "committed_state" jsonb;--> statement-breakpoint
CREATE INDEX "inventory_items_by_account" ON "inventory_items" USING btree ("account_id","entry_id");--> statement-breakpoint
CREATE INDEX "inventory_items_by_namespace" ON "inventory_items" USING btree ("namespace_id","entry_id");--> statement-breakpoint
CREATE INDEX "reservations_by_time" ON "reservations" USING btree ("account_id","resource_type_code","reserved_at");--> statement-breakpoint
ALTER TABLE "reservations" ADD CONSTRAINT "reservations_commit" CHECK (("reservations"."end_status" is not distinct from 'committed') = ("reservations"."committed_quantity" is not null));--> statement-breakpoint
ALTER TABLE "reservations" ADD CONSTRAINT "reservations_ttl" CHECK ("reservations"."expires_at" > "reservations"."reserved_at" and "reservations"."expires_at" <= "reservations"."reserved_at" + interval '24 hours');