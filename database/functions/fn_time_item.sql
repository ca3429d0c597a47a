CREATE OR REPLACE FUNCTION fn_time_item(p_item usage_item, p_namespace namespaces, p_timezone text, p_now timestamptz) RETURNS usage_item
LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF p_item.occurred_at > p_now + interval '5 minutes' THEN
    p_item.error := fn_error(400, 'invalid_parameter', 'occurred_at must not be more than 5 minutes in the future', 'occurred_at');
    RETURN p_item;
  END IF;
  p_item.occurred_at := coalesce(p_item.occurred_at, p_now);
  SELECT c.counted_at, c.is_late INTO p_item.counted_at, p_item.is_late
  FROM fn_counted_at(p_namespace, p_item.account_id, p_item.resource_type_code, p_item.resource_scope, p_timezone, p_item.occurred_at, p_now) c;
  RETURN p_item;
END $$;
COMMENT ON FUNCTION fn_time_item IS
'Completes a use with its times; its error is invalid_parameter (occurred_at) when over 5 minutes in the future.';
