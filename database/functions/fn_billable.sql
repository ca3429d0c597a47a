CREATE OR REPLACE FUNCTION fn_billable(p_action text, p_unlimited boolean, p_included numeric, p_overage numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN p_action = 'overage' THEN p_overage + CASE WHEN p_unlimited THEN p_included ELSE 0 END ELSE 0 END
$$;
COMMENT ON FUNCTION fn_billable IS
'How much of what was drawn on an entitlement is billed: overage under the action overage; of an unlimited one all that is used (pay as you go).';
