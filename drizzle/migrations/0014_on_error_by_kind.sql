-- A snapshot says on_error kind by kind. Until the functions of this version are there, those of before leave none behind,
CREATE OR REPLACE FUNCTION fn_continuation(
  p_account_id uuid, p_resource text, p_drawn usage_allocation[], p_states entitlement_state[], p_limits limit_state[], p_snapshot jsonb, p_now timestamptz
) RETURNS continuation
LANGUAGE sql STABLE AS $$
  SELECT NULL::continuation
$$;
--> statement-breakpoint
-- and what they have left holds no longer.
UPDATE namespaces SET config_version = config_version + 1;
