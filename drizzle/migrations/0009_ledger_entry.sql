CREATE TYPE ledger_entry AS (
  entry_id uuid,
  idempotency_key text,
  account_id text,
  resource text,
  scope text,
  quantity numeric,
  unit text,
  original_quantity numeric,
  original_unit text,
  occurred_at text,
  recorded_at text,
  late boolean,
  kind text,
  reverses uuid,
  included_quantity numeric,
  overage_quantity numeric,
  excess_quantity numeric,
  metadata jsonb
);
--> statement-breakpoint
COMMENT ON TYPE ledger_entry IS 'An entry of the ledger as answers show it.';
