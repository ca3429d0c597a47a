CREATE TABLE "audit_chain" (
	"namespace_id" text NOT NULL,
	"chain_seq" bigint NOT NULL,
	"audit_id" uuid NOT NULL,
	"chain_hash" "bytea" NOT NULL,
	CONSTRAINT "audit_chain_namespace_id_chain_seq_pk" PRIMARY KEY("namespace_id","chain_seq"),
	CONSTRAINT "audit_chain_audit_id_unique" UNIQUE("audit_id")
);
--> statement-breakpoint
CREATE TABLE "audit_heads" (
	"namespace_id" text PRIMARY KEY NOT NULL,
	"chain_seq" bigint DEFAULT 0 NOT NULL,
	"chain_hash" "bytea"
);
--> statement-breakpoint
CREATE TABLE "head_signing" (
	"namespace_id" text PRIMARY KEY NOT NULL,
	"last_number" bigint DEFAULT 0 NOT NULL,
	"last_signature" "bytea",
	"exported_number" bigint DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE TABLE "signed_heads" (
	"namespace_id" text NOT NULL,
	"head_number" bigint NOT NULL,
	"chain" text NOT NULL,
	"account_id" uuid,
	"resource_type_code" text COLLATE "C",
	"chain_seq" bigint NOT NULL,
	"chain_hash" "bytea" NOT NULL,
	"signed_at" timestamp with time zone NOT NULL,
	"key_id" text NOT NULL,
	"previous_signature" "bytea",
	"signature" "bytea" NOT NULL,
	CONSTRAINT "signed_heads_namespace_id_head_number_pk" PRIMARY KEY("namespace_id","head_number"),
	CONSTRAINT "signed_heads_chain" CHECK ("signed_heads"."chain" in ('ledger', 'audit')),
	CONSTRAINT "signed_heads_of" CHECK (("signed_heads"."chain" = 'ledger') = (num_nulls("signed_heads"."account_id", "signed_heads"."resource_type_code") = 0))
);
--> statement-breakpoint
ALTER TABLE "accounts" ADD COLUMN "erased_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "maintenance_cursors" ADD COLUMN "from_seq" bigint;--> statement-breakpoint
ALTER TABLE "consumption_ledger" ADD COLUMN "chain_seq" bigint;--> statement-breakpoint
ALTER TABLE "consumption_ledger" ADD COLUMN "chain_hash" "bytea";--> statement-breakpoint
ALTER TABLE "ledger_details" ADD COLUMN "account_id" uuid;--> statement-breakpoint
ALTER TABLE "resource_state" ADD COLUMN "chain_seq" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "resource_state" ADD COLUMN "chain_hash" "bytea";--> statement-breakpoint
-- What was recorded before is chained as it was recorded, by form 1 of docs/LEDGER_CHAIN.md.
ALTER TABLE consumption_ledger DISABLE TRIGGER USER;
--> statement-breakpoint
DO $$
DECLARE
  v_entry record;
  v_account_id uuid;
  v_resource text;
  v_seq bigint;
  v_hash bytea;
BEGIN
  FOR v_entry IN
    SELECT l.*, ARRAY(
      SELECT f.field FROM consumption_allocations a
      CROSS JOIN LATERAL unnest(ARRAY[
        a.entitlement_id::text, a.bucket_id::text, trim_scale(extract(epoch FROM a.window_start) * 1000000)::text,
        trim_scale(extract(epoch FROM a.window_end) * 1000000)::text, trim_scale(extract(epoch FROM a.counted_at) * 1000000)::text,
        trim_scale(a.included_quantity)::text, trim_scale(a.overage_quantity)::text, trim_scale(a.excess_quantity)::text,
        trim_scale(a.billable_quantity)::text, trim_scale(a.overage_multiplier)::text
      ]) WITH ORDINALITY f (field, n)
      WHERE a.entry_id = l.entry_id ORDER BY a.draw_order, a.entitlement_id, f.n) AS drawn
    FROM consumption_ledger l ORDER BY l.account_id, l.resource_type_code, l.recorded_at, l.entry_id
  LOOP
    IF (v_entry.account_id, v_entry.resource_type_code) IS DISTINCT FROM (v_account_id, v_resource) THEN
      v_account_id := v_entry.account_id;
      v_resource := v_entry.resource_type_code;
      v_seq := 0;
      v_hash := '';
    END IF;
    v_seq := v_seq + 1;
    v_hash := sha256(v_hash || convert_to(array_to_json(ARRAY[
      'mec-entry-1', v_seq::text, v_entry.entry_id::text, v_entry.namespace_id, v_account_id::text, v_resource, v_entry.resource_scope,
      v_entry.entry_kind, v_entry.limit_kind_code, v_entry.idempotency_key, trim_scale(v_entry.quantity)::text, v_entry.unit_code,
      trim_scale(v_entry.original_quantity)::text, v_entry.original_unit_code,
      trim_scale(extract(epoch FROM v_entry.occurred_at) * 1000000)::text, trim_scale(extract(epoch FROM v_entry.recorded_at) * 1000000)::text,
      trim_scale(extract(epoch FROM v_entry.counted_at) * 1000000)::text, v_entry.is_late::text, v_entry.reverses_entry_id::text,
      trim_scale(v_entry.included_quantity)::text, trim_scale(v_entry.overage_quantity)::text, trim_scale(v_entry.excess_quantity)::text,
      encode(v_entry.details_hash, 'hex')] || v_entry.drawn)::text, 'UTF8'));
    UPDATE consumption_ledger l SET chain_seq = v_seq, chain_hash = v_hash WHERE l.entry_id = v_entry.entry_id;
    UPDATE resource_state s SET chain_seq = v_seq, chain_hash = v_hash
    WHERE s.account_id = v_account_id AND s.resource_type_code = v_resource;
  END LOOP;
  FOR v_entry IN SELECT a.* FROM audit_log a ORDER BY a.namespace_id, a.changed_at, a.audit_id LOOP
    SELECT h.chain_seq + 1, h.chain_hash INTO v_seq, v_hash FROM audit_heads h WHERE h.namespace_id = v_entry.namespace_id;
    v_seq := coalesce(v_seq, 1);
    v_hash := sha256(coalesce(v_hash, '') || convert_to(array_to_json(ARRAY[
      'mec-audit-1', v_seq::text, v_entry.audit_id::text, v_entry.namespace_id, v_entry.account_id::text, v_entry.actor, v_entry.request_id,
      v_entry.action, v_entry.object_type, v_entry.object_id, v_entry.before::text, v_entry.after::text, encode(v_entry.details_hash, 'hex'),
      trim_scale(extract(epoch FROM v_entry.changed_at) * 1000000)::text])::text, 'UTF8'));
    INSERT INTO audit_chain (namespace_id, chain_seq, audit_id, chain_hash) VALUES (v_entry.namespace_id, v_seq, v_entry.audit_id, v_hash);
    INSERT INTO audit_heads AS h (namespace_id, chain_seq, chain_hash) VALUES (v_entry.namespace_id, v_seq, v_hash)
    ON CONFLICT (namespace_id) DO UPDATE SET chain_seq = excluded.chain_seq, chain_hash = excluded.chain_hash;
  END LOOP;
END $$;
--> statement-breakpoint
ALTER TABLE consumption_ledger ENABLE TRIGGER USER;
--> statement-breakpoint
UPDATE ledger_details d SET account_id = l.account_id FROM consumption_ledger l WHERE l.entry_id = d.entry_id;
--> statement-breakpoint
-- Answers no longer keep how the account was written: it is added when they are repeated.
UPDATE idempotency_keys SET result = result #- '{reservation,account_id}' WHERE operation = 'reserve';
--> statement-breakpoint
UPDATE idempotency_keys SET result = result - 'account_id' WHERE operation = 'rule';
--> statement-breakpoint
ALTER TABLE "consumption_ledger" ALTER COLUMN "chain_seq" SET NOT NULL;--> statement-breakpoint
ALTER TABLE "consumption_ledger" ALTER COLUMN "chain_hash" SET NOT NULL;--> statement-breakpoint
ALTER TABLE "ledger_details" ALTER COLUMN "account_id" SET NOT NULL;--> statement-breakpoint
CREATE INDEX "signed_heads_by_resource" ON "signed_heads" USING btree ("account_id","resource_type_code","chain_seq") WHERE "signed_heads"."account_id" is not null;--> statement-breakpoint
CREATE INDEX "signed_heads_of_audit" ON "signed_heads" USING btree ("namespace_id","chain_seq") WHERE "signed_heads"."account_id" is null;--> statement-breakpoint
CREATE INDEX "consumption_ledger_chain" ON "consumption_ledger" USING btree ("account_id","resource_type_code","chain_seq");--> statement-breakpoint
CREATE INDEX "ledger_details_by_account" ON "ledger_details" USING btree ("account_id");