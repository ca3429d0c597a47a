CREATE TYPE continuation AS (
  scope text,
  config_version bigint,
  key_version bigint,
  valid_from timestamptz,
  valid_until timestamptz,
  room numeric,
  drawn usage_allocation,
  verdicts jsonb,
  snapshot jsonb
);
--> statement-breakpoint
COMMENT ON TYPE continuation IS 'What a consume leaves to the next (docs/adr/0004): within its versions, its scope and its time a use of up to room is answered with verdicts, drawn as drawn was, and leaves snapshot moved by its quantity.';
--> statement-breakpoint
ALTER TABLE "resource_state" ADD COLUMN "continuation" "continuation";
