-- What the functions pass among themselves. Unlimited is 'Infinity'; no end is 'infinity'.
CREATE TYPE entitlement_state AS (
  entitlement_id uuid,
  bucket_id uuid,
  limit_kind_code text,
  plan_id text,
  resource_scope text,
  covers boolean,
  quantity_limit numeric,
  used numeric,
  held numeric,
  overage numeric,
  window_type_code text,
  window_start timestamptz,
  window_end timestamptz,
  rolling_since timestamptz,
  effective_end timestamptz,
  priority int,
  created_at timestamptz,
  window_class text,
  window_period interval,
  window_anchor timestamptz
);
--> statement-breakpoint
COMMENT ON TYPE entitlement_state IS 'One entitlement in force with what was used of it. covers: it covers the scope asked for. used may be negative (late reversals). overage includes what live reservations hold over. rolling_since: start of a rolling window, whose window_start and window_end are those of its billing month.';
--> statement-breakpoint
CREATE TYPE entitlement_view AS (
  states entitlement_state[],
  others boolean
);
--> statement-breakpoint
COMMENT ON TYPE entitlement_view IS 'The entitlements of an (account, resource) in force, and whether there are others.';
--> statement-breakpoint
CREATE TYPE limit_state AS (
  limit_kind_code text,
  quantity_limit numeric,
  used numeric,
  held numeric,
  headroom numeric,
  window_type_code text,
  window_start timestamptz,
  window_end timestamptz,
  action text,
  warn_at_percent numeric,
  overage_multiplier numeric,
  on_error text,
  overage_left numeric,
  grace_open boolean,
  grace_left numeric,
  grace_until timestamptz,
  grace_seconds bigint,
  over numeric,
  narrows_at timestamptz,
  widens_at timestamptz
);
--> statement-breakpoint
COMMENT ON TYPE limit_state IS 'One limit kind of an account: its entitlements added up, and the rule that decides beyond the headroom. overage_left, grace_left: how much more may go over ("Infinity" = no bound). grace_open: the grace clock allows it. over: what is over already, in all scopes. narrows_at, widens_at: when time alone next takes away, and gives.';
--> statement-breakpoint
CREATE TYPE usage_item AS (
  n int,
  idempotency_key text,
  request_hash bytea,
  account_id uuid,
  resource_type_code text,
  resource_scope text,
  quantity numeric,
  unit_code text,
  original_quantity numeric,
  original_unit_code text,
  occurred_at timestamptz,
  counted_at timestamptz,
  is_late boolean,
  metadata jsonb,
  entry_id uuid,
  limit_kind_code text,
  included_quantity numeric,
  overage_quantity numeric,
  excess_quantity numeric,
  status text,
  error jsonb
);
--> statement-breakpoint
COMMENT ON TYPE usage_item IS 'A use on its way into the ledger: what was asked, then what it drew.';
--> statement-breakpoint
CREATE TYPE usage_allocation AS (
  n int,
  entry_id uuid,
  entitlement_id uuid,
  bucket_id uuid,
  window_start timestamptz,
  window_end timestamptz,
  counted_at timestamptz,
  included_quantity numeric,
  overage_quantity numeric,
  excess_quantity numeric,
  billable_quantity numeric,
  overage_multiplier numeric
);
--> statement-breakpoint
COMMENT ON TYPE usage_allocation IS 'What a usage_item (n) draws on one entitlement.';
--> statement-breakpoint
CREATE TYPE limit_verdict AS (
  n int,
  asked numeric,
  over numeric,
  outcome text,
  reason text
);
--> statement-breakpoint
COMMENT ON TYPE limit_verdict IS 'What the n-th limit_state answers for the quantity it was asked for; over: how much of that goes beyond the headroom.';
