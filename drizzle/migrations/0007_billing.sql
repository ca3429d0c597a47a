CREATE TABLE "entitlement_window_parts" (
	"account_id" uuid NOT NULL,
	"resource_type_code" text COLLATE "C" NOT NULL,
	"window_end" timestamp with time zone NOT NULL,
	"bucket_id" uuid NOT NULL,
	"entitlement_id" uuid NOT NULL,
	"included_quantity" numeric NOT NULL,
	"overage_quantity" numeric NOT NULL,
	"excess_quantity" numeric NOT NULL,
	"billable_quantity" numeric NOT NULL,
	"billable_amount" numeric NOT NULL,
	CONSTRAINT "entitlement_window_parts_pk" PRIMARY KEY("account_id","resource_type_code","window_end","bucket_id","entitlement_id")
);
--> statement-breakpoint
INSERT INTO entitlement_window_parts
SELECT a.account_id, a.resource_type_code, a.window_end, a.bucket_id, a.entitlement_id, sum(a.included_quantity), sum(a.overage_quantity),
	sum(a.excess_quantity), sum(a.billable_quantity), sum(a.billable_quantity * a.overage_multiplier)
FROM consumption_allocations a WHERE a.entitlement_id <> a.bucket_id GROUP BY 1, 2, 3, 4, 5;
--> statement-breakpoint
INSERT INTO entitlement_windows (account_id, resource_type_code, window_end, bucket_id, window_start, used,
	included_quantity, overage_quantity, excess_quantity, billable_quantity, billable_amount)
SELECT l.account_id, l.resource_type_code, (date_trunc('month', l.recorded_at AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC', '00000000-0000-0000-0000-000000000000'::uuid,
	date_trunc('month', l.recorded_at, 'UTC'), sum(l.quantity), sum(l.included_quantity), sum(l.overage_quantity), sum(l.excess_quantity), 0, 0
FROM consumption_ledger l WHERE l.limit_kind_code IS DISTINCT FROM 'cumulative' GROUP BY 1, 2, 3, 4, 5;
