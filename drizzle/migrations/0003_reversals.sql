ALTER TABLE "consumption_allocations" ADD COLUMN "draw_order" integer DEFAULT 1 NOT NULL;--> statement-breakpoint
CREATE INDEX "consumption_allocations_given_back" ON "consumption_allocations" USING btree ("bucket_id","counted_at") WHERE "consumption_allocations"."included_quantity" + "consumption_allocations"."overage_quantity" + "consumption_allocations"."excess_quantity" < 0;--> statement-breakpoint
CREATE INDEX "consumption_ledger_reversed" ON "consumption_ledger" USING btree ("reverses_entry_id") WHERE "consumption_ledger"."reverses_entry_id" is not null;--> statement-breakpoint
WITH slot AS (
	SELECT l.account_id, l.resource_type_code, (m.at AT TIME ZONE 'UTC')::date AS day, 1 + floor(extract(epoch FROM m.at))::bigint % 86400 / 900 AS n,
		sum(m.sign * l.quantity) AS quantity, sum(m.sign * l.overage_quantity) AS overage
	FROM consumption_ledger l CROSS JOIN LATERAL (VALUES (l.occurred_at, 1), (l.counted_at, -1)) AS m (at, sign)
	WHERE l.counted_at <> l.occurred_at GROUP BY 1, 2, 3, 4
)
INSERT INTO usage_rollups (account_id, resource_type_code, bucket_id, day, quantity, overage_quantity, quarters, overage_quarters)
SELECT d.account_id, d.resource_type_code, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid, d.day, sum(s.quantity), sum(s.overage),
	array_agg(s.quantity ORDER BY n), array_agg(nullif(s.overage, 0) ORDER BY n)
FROM (SELECT DISTINCT account_id, resource_type_code, day FROM slot) d CROSS JOIN generate_series(1, 96) n
LEFT JOIN slot s USING (account_id, resource_type_code, day, n) GROUP BY 1, 2, 3, 4;
