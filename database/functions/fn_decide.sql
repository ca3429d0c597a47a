CREATE OR REPLACE FUNCTION fn_decide(p_snapshot jsonb, p_quantity numeric, p_purpose text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  v_asked_kinds text[] := fn_asked_kinds(p_purpose);
  v_kind jsonb;
  v_code text;
  v_band jsonb;
  v_asked numeric;
  v_first boolean := true;
  v_limits jsonb := '[]';
  v_rank int;
  v_worst int := 0;
  v_leads jsonb;
  v_leads_band jsonb;
  v_leads_asked numeric;
  v_only_time boolean;
BEGIN
  SELECT bool_and(k ->> 'limit_kind' = 'time_access') INTO v_only_time FROM jsonb_array_elements(p_snapshot -> 'kinds') k
  WHERE k ->> 'limit_kind' = ANY (v_asked_kinds);
  FOR v_kind IN SELECT k FROM jsonb_array_elements(p_snapshot -> 'kinds') k LOOP
    v_code := v_kind ->> 'limit_kind';
    CONTINUE WHEN NOT v_code = ANY (v_asked_kinds);
    IF v_first AND (v_code <> 'time_access' OR v_only_time) THEN
      v_asked := p_quantity;
      v_first := false;
    ELSIF p_purpose = 'consume' THEN
      -- Draws on its first kind only; time access has to admit the same quantity.
      CONTINUE WHEN v_code <> 'time_access';
      v_asked := p_quantity;
    ELSE
      v_asked := CASE WHEN p_quantity = 0 THEN 0 ELSE 1 END;
    END IF;
    SELECT b INTO v_band FROM jsonb_array_elements(v_kind -> 'bands') b
    WHERE coalesce((b ->> 'up_to')::numeric >= v_asked * 1000000, true) LIMIT 1;
    v_limits := v_limits || jsonb_build_object(
      'limit_kind', v_code,
      'limit', fn_from_millionths(v_kind ->> 'limit'), 'used', fn_from_millionths(v_kind ->> 'used'),
      'held', fn_from_millionths(v_kind ->> 'held'), 'remaining', fn_from_millionths(v_kind ->> 'remaining'),
      'outcome', v_band -> 'outcome', 'reason', v_band -> 'reason', 'window', v_kind -> 'window');
    v_rank := array_position('{allow,warn,grace,overage,block}'::text[], v_band ->> 'outcome');
    IF v_rank > v_worst THEN
      v_worst := v_rank;
      v_leads := v_kind;
      v_leads_band := v_band;
      v_leads_asked := v_asked;
    END IF;
  END LOOP;
  IF v_leads IS NULL THEN
    RETURN jsonb_build_object(
      'allowed', false, 'outcome', 'block',
      'reason', CASE WHEN (p_snapshot ->> 'suspended')::boolean THEN 'account_suspended' ELSE p_snapshot -> 'absent' ->> p_purpose END,
      'resource', p_snapshot -> 'resource', 'scope', p_snapshot -> 'scope', 'quantity', fn_number(p_quantity),
      'limit', 0, 'used', 0, 'held', 0, 'remaining', 0, 'window', NULL, 'action', 'block', 'warn_at_percent', NULL,
      'overage', jsonb_build_object('quantity', 0, 'multiplier', 1), 'grace', NULL, 'limits', '[]'::jsonb, 'as_of', p_snapshot -> 'as_of');
  END IF;
  RETURN jsonb_build_object(
    'allowed', v_leads_band ->> 'outcome' <> 'block', 'outcome', v_leads_band -> 'outcome', 'reason', v_leads_band -> 'reason',
    'resource', p_snapshot -> 'resource', 'scope', p_snapshot -> 'scope', 'quantity', fn_number(p_quantity),
    'limit', fn_from_millionths(v_leads ->> 'limit'), 'used', fn_from_millionths(v_leads ->> 'used'),
    'held', fn_from_millionths(v_leads ->> 'held'), 'remaining', fn_from_millionths(v_leads ->> 'remaining'),
    'window', v_leads -> 'window', 'action', v_leads -> 'action', 'warn_at_percent', v_leads -> 'warn_at_percent',
    'overage', jsonb_build_object(
      'quantity', fn_number(greatest(0, coalesce(v_leads_asked - fn_from_millionths(v_leads ->> 'remaining'), 0))),
      'multiplier', v_leads -> 'overage_multiplier'),
    'grace', CASE WHEN jsonb_typeof(v_leads -> 'grace') = 'object' THEN jsonb_build_object(
      'quantity_left', CASE WHEN v_leads -> 'grace' ->> 'quantity_left' IS NOT NULL THEN fn_number(greatest(0,
        fn_from_millionths(v_leads -> 'grace' ->> 'quantity_left')
        - greatest(0, coalesce(v_leads_asked - fn_from_millionths(v_leads ->> 'remaining'), 0)))) END,
      'until', v_leads -> 'grace' -> 'until') END,
    'limits', v_limits, 'as_of', p_snapshot -> 'as_of');
END $$;
COMMENT ON FUNCTION fn_decide IS
'A snapshot''s decision for a quantity (in the resource''s unit) and a purpose: any, consume, lease, assign. The edge does the same in core/verdict; a differential test holds them together.';
