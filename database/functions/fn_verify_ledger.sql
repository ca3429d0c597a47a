CREATE OR REPLACE FUNCTION fn_verify_ledger(
  p_namespace_id text, p_account_id uuid, p_resource text, p_after bigint, p_most_entries int
) RETURNS TABLE (entries int, faults jsonb, next_key resource_state, next_after bigint)
LANGUAGE plpgsql STABLE AS $$
DECLARE
  c_most_keys CONSTANT int := 2000;
  v_until timestamptz := clock_timestamp() + interval '1 second';
  v_keys resource_state[] := fn_keys_from(p_namespace_id, p_account_id, p_resource, c_most_keys + 1);
  v_part record;
BEGIN
  entries := 0;
  faults := '[]';
  FOR i IN 1 .. cardinality(v_keys) LOOP
    next_key := v_keys[i];
    next_after := CASE WHEN (next_key.account_id, next_key.resource_type_code) = (p_account_id, p_resource) THEN p_after END;
    IF i > c_most_keys OR entries >= p_most_entries OR (entries > 0 AND clock_timestamp() > v_until) OR jsonb_array_length(faults) >= 100 THEN
      RETURN NEXT;
      RETURN;
    END IF;
    SELECT v.* INTO v_part FROM fn_verify_entries(next_key.account_id, next_key.resource_type_code, next_after, p_most_entries - entries) v;
    entries := entries + v_part.entries;
    IF v_part.fault IS NOT NULL THEN
      -- What comes after the first fault of a chain proves nothing.
      faults := faults || (v_part.fault || jsonb_build_object('chain', 'ledger', 'account_uuid', next_key.account_id, 'resource', next_key.resource_type_code));
    ELSIF NOT v_part.done THEN
      next_after := v_part.reached;
      RETURN NEXT;
      RETURN;
    END IF;
  END LOOP;
  next_key := NULL;
  next_after := NULL;
  RETURN NEXT;
END $$;
COMMENT ON FUNCTION fn_verify_ledger IS
'Verifies hash chains of one namespace or (null) of all, in the order of their keys, from after an entry of this one on (null: the first): how many entries it looked at, up to p_most_entries and a second; the first fault of each broken chain, with its account_uuid and resource; where to go on, null at the end.';
